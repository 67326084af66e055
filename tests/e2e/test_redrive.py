"""The way back from the quarantine, on a real broker: what passes by now goes out once, whatever happens in between."""

import asyncio
import json
import random
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest
import yaml
from aiokafka import AIOKafkaProducer
from click.testing import CliRunner, Result

from bridge.cli import cli
from bridge.errors import ExitCode, FencedError, SinkTimeoutError
from bridge.forward.redrive import DeadLetter, Redrive
from bridge.kafka.producer import Producer
from bridge.settings.models import Settings
from bridge.transform.prepare import Preparer
from tests.e2e.bridge_process import Bridge
from tests.e2e.conftest import MakeBridge
from tests.e2e.endless import coordinator_not_asked, send_outside_of_any_transaction
from tests.flow.running import TOKEN
from tests.kafka_broker import Broker, ReadRecord, create_topics, delete_topics, read_records, unique
from tests.unit.webhooks import RECEIVED_AT_MS, entry, settings

pytestmark = pytest.mark.kafka

SURVEY = {"session_id": "s1", "survey": {"id": "q9"}}
EVENTS = {"survey.answered": {"when": {"survey.id": "*"}}}
EVERY: Callable[[DeadLetter], bool] = lambda _: True  # noqa: E731 - it reads as the argument it is


class Place:
    """Topics that no other test uses, and configurations for them."""

    def __init__(self, bootstrap: str) -> None:
        self.bootstrap, self.prefix = bootstrap, unique("redrive")
        self.quarantine, self.answered = f"{self.prefix}.quarantine", f"{self.prefix}.survey.answered"

    def sections(self, **more: Any) -> dict[str, Any]:
        """Sections of a configuration."""
        return {
            "kafka": {
                "bootstrap_servers": [self.bootstrap],
                "positions_topic": f"{self.prefix}.positions",
                "transactional_id_prefix": f"{self.prefix}-",
            },
            "topics": {
                "default": f"{self.prefix}.{{event_type}}",
                "quarantine": self.quarantine,
                "replication_factor": 1,
                "partitions": 3,
            },
            **more,
        }

    def settings(self, **more: Any) -> Settings:
        """The same, validated."""
        return settings(**self.sections(**more))

    def file(self, folder: Path, **more: Any) -> str:
        """The same, as a file."""
        path = folder / "bridge.yaml"
        path.write_text(yaml.safe_dump({"sources": {"treble": {"auth": "none"}}, **self.sections(**more)}))
        return str(path)

    async def quarantined(self, *bodies: Any, **more: Any) -> None:
        """Put bodies into the quarantine, as a bridge does that doesn't know them."""
        preparer = Preparer(self.settings(**more), "j1")
        async with AIOKafkaProducer(bootstrap_servers=self.bootstrap, max_request_size=8 << 20) as producer:
            for number, body in enumerate(bodies, 1):
                made = preparer.prepare(entry(body, entry_id=number)).record
                assert made is not None
                await producer.send_and_wait(
                    made.topic, made.value, key=made.key, headers=list(made.headers), timestamp_ms=made.timestamp_ms
                )

    async def answers(self) -> list[ReadRecord]:
        """The events that went out."""
        return await read_records(self.bootstrap, self.answered)

    def redrive(self, **more: Any) -> Redrive:
        """A run by a configuration that knows surveys."""
        knowing = self.settings(**{"events": EVENTS, **more})
        return Redrive(knowing, Preparer(knowing, ""), EVERY)


@pytest.fixture
async def place(kafka: Broker) -> Place:
    here = Place(kafka.bootstrap)
    await create_topics(kafka.bootstrap, here.quarantine, here.answered, f"{here.prefix}.message.read", partitions=3)
    return here


async def outcomes(run: Redrive) -> list[str]:
    return [done.outcome async for done in run.run()]


def call(*arguments: str) -> Result:
    return CliRunner().invoke(cli, ["quarantine", *arguments])


async def test_what_passes_goes_out_as_it_would_have_and_a_second_run_adds_nothing(place: Place) -> None:
    await place.quarantined(SURVEY, {"hello": "world"})
    assert sorted(await outcomes(place.redrive())) == ["redriven", "still"]
    (event,) = await place.answers()
    knowing = Preparer(place.settings(events=EVENTS), "j1")
    direct = knowing.prepare(entry(SURVEY)).record
    assert direct is not None
    assert (event.value, event.key, event.timestamp_ms) == (direct.value, direct.key, RECEIVED_AT_MS)
    assert event.headers == {**dict(direct.headers), "treble_redriven": b"true"}
    assert sorted(await outcomes(place.redrive())) == ["already", "still"]
    assert len(await place.answers()) == 1


async def test_the_right_hint_makes_an_event_of_what_came_by_a_url_without_one(place: Place, tmp_path: Path) -> None:
    await place.quarantined({"session_id": "s-1", "country_code": "+57", "cellphone": "3005550134"}, SURVEY)
    chosen = ("redrive", "--config", place.file(tmp_path), "--all", "--hint", "read")
    topic = f"{place.prefix}.message.read"
    rehearsed = await asyncio.to_thread(call, *chosen, "--dry-run")
    assert rehearsed.stdout.count(f"{topic}, as message.read") == 2
    assert await read_records(place.bootstrap, topic) == []
    assert (await asyncio.to_thread(call, *chosen)).exit_code == ExitCode.OK
    assert (await asyncio.to_thread(call, *chosen)).stdout == "", "both went out before"
    records = await read_records(place.bootstrap, topic)
    assert {orjson.loads(record.value or b"")["type"] for record in records} == {"message.read"}
    assert len(records) == 2


async def test_what_its_topic_finds_too_old_goes_out_with_the_time_of_sending(place: Place) -> None:
    await delete_topics(place.bootstrap, place.answered)
    config = {"message.timestamp.before.max.ms": "3600000"}
    await create_topics(place.bootstrap, place.answered, partitions=3, config=config)
    await place.quarantined(SURVEY)
    began_ms = time.time_ns() // 1_000_000
    assert await outcomes(place.redrive()) == ["redriven"]
    (event,) = await place.answers()
    assert event.timestamp_ms >= began_ms > RECEIVED_AT_MS
    assert await outcomes(place.redrive()) == ["already"]


async def test_a_webhook_that_was_quarantined_twice_goes_out_once(place: Place) -> None:
    await place.quarantined(SURVEY, SURVEY, {**SURVEY, "survey": {"id": "q10"}})
    assert sorted(await outcomes(place.redrive())) == ["redriven", "redriven", "twin"]
    assert len(await place.answers()) == 2
    assert await outcomes(place.redrive()) == ["already"] * 3


async def test_what_a_run_before_left_without_an_end_is_ended_and_goes_out_once(place: Place) -> None:
    await place.quarantined(SURVEY)
    before = place.redrive()
    await before._connect()
    assert before._producer is not None
    inner = before._producer._inner
    async with coordinator_not_asked(place.bootstrap):
        await inner.begin_transaction()
        for topic in (place.answered, place.quarantine):
            for partition in range(3):
                await send_outside_of_any_transaction(inner, topic, b"without an end", partition=partition)
    await before._disconnect(healthy=False)
    assert await outcomes(place.redrive()) == ["redriven"]
    assert len(await place.answers()) == 1
    assert await outcomes(place.redrive()) == ["already"]


async def test_a_run_that_dies_after_the_commit_is_not_repeated(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    await place.quarantined(SURVEY)
    deliver = Producer.deliver

    async def lost(self: Producer, batches: Any) -> list[int]:
        await deliver(self, batches)
        raise SinkTimeoutError("no answer")

    with monkeypatch.context() as patch:
        patch.setattr(Producer, "deliver", lost)
        with pytest.raises(SinkTimeoutError):
            await outcomes(place.redrive())
    assert await outcomes(place.redrive()) == ["already"]
    assert len(await place.answers()) == 1


async def test_a_run_that_dies_before_the_commit_leaves_nothing_and_is_made_good(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    await place.quarantined(SURVEY)
    with monkeypatch.context() as patch:

        async def gone(*_: Any, **__: Any) -> None:
            """A dead process closes nothing: its transaction stays open."""

        async def stop(*_: Any, **__: Any) -> None:
            patch.setattr("aiokafka.AIOKafkaProducer.abort_transaction", gone)
            raise SinkTimeoutError("killed here")

        patch.setattr("aiokafka.AIOKafkaProducer.commit_transaction", stop)
        with pytest.raises(SinkTimeoutError):
            await outcomes(place.redrive())
    assert await outcomes(place.redrive()) == ["redriven"]
    assert len(await place.answers()) == 1


async def test_two_runs_at_once_forward_each_record_once(place: Place) -> None:
    bodies = [{**SURVEY, "survey": {"id": number}} for number in range(40)]
    await place.quarantined(*bodies)
    await asyncio.gather(*(outcomes(place.redrive()) for _ in range(2)), return_exceptions=True)
    await outcomes(place.redrive())
    sent = [orjson.loads(record.value or b"")["data"]["survey"]["id"] for record in await place.answers()]
    assert sorted(sent) == list(range(40))


async def test_a_run_that_is_overtaken_ends_and_says_so(place: Place) -> None:
    await place.quarantined(SURVEY)
    first = place.redrive()
    await first._connect()
    assert await outcomes(place.redrive()) == ["redriven"]
    first._connect = lambda: asyncio.sleep(0)  # type: ignore[method-assign] # as if it had been paused until now
    first._marks.places.clear()
    await place.quarantined({**SURVEY, "survey": {"id": "later"}})
    with pytest.raises(FencedError):
        await outcomes(first)
    assert len(await place.answers()) == 1


async def test_a_mark_behind_an_open_transaction_is_waited_for(place: Place) -> None:
    await place.quarantined(SURVEY)
    async with AIOKafkaProducer(bootstrap_servers=place.bootstrap, transactional_id=unique("other")) as other:
        await other.begin_transaction()
        for partition in range(3):
            await other.send_and_wait(place.quarantine, b"{}", key=b"x", partition=partition)
        # The record itself lies before the open transaction, its mark behind: read committed shows only the first.
        first = asyncio.create_task(outcomes(place.redrive()))
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(asyncio.shield(first), 1.5)
        await other.commit_transaction()
        assert await first == ["redriven"]
    assert await outcomes(place.redrive()) == ["already"]
    assert len(await place.answers()) == 1


async def test_a_topic_that_is_missing_holds_up_its_own_records_only(place: Place) -> None:
    await place.quarantined(SURVEY, {"session_id": "s3", "other": 1})
    events = {**EVENTS, "other": {"when": {"other": "*"}, "topic": f"{place.prefix}.made.later"}}
    found = {done.outcome: done.detail async for done in place.redrive(events=events).run()}
    assert found.keys() == {"redriven", "blocked"}
    assert "made.later" in found["blocked"]
    await create_topics(place.bootstrap, f"{place.prefix}.made.later")
    assert sorted(await outcomes(place.redrive(events=events))) == ["already", "redriven"]


async def test_what_kafka_refuses_stays_and_does_not_hold_up_the_others(place: Place) -> None:
    small = f"{place.prefix}.small"
    await create_topics(place.bootstrap, small, config={"max.message.bytes": "3000"})
    noise = random.Random(7).randbytes(5_000).hex()  # compresses to half, and no further
    large = {"session_id": "s1", "survey": {"id": noise}}
    await place.quarantined(large, SURVEY, large)
    events = {"survey.answered": {"when": {"survey.id": "*"}, "topic": small}}
    assert sorted(await outcomes(place.redrive(events=events))) == ["redriven", "rejected", "rejected"]
    assert len(await read_records(place.bootstrap, small)) == 1
    assert sorted(await outcomes(place.redrive())) == ["already", "redriven", "twin"], "a larger topic takes it"


async def test_a_large_body_comes_back_whole_and_foreign_records_are_passed_over(kafka: Broker) -> None:
    place = Place(kafka.bootstrap)
    await create_topics(
        kafka.bootstrap, place.quarantine, place.answered, partitions=3, config={"max.message.bytes": str(8 << 20)}
    )
    large = {**SURVEY, "noise": random.Random(7).randbytes(1 << 20).hex()}
    await place.quarantined(large)
    async with AIOKafkaProducer(bootstrap_servers=place.bootstrap) as other:
        for headers in ([], [("treble_redriven", b"x")], [("treble_redriven", b"0@0")]):
            await other.send_and_wait(place.quarantine, b"not ours", headers=headers)
    assert await outcomes(place.redrive()) == ["redriven"]
    (event,) = await place.answers()
    assert orjson.loads(event.value or b"")["data"] == large


async def test_the_commands_list_show_and_redrive(place: Place, tmp_path: Path) -> None:
    await place.quarantined(SURVEY, {"hello": "world"})
    before, after = place.file(tmp_path), None
    listed = await asyncio.to_thread(call, "ls", "--config", before, "--json")
    rows = [json.loads(line) for line in listed.stdout.splitlines()]
    assert [(row["reason"], row["redriven"], row["source"]) for row in rows] == [("unclassified", False, "treble")] * 2
    survey = next(row for row in rows if row["raw_bytes"] == len(orjson.dumps(SURVEY)))
    shown = await asyncio.to_thread(call, "show", survey["id"][:10], "--config", before, "--raw")
    assert shown.stdout_bytes == orjson.dumps(SURVEY)
    record = await asyncio.to_thread(call, "show", survey["place"], "--config", before, "--json")
    file = tmp_path / "record.json"
    file.write_text(record.stdout)
    after = place.file(tmp_path, events=EVENTS)
    explained = CliRunner().invoke(cli, ["explain", "--config", after, "--record", str(file)])
    assert (explained.exit_code, f"quarantine redrive {survey['id']}" in explained.stdout) == (0, True)
    rehearsed = await asyncio.to_thread(call, "redrive", survey["place"], "--config", after, "--dry-run", "--json")
    assert (json.loads(rehearsed.stdout)["outcome"], rehearsed.exit_code) == ("redriven", 0)
    assert await place.answers() == []
    done = await asyncio.to_thread(call, "redrive", survey["id"], "--config", after)
    assert (done.exit_code, f"forwarded: {place.answered}" in done.stdout) == (0, True)
    assert len(await place.answers()) == 1
    every = await asyncio.to_thread(call, "redrive", "--all", "--config", after)
    assert (every.exit_code, every.stdout.count("still not understood")) == (ExitCode.MISMATCH, 1)
    table = await asyncio.to_thread(call, "ls", "--config", after, "--reason", "unclassified")
    assert table.stdout.count("unclassified") == 2
    assert table.stdout.count("yes") == 1
    for wrong in (["redrive"], ["redrive", "x", "--all"]):
        assert (await asyncio.to_thread(call, *wrong, "--config", after)).exit_code == ExitCode.USAGE
    absent = await asyncio.to_thread(call, "show", "none", "--config", after)
    assert absent.exit_code == ExitCode.MISMATCH


async def test_a_body_that_the_record_does_not_hold_comes_from_the_journal(make_bridge: MakeBridge) -> None:
    bridge = make_bridge(privacy={"topics": {"*": {"raw": "drop"}}})
    await bridge.start()
    await _post(bridge, SURVEY)
    await bridge.drained()
    assert await bridge.stop() == 0
    bridge.configure(privacy={"topics": {"*": {"raw": "drop"}}}, events=EVENTS)
    await create_topics(bridge.bootstrap, bridge.topic("survey.answered"), partitions=3)
    done = await asyncio.to_thread(call, "redrive", "--all", "--config", str(bridge.config))
    assert done.exit_code == 0, done.output
    (event,) = await read_records(bridge.bootstrap, bridge.topic("survey.answered"))
    assert orjson.loads(event.value or b"")["data"] == SURVEY


async def _post(bridge: Bridge, body: Any) -> None:
    headers = {"Authorization": f"Bearer {TOKEN}"}
    async with bridge._http.post(
        f"http://127.0.0.1:{bridge.port}/webhooks/treble", json=body, headers=headers
    ) as answer:
        assert answer.status == 200
