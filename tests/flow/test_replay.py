"""What is forwarded again by hand is what it was: same id, same times, whenever that is."""

import itertools
import time
from pathlib import Path

import aiohttp
import orjson

from bridge.journal.offline.replay import replay
from tests.fakes.sink import ScriptedSink
from tests.flow.conftest import StartInside

OPT_OUT = {"session_id": "s-1", "reason": "OPTOUT"}
DAY_MS = 86_400_000


async def test_an_event_that_is_replayed_again_and_again_has_the_time_at_which_it_arrived(
    start_inside: StartInside, http: aiohttp.ClientSession, tmp_path: Path
) -> None:
    sink = ScriptedSink()
    bridge = await start_inside(sink=sink)
    assert await bridge.post(http, OPT_OUT, path="/webhooks/treble/opt-out") == 200
    await bridge.all_forwarded(http)
    await bridge.end()
    for entry_id in (1, 2):  # entry 2 is the copy of entry 1
        sink = ScriptedSink()
        done = replay(
            tmp_path / "journal", [entry_id], again=True, originals_only=False, clock_ms=lambda: _now_ms() + DAY_MS
        )
        assert [one.new_id for one in done] == [entry_id + 1]
        bridge = await start_inside(bridge.config, sink=sink)
        await bridge.all_forwarded(http)
        await bridge.end()
        (record,) = sink.taken
        value = orjson.loads(record.value)
        assert value["occurred_at"] == value["received_at"] == dict(record.headers)["ce_time"].decode()
        assert record.timestamp_ms < _now_ms()
        assert dict(record.headers)["treble_replay"] == b"%d" % entry_id


async def test_a_replay_without_again_is_pinned_against_the_window_by_its_own_time(
    start_inside: StartInside, http: aiohttp.ClientSession, tmp_path: Path
) -> None:
    first = ScriptedSink()
    bridge = await start_inside(sink=first)
    assert await bridge.post(http, OPT_OUT, path="/webhooks/treble/opt-out") == 200
    await bridge.all_forwarded(http)
    await bridge.end()
    for later_ms, sent in ((0, []), (2 * DAY_MS, first.taken)):  # within the window of 24 h, and after it
        at_ms, sink = _now_ms() + later_ms, ScriptedSink()
        done = replay(
            tmp_path / "journal", [1], again=False, originals_only=True, clock_ms=itertools.repeat(at_ms).__next__
        )
        assert [one.outcome for one in done] == ["copied"]
        bridge = await start_inside(bridge.config, sink=sink)
        await bridge.all_forwarded(http)
        await bridge.end()
        assert [record.value for record in sink.taken] == [record.value for record in sent]


async def test_an_event_that_went_out_as_the_wrong_type_goes_out_as_the_right_one_under_the_right_hint(
    start_inside: StartInside, http: aiohttp.ClientSession, tmp_path: Path
) -> None:
    sink = ScriptedSink()
    bridge = await start_inside(sink=sink)
    assert await bridge.post(http, {"session_id": "s-1"}, path="/webhooks/treble/delivered") == 200
    await bridge.all_forwarded(http)
    await bridge.end()
    assert [record.topic for record in sink.taken] == ["treble.message.delivered"]
    right = ScriptedSink()
    for _ in range(2):  # the second copy is a duplicate of the first
        list(replay(tmp_path / "journal", [1], again=False, originals_only=True, clock_ms=_now_ms, hint="read"))
        bridge = await start_inside(bridge.config, sink=right)
        await bridge.all_forwarded(http)
        await bridge.end()
    (record,) = right.taken
    assert (record.topic, dict(record.headers)["treble_replay"]) == ("treble.message.read", b"1")
    assert orjson.loads(record.value)["received_at"] == orjson.loads(sink.taken[0].value)["received_at"]


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
