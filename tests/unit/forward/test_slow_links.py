"""A backlog over a link that can't take a full slice within the time limit of a call: it drains all the same."""

from collections import Counter
from pathlib import Path

from bridge.settings.models import Settings
from bridge.telemetry import Telemetry
from tests.fakes.client import ClientSink, ScriptedClient
from tests.flow.running import until
from tests.unit.forward.running import shown_as_blocked
from tests.unit.forward.test_forwarder import TOPIC, connecting_to, forwarding
from tests.unit.journal.making import submission

DELIVERED = "treble.message.delivered"
TEXT = "x" * 3000


def impatient(**kafka: object) -> Settings:
    """A tenth of a second for each call."""
    limits = {"call_timeout": "100ms", "request_timeout": "100ms", "transaction_timeout": "1s", "linger": 0}
    return connecting_to("127.0.0.1:1", **{**limits, "batch_entries": 400, **kafka})


def read(number: int) -> str:
    return f'{{"session_id": "s{number}", "read_at": "2026-06-22 15:19:08", "sent_text": "{TEXT}"}}'


def delivered(number: int) -> str:
    return read(number).replace("read_at", "delivered_at")


def keys(client: ScriptedClient, topic: str) -> Counter[bytes]:
    return Counter(key for name, one in client.taken for key in one.keys if name == topic)


async def test_a_backlog_drains_over_a_link_that_takes_a_full_slice_in_many_times_the_limit(
    tmp_path: Path,
) -> None:
    client, telemetry = ScriptedClient(up=False, bytes_per_s=4e6), Telemetry()  # 400 entries need half a second or more
    sink = ClientSink(impatient().kafka, client)
    async with forwarding(tmp_path / "journal", sink, telemetry, impatient()) as (journal, forwarder):
        for number in range(400):
            await journal.append(submission(read(number)))
        client.up = True
        await until(lambda: not journal.usage().pending, "the end of the backlog", 20)
        assert not forwarder.status()["topics_behind"]
    assert keys(client, TOPIC).keys() == {b"s%d" % number for number in range(400)}
    assert sink.sent[:3] == [400, 200, 100]
    assert sink.opened < 12


async def test_topic_queues_that_catch_up_over_a_slow_link_are_at_the_front_when_nothing_is_deferred(
    tmp_path: Path,
) -> None:
    client, telemetry = ScriptedClient(leaderless={TOPIC, DELIVERED}), Telemetry()
    sink = ClientSink(impatient().kafka, client)
    async with forwarding(tmp_path / "journal", sink, telemetry, impatient()) as (journal, forwarder):
        for number in range(100):
            await journal.append(submission(read(number)))
            await journal.append(submission(delivered(number), hint="delivered"))
        await until(lambda: journal.usage().deferred == {TOPIC: 100, DELIVERED: 100}, "all to be deferred")
        client.bytes_per_s = 1e6  # 20 entries or so within the limit
        client.leaderless.clear()
        await until(lambda: not journal.usage().pending, "both topic queues to catch up", 20)
        assert journal.usage().deferred == {}
        await until(lambda: not shown_as_blocked(telemetry), "both topic queues at the front")
        assert not forwarder.status()["topics_behind"]
    for topic in (TOPIC, DELIVERED):
        assert keys(client, topic).keys() == {b"s%d" % number for number in range(100)}


async def test_a_slice_that_got_halfway_over_a_slow_link_blames_no_topic(tmp_path: Path) -> None:
    client, telemetry = ScriptedClient(up=False, bytes_per_s=3e6), Telemetry()
    sink = ClientSink(impatient().kafka, client)
    async with forwarding(tmp_path / "journal", sink, telemetry, impatient()) as (journal, forwarder):
        for number in range(100):
            await journal.append(submission(read(number)))
        client.up = True
        await until(lambda: len(sink.sent) > 1, "the first timeout")
        assert len(client.taken) > 1, "some of it was confirmed"
        assert not forwarder.status()["topics_behind"]
        assert "in time" in forwarder.status()["last_error"]
        await until(lambda: not journal.usage().pending, "the end of the backlog", 20)


async def test_a_slice_with_more_than_a_batch_for_a_partition_shrinks_as_well(tmp_path: Path) -> None:
    """Its later batches wait for the first, and give up before the time limit of the whole."""
    client, telemetry = ScriptedClient(up=False, bytes_per_s=4e6), Telemetry()
    sink = ClientSink(impatient().kafka, client)
    async with forwarding(tmp_path / "journal", sink, telemetry, impatient()) as (journal, _):
        for number in range(400):
            await journal.append(submission(read(1).replace(':08"', f':08.{number:06}"')))
        client.up = True
        await until(lambda: not journal.usage().pending, "the end of the backlog", 20)
    assert sink.sent[:3] == [400, 200, 100]
    assert {topic for topic, _ in client.taken} == {TOPIC}


async def test_a_topic_that_loses_its_leader_under_way_is_blamed_by_what_metadata_says(tmp_path: Path) -> None:
    client, telemetry = ScriptedClient(up=False, stuck={TOPIC}), Telemetry()
    sink = ClientSink(impatient().kafka, client)
    async with forwarding(tmp_path / "journal", sink, telemetry, impatient()) as (journal, _):
        await journal.append(submission(read(1)))
        await journal.append(submission(delivered(1), hint="delivered"))
        client.up = True
        await until(lambda: sink.sent, "the sending")
        client.leaderless.add(TOPIC)
        await until(lambda: journal.usage().deferred == {TOPIC: 1}, "the topic queue to wait")
        assert shown_as_blocked(telemetry) == {TOPIC: "leaderless"}
        client.leaderless.clear()
        client.stuck.clear()
        await until(lambda: not journal.usage().pending, "the topic queue to catch up")
    assert keys(client, DELIVERED).keys() == {b"s1"}


async def test_commits_make_slices_as_large_as_configured_again(tmp_path: Path) -> None:
    client, telemetry = ScriptedClient(up=False, bytes_per_s=4e6), Telemetry()
    sink = ClientSink(impatient().kafka, client)
    async with forwarding(tmp_path / "journal", sink, telemetry, impatient()) as (journal, forwarder):
        for number in range(1000):
            await journal.append(submission(read(number)))
        client.up = True
        await until(lambda: sink.sent[-1:] and sink.sent[-1] < 100, "small slices")
        assert forwarder.status()["slice_entries"] < 200
        client.bytes_per_s = 1e12
        await until(lambda: not journal.usage().pending, "the end of the backlog", 20)
        assert forwarder.status()["slice_entries"] == 400
