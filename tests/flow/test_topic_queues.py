"""A topic that can't take records holds up its own topic queue and no other."""

import aiohttp

from tests.fakes.sink import ScriptedSink
from tests.flow.conftest import StartInside
from tests.flow.running import until, webhook

READ, DELIVERED = "treble.message.read", "treble.message.delivered"
QUICK = {"topic_retry_interval": "50ms", "backoff": "20ms", "backoff_max": "100ms"}


async def test_a_blocked_topic_is_paused_alone_and_catches_up_in_order(
    start_inside: StartInside, http: aiohttp.ClientSession
) -> None:
    sink = ScriptedSink(blocked={DELIVERED})
    bridge = await start_inside(sink=sink, kafka={**QUICK, "batch_entries": 5})
    for number in range(40):
        assert await bridge.post(http, webhook("s", read_at=f"2026-06-22 15:00:{number:02}")) == 200
        body = webhook("s", delivered_at=f"2026-06-22 15:00:{number:02}")
        del body["read_at"]
        assert await bridge.post(http, body, path="/webhooks/treble/delivered") == 200
    await bridge.all_forwarded(http, but=40)
    await until(lambda: bridge.service.health.stages.journal.usage().deferred == {DELIVERED: 40}, "what waits")
    assert len(sink.taken) == 40
    assert {record.topic for record in sink.taken} == {READ}
    status = (await bridge.get(http, "/status"))[1]
    assert status["journal"]["deferred"] == {DELIVERED: 40}
    assert status["paused_topics"] == {DELIVERED: "missing"}

    sink.blocked.clear()
    await bridge.all_forwarded(http)
    late = [dict(r.headers)["ce_time"] for r in sink.taken if r.topic == DELIVERED]
    assert late == [b"2026-06-22T15:00:%02d.000000Z" % number for number in range(40)]
    await until(lambda: bridge.log.lines("topic.resumed"), "the line")
    assert len(bridge.log.lines("topic.paused")) == len(bridge.log.lines("topic.resumed")) == 1


async def test_a_paused_topic_is_still_there_after_a_restart(
    start_inside: StartInside, http: aiohttp.ClientSession
) -> None:
    sink = ScriptedSink(blocked={READ})
    bridge = await start_inside(sink=sink, kafka=QUICK)
    for number in range(10):
        assert await bridge.post(http, webhook(f"s-{number}")) == 200
    await until(lambda: bridge.log.lines("topic.paused"), "the topic queue")
    await bridge.end()
    second = ScriptedSink()
    again = await start_inside(bridge.config, sink=second)
    await again.all_forwarded(http)
    assert [record.key for record in second.taken] == [b"s-%d" % number for number in range(10)]
    assert sink.taken == []


async def test_quarantine_is_a_topic_queue_as_well(start_inside: StartInside, http: aiohttp.ClientSession) -> None:
    sink = ScriptedSink(blocked={"treble.quarantine"})
    bridge = await start_inside(sink=sink, kafka=QUICK)
    assert await bridge.post(http, ["not", "an", "object"]) == 200
    assert await bridge.post(http, webhook()) == 200
    await until(lambda: sink.taken, "the event")
    assert [record.topic for record in sink.taken] == [READ]
    sink.blocked.clear()
    await bridge.all_forwarded(http)
    assert [record.topic for record in sink.taken] == [READ, "treble.quarantine"]
