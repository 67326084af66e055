"""Inside the window, the same webhook becomes one event; whatever was in between."""

import asyncio
from typing import Any

import aiohttp
import pytest

from tests.fakes.sink import ScriptedSink
from tests.flow.conftest import StartInside
from tests.flow.running import webhook


async def test_copies_at_the_same_moment_and_after_a_restart_go_out_once(
    start_inside: StartInside, http: aiohttp.ClientSession
) -> None:
    sink, second = ScriptedSink(), ScriptedSink()
    bridge = await start_inside(sink=sink)
    statuses = await asyncio.gather(*(bridge.post(http, webhook(f"s-{n % 20}")) for n in range(60)))
    assert set(statuses) == {200}
    await bridge.all_forwarded(http)
    assert sorted(record.key for record in sink.taken) == sorted(b"s-%d" % n for n in range(20))
    await bridge.end()

    again = await start_inside(bridge.config, sink=second)
    assert await again.post(http, webhook("s-3")) == 200
    assert await again.post(http, webhook("new")) == 200
    await again.all_forwarded(http)
    assert [record.key for record in second.taken] == [b"new"]
    assert await again.metric(http, 'duplicates_total{type="message.read"}') == 1


@pytest.mark.parametrize(
    ("duplicates", "marks"),
    [
        ({"window": "0"}, [False, False]),
        ({"action": "mark"}, [False, True]),
        ({"action": "drop"}, [False]),
    ],
)
async def test_the_window_may_be_off_and_copies_may_be_marked(
    start_inside: StartInside, http: aiohttp.ClientSession, duplicates: dict[str, Any], marks: list[bool]
) -> None:
    sink = ScriptedSink()
    bridge = await start_inside(sink=sink, duplicates=duplicates)
    for _ in range(2):
        assert await bridge.post(http, webhook()) == 200
        await bridge.all_forwarded(http)
    assert [dict(record.headers).get("treble_duplicate") == b"true" for record in sink.taken] == marks
    counted = await bridge.metric(http, 'duplicates_total{type="message.read"}')
    assert (counted or 0) == (0 if duplicates.get("window") == "0" else 1)


async def test_events_that_differ_in_time_question_or_session_are_no_copies(
    start_inside: StartInside, http: aiohttp.ClientSession
) -> None:
    sink = ScriptedSink()
    bridge = await start_inside(sink=sink)
    bodies = [
        webhook("a"),
        webhook("b"),
        webhook("a", read_at="2026-06-22 15:19:09"),
        webhook("a", question={"type": "open", "text": "another"}),
        webhook("a", conversation_id=7),
    ]
    for body in bodies:
        assert await bridge.post(http, body) == 200
    await bridge.all_forwarded(http)
    assert len({dict(record.headers)["ce_id"] for record in sink.taken}) == len(bodies)
