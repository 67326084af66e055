"""A webhook that was answered 200 is on stable storage, whatever happens to the process next."""

import asyncio

import aiohttp

from bridge.journal.offline.inspect import Filter, list_entries
from tests.fakes.sink import ScriptedSink
from tests.flow.conftest import StartInside, StartProcess
from tests.flow.running import until, webhook


async def test_after_a_kill_the_journal_holds_each_answered_webhook_once_and_in_order(
    start_process: StartProcess, http: aiohttp.ClientSession
) -> None:
    bridge = start_process()
    await bridge.started()
    answered = 0
    for _ in range(10):
        statuses = await asyncio.gather(*(bridge.post(http, webhook(f"s-{answered + i}")) for i in range(20)))
        assert set(statuses) == {200}
        answered += len(statuses)
    bridge.kill()
    entries = list_entries(bridge.config.parent / "journal", Filter(), None)
    assert [entry.id for entry in entries] == list(range(1, answered + 1))

    again = start_process(bridge.config)
    await again.started()
    assert await again.pending(http) == answered


async def test_arrival_order_is_kept_through_outages(start_inside: StartInside, http: aiohttp.ClientSession) -> None:
    sink = ScriptedSink()
    bridge = await start_inside(sink=sink, kafka={"backoff": "20ms", "backoff_max": "50ms", "batch_entries": 7})
    for number in range(90):
        sink.up = number // 15 % 2 == 0
        assert await bridge.post(http, webhook("one", read_at=f"2026-06-22 15:19:{number % 60:02}.{number:06}")) == 200
    sink.up = True
    await bridge.all_forwarded(http)
    assert [record.timestamp_ms for record in sink.taken] == sorted(record.timestamp_ms for record in sink.taken)
    times = [dict(record.headers)["ce_time"] for record in sink.taken]
    assert [time[-7:-1] for time in times] == [b"%06d" % number for number in range(90)]


async def test_forwarded_entries_stay_for_retain_and_go_then(
    start_inside: StartInside, http: aiohttp.ClientSession
) -> None:
    sink = ScriptedSink()
    bridge = await start_inside(sink=sink, journal={"retain": "0"})
    for number in range(30):
        assert await bridge.post(http, webhook(f"s-{number}")) == 200
    await bridge.all_forwarded(http)
    assert len(sink.taken) == 30
    journal = bridge.service.health.stages.journal
    await until(lambda: journal.usage().entries == 0, "the retention")


async def test_a_damaged_journal_is_refused_with_the_file_and_the_way_to_rescue_it(
    start_process: StartProcess, http: aiohttp.ClientSession
) -> None:
    bridge = start_process()
    await bridge.started()
    for number in range(200):
        assert await bridge.post(http, webhook(f"s-{number}")) == 200
    bridge.kill()
    folder = bridge.config.parent / "journal"
    (folder / "journal.db-wal").unlink(missing_ok=True)
    (folder / "journal.db").write_bytes(b"\x00garbage" * 2000)
    again = start_process(bridge.config)
    assert await again.ended() == 4
    assert str(folder) in again.log.text
    assert "journal salvage" in again.log.text
    await until(lambda: not again.running, "the end")
