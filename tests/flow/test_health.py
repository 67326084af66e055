"""The admin port tells the truth: ready is who can take a webhook durably now."""

import asyncio
import resource
import subprocess
import sys
from pathlib import Path

import aiohttp
import pytest

from bridge.errors import ExitCode
from bridge.service.topic_watch import TopicWatch
from tests.fakes.sink import ScriptedSink
from tests.flow.conftest import Configure, StartInside, StartProcess
from tests.flow.running import Bridge, until, webhook
from tests.unprivileged import without_rights

LARGE = {"filler": "x" * 50_000}


async def test_without_kafka_it_is_alive_and_ready_and_says_that_kafka_is_away(
    start_process: StartProcess, http: aiohttp.ClientSession
) -> None:
    bridge = start_process()
    await bridge.started()
    assert await bridge.post(http) == 200
    assert await bridge.get(http, "/livez") == (200, {"status": "ok"})
    status, ready = await bridge.get(http, "/readyz")
    assert (status, ready["status"]) == (200, "ok")
    kafka = ready["checks"]["kafka"]
    assert (kafka["status"], kafka["connected"]) == ("degraded", False)
    assert ready["checks"]["journal"]["pending"] == 1
    await until(lambda: bridge.log.lines("kafka.lost"), "a line about Kafka")
    _, ready = await bridge.get(http, "/readyz")
    assert "127.0.0.1:1: nothing listens there" in ready["checks"]["kafka"]["reason"]


async def test_a_topic_whose_events_wait_is_named_by_readyz_with_the_reason(
    start_inside: StartInside, http: aiohttp.ClientSession
) -> None:
    bridge = await start_inside(sink=ScriptedSink(blocked={"treble.message.read"}), topics={"create": "off"})
    assert await bridge.post(http) == 200
    await until(lambda: bridge.log.lines("topic.paused"), "the topic queue")
    status, ready = await bridge.get(http, "/readyz")
    topics = ready["checks"]["topics"]
    assert (status, ready["status"], topics["status"], topics["state"]) == (200, "ok", "degraded", "off")
    (why,) = topics["waiting"]
    assert "treble.message.read" in why


async def fill(bridge: Bridge, http: aiohttp.ClientSession, until_status: str) -> list[int]:
    """Post large webhooks until the journal's check says `until_status`; the statuses of the answers."""
    statuses: list[int] = []
    for number in range(400):
        if (await bridge.get(http, "/readyz"))[1]["checks"]["journal"]["state"] == until_status:
            return statuses
        statuses.append(await bridge.post(http, webhook(f"s-{number}", **LARGE)))
    raise AssertionError(f"the journal never became {until_status}")


async def test_a_nearly_full_journal_degrades_a_full_one_refuses_and_forwarding_makes_room(
    start_inside: StartInside, http: aiohttp.ClientSession
) -> None:
    sink = ScriptedSink(up=False)
    bridge = await start_inside(sink=sink, journal={"max_bytes": "2MiB"}, kafka={"backoff": "50ms"})
    assert set(await fill(bridge, http, "nearly_full")) == {200}
    status, ready = await bridge.get(http, "/readyz")
    assert (status, ready["status"]) == (200, "degraded")

    taken = await fill(bridge, http, "full")
    assert (await bridge.get(http, "/readyz"))[0] == 503
    assert (await bridge.get(http, "/livez"))[0] == 200
    assert await bridge.post(http, webhook("refused", **LARGE)) == 503
    assert {200} <= set(taken) <= {200, 503}

    sink.up = True
    await until(lambda: sink.taken, "forwarding")
    await ready_again(bridge, http)
    assert await bridge.post(http, webhook("taken again")) == 200


async def ready_again(bridge: Bridge, http: aiohttp.ClientSession) -> None:
    """Wait until /readyz is 200."""
    for _ in range(1000):
        if (await bridge.get(http, "/readyz"))[0] == 200:
            return
    raise AssertionError("not ready again")


async def test_a_disk_that_fails_ends_the_process_with_code_5_and_answers_503_not_200(
    start_process: StartProcess, http: aiohttp.ClientSession
) -> None:
    bridge = start_process()
    await bridge.started()
    assert await bridge.post(http) == 200
    _, hard = resource.prlimit(bridge.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(bridge.pid, resource.RLIMIT_FSIZE, (4096, hard))  # every further byte of a file: EFBIG
    assert await bridge.post(http, webhook("on the failing disk")) == 503
    assert await bridge.ended() == ExitCode.JOURNAL_FAILED
    assert bridge.log.lines("journal.failed")

    again = start_process(bridge.config)
    await again.started()
    assert await again.pending(http) == 1


async def test_being_fenced_ends_the_process_with_code_6_and_says_by_whom(
    start_inside: StartInside, http: aiohttp.ClientSession
) -> None:
    sink = ScriptedSink(up=False)
    bridge = await start_inside(sink=sink, kafka={"backoff": "50ms", "backoff_max": "50ms"})
    assert await bridge.post(http) == 200
    sink.fenced = True
    assert await bridge.ended() is ExitCode.FENCED
    assert "process 1 on elsewhere" in bridge.log.lines("kafka.fenced")[0]["error.message"]
    assert bridge.log.lines("service.stopped")[0]["pending"] == 1


async def test_a_mistake_beside_the_way_of_an_event_stops_no_event(
    start_inside: StartInside, http: aiohttp.ClientSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    def mistake(_: TopicWatch) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(TopicWatch, "run", mistake)
    sink = ScriptedSink()
    bridge = await start_inside(sink=sink)
    assert await bridge.post(http) == 200
    await until(lambda: sink.taken, "forwarding")
    (line,) = bridge.log.lines("service.stage_restarted")
    assert (line["stage"], line["error.type"]) == ("topics", "ZeroDivisionError")
    assert (await bridge.get(http, "/readyz"))[0] == 200


async def test_a_second_process_on_the_same_journal_ends_with_code_3_and_names_the_owner(
    start_process: StartProcess,
) -> None:
    first = start_process()
    await first.started()
    second = start_process(first.config)
    assert await second.ended() == ExitCode.JOURNAL_LOCKED
    (line,) = second.log.lines("service.not_started")
    assert str(first.pid) in line["error.message"]
    assert "or give this one a folder of its own (journal.path)" in line["error.message"]
    assert first.running


async def test_a_taken_port_ends_the_start_with_code_9_and_names_the_key(start_process: StartProcess) -> None:
    first = start_process()
    await first.started()
    for section in ("server", "admin"):
        taken = first.url if section == "server" else first.admin_url
        journal = {"path": f"{first.config.parent}/{section}"}
        second = start_process(journal=journal, **{section: {"listen": taken.removeprefix("http://")}})
        assert await second.ended() == ExitCode.PORT_TAKEN
        ends = second.log.lines("service.not_started" if section == "admin" else "service.stage_ended")
        (said,) = [line["error.message"] for line in ends]
        assert said.startswith(f"{section}.listen: can't listen on 127.0.0.1:")
        assert "Address already in use: end the program that listens there" in said
        # Nothing but log lines, and none that says that webhooks are answered.
        assert len(second.log.lines()) == len(second.log.text.splitlines()), second.log.text
        assert not second.log.lines("service.not_accepting")


async def test_a_port_that_this_user_may_not_have_ends_the_start_with_code_2(configure: Configure) -> None:
    config = configure(server={"listen": "127.0.0.1:80"})
    command = without_rights(sys.executable, "-m", "bridge", "run", "--config", str(config))
    ran = await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True, timeout=60, check=False)
    if int(Path("/proc/sys/net/ipv4/ip_unprivileged_port_start").read_text(encoding="ascii")) <= 80:
        pytest.skip("everybody may listen on port 80 here")
    assert ran.returncode == ExitCode.USAGE, ran.stdout
    assert "server.listen: can't listen on 127.0.0.1:80: Permission denied" in ran.stdout


async def test_status_shows_what_a_person_looks_for(start_inside: StartInside, http: aiohttp.ClientSession) -> None:
    sink = ScriptedSink(blocked={"treble.message.read"})
    bridge = await start_inside(sink=sink)
    assert await bridge.post(http) == 200
    assert await bridge.post(http, {"event_type": "something.new", "event_id": "1"}) == 200
    await bridge.all_forwarded(http, but=1)
    await until(lambda: bridge.service.health.stages.journal.usage().deferred, "the paused topic")
    _, status = await bridge.get(http, "/status")
    assert status["paused_topics"] == {"treble.message.read": "missing"}
    assert status["forwarder"]["positions"]["treble.message.read"] == 1
    assert status["forwarder"]["next_id"] == 3
    assert status["journal"]["pending"] == 1
    assert status["journal"]["deferred"] == {"treble.message.read": 1}
    assert status["journal"]["pinned"] == {"entries": 0, "bytes": 0}
    assert status["forwarder"]["connected"] is True
    assert {"version", "uptime_seconds", "versions", "config", "topics", "ingress"} <= set(status)


SERIES = [
    'requests_total{outcome="accepted",source="treble"}',
    "acknowledgement_seconds_count",
    "journal_commit_seconds_count",
    "journal_commit_entries_count",
    "journal_bytes",
    "journal_pinned_entries",
    "journal_pinned_bytes",
    "journal_bytes_max",
    "journal_pending_entries",
    "journal_oldest_pending_seconds",
    'events_total{outcome="forwarded",type="message.read"}',
    "end_to_end_seconds_count",
    'duplicates_total{type="message.read"}',
    'transactions_total{outcome="committed"}',
    'credential_matches_total{alternative="0",generation="0",source="treble"}',
    "kafka_connected",
    "accepting",
    "connections",
]


async def test_metrics_have_what_happened(start_inside: StartInside, http: aiohttp.ClientSession) -> None:
    sink = ScriptedSink()
    bridge = await start_inside(sink=sink)
    for _ in range(2):
        assert await bridge.post(http) == 200
    assert await bridge.post(http, [1, 2, 3]) == 200

    await bridge.all_forwarded(http)
    assert len(sink.taken) == 2
    found = {series: await bridge.metric(http, series) for series in SERIES}
    assert [series for series, value in found.items() if value is None] == []
    assert found['duplicates_total{type="message.read"}'] == 1
    assert found["journal_pending_entries"] == 0
