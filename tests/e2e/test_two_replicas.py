"""Two replicas behind HAProxy, one of them killed: no call fails, nothing is lost, what comes twice has one id."""

import asyncio
import contextlib
import itertools
import re
import sqlite3
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import orjson
import pytest

from bridge.journal.offline.inspect import reading
from tests.e2e.bridge_process import Bridge
from tests.e2e.conftest import MakeBridge
from tests.e2e.delivered import name_of
from tests.e2e.load import UNANSWERED, Load, Name, Webhook, webhook
from tests.e2e.proxy import Proxy, haproxy, proxying
from tests.kafka_broker import Broker, ReadRecord, read_records

pytestmark = pytest.mark.kafka

PAGE = Path(__file__).parents[2] / "docs" / "scaling.md"
TYPE = "message.read"
ACCEPTED = 'requests_total{outcome="accepted",source="treble"}'
CONNECTIONS, SESSIONS_EACH = 12, 4


class Replicas(NamedTuple):
    """Two bridges with the same topics, and the proxy before them."""

    first: Bridge
    second: Bridge
    proxy: Proxy

    async def records(self) -> list[ReadRecord]:
        """What is on Kafka when both have forwarded all that they took."""
        await self.first.drained()
        await self.second.drained()
        records = await read_records(self.first.bootstrap, self.first.topic(TYPE))
        return sorted(records, key=lambda record: (record.partition, record.offset))


@contextlib.asynccontextmanager
async def running(make_bridge: MakeBridge, folder: Path, **second_only: dict[str, Any]) -> AsyncIterator[Replicas]:
    """Both started and connected; with sections for the second one alone, that one is only started."""
    haproxy()
    first = make_bridge()
    second = make_bridge(
        topics={"default": first.topic("{event_type}"), "quarantine": first.quarantine},
        kafka={"positions_topic": first.positions_topic},
    )
    second.configure(**second_only)
    await asyncio.gather(first.start(), second.start())
    await asyncio.gather(*(one.connected() for one in ([first] if second_only else [first, second])))
    async with proxying(first, second, folder) as proxy:
        yield Replicas(first, second, proxy)


def endless(connection: int) -> Iterator[Webhook]:
    for number in itertools.count():
        for session in range(SESSIONS_EACH):
            yield webhook(f"s-{connection}-{session}", number, TYPE)


class RetryingOnce(Load):
    """A client that sends a webhook once more when the connection broke, and never a third time."""

    async def in_order_with_a_retry(self, *streams: Iterator[Webhook]) -> None:
        """As `in_order`; a webhook without an answer comes twice in its stream."""
        await self.in_order(*(self._again(stream) for stream in streams))

    def _again(self, stream: Iterator[Webhook]) -> Iterator[Webhook]:
        for one in stream:
            seen = len(self.answers)
            yield one
            if any(answer.webhook is one and answer.status == UNANSWERED for answer in self.answers[seen:]):
                yield one


async def test_one_of_two_is_killed_under_load_no_call_fails_and_each_replica_delivers_what_it_took_once(
    make_bridge: MakeBridge, tmp_path: Path
) -> None:
    async with running(make_bridge, tmp_path) as both:
        first, second = both.first, both.second
        load = RetryingOnce(both.proxy.port)
        sending = asyncio.create_task(load.in_order_with_a_retry(*map(endless, range(CONNECTIONS))))
        await load.acknowledged(800)
        second.kill()
        await both.proxy.noticed(1, "DOWN")
        await load.acknowledged(len(load.names()) + 800)
        await second.start()
        await both.proxy.noticed(1, "UP")
        taken = await second.metric(ACCEPTED)
        await load.acknowledged(len(load.names()) + 800)
        load.enough()
        await sending
        assert await second.metric(ACCEPTED) > taken, "it is back"

        called = Counter(answer.webhook.name for answer in load.answers)
        assert max(called.values()) <= 2
        assert load.statuses() <= {200, UNANSWERED}, "no call was answered with an error"
        assert load.names() == set(called), "each call got its 200, the first time or by its one retry"

        # A client that tries again may meet the other replica.
        retried = webhook("s-retried", 99, TYPE)
        for port in (first.port, second.port, first.port, both.proxy.port):
            assert await Load(port).at_once(retried) == [200]
        records = await both.records()
        await asyncio.gather(first.stop(), second.stop())

    on_kafka = [name_of(record) for record in records]
    took = [stored(first), stored(second)]
    expected = Counter(name for one in took for name in dict.fromkeys(one))
    assert Counter(on_kafka) == expected, "each replica delivers what it took exactly once"
    assert set(on_kafka) == {*load.names(), retried.name}, "and nothing that was acknowledged is missing"
    assert expected[retried.name] == 2, "a replica knows its own copies, not those of the other"
    by_id = {record.headers["ce_id"]: name_of(record) for record in records}
    assert len(by_id) == len(set(on_kafka)), "a webhook has one id, whichever replica delivers it"
    assert_in_order_of_each_replica(on_kafka, took)
    assert_a_conversation_stays_while_the_replicas_stay(took)
    assert_a_consumer_that_upserts_by_id_counts_each_once(records)


def stored(replica: Bridge) -> list[Name]:
    """What is in a replica's journal, in the order in which it came."""
    with reading(replica.journal) as database:
        bodies = [orjson.loads(body) for (body,) in database.execute("SELECT body FROM entries ORDER BY id")]
    return [Name(TYPE, body["session_id"], int(body["user_session_keys"][0]["value"])) for body in bodies]


def assert_in_order_of_each_replica(on_kafka: list[Name], took: list[list[Name]]) -> None:
    """The events of a key that one replica alone delivered are in the order in which it took them."""
    both = set(took[0]) & set(took[1])
    for one in took:
        mine = set(one) - both
        for session in {name.session for name in mine}:
            came = [name for name in dict.fromkeys(one) if name in mine and name.session == session]
            assert [name for name in on_kafka if name in mine and name.session == session] == came


def assert_a_conversation_stays_while_the_replicas_stay(took: list[list[Name]]) -> None:
    """Until the kill, each conversation was on one replica, and both had some."""
    early = [{name.session for name in one if name.number < 10} for one in took]
    assert not early[0] & early[1]
    assert all(early)


def assert_a_consumer_that_upserts_by_id_counts_each_once(records: list[ReadRecord]) -> None:
    """What docs/scaling.md gives consumers, on what the two replicas delivered."""
    (table, upsert) = re.findall(r"^```sql\n(.*?)^```", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    with contextlib.closing(sqlite3.connect(":memory:")) as database:
        database.execute(table)
        inserted = 0
        for record in records:
            ce = {name: record.headers[f"ce_{name}"].decode() for name in ("source", "type", "id", "time")}
            inserted += database.execute(upsert, {**ce, "event": (record.value or b"").decode()}).rowcount
        assert database.execute("SELECT count(*) FROM treble_events").fetchone() == (inserted,)
        assert inserted == len({name_of(record) for record in records}) < len(records)


async def test_what_a_full_replica_answers_503_the_other_one_takes(
    make_bridge: MakeBridge, tmp_path: Path, kafka: Broker
) -> None:
    # Nothing can leave the second one: it fills up, and answers 503 from then on.
    closed: dict[str, Any] = {"kafka": {"bootstrap_servers": ["127.0.0.1:9"]}, "journal": {"max_bytes": "1MiB"}}
    async with running(make_bridge, tmp_path, **closed) as both:
        full = both.second
        load = Load(both.proxy.port)
        sending = asyncio.create_task(load.in_order(*(map(padded, endless(one)) for one in range(CONNECTIONS))))
        await both.proxy.noticed(1, "DOWN")
        load.enough()
        await sending
        assert load.statuses() == {200}
        refused = await full.metric('requests_total{outcome="not_accepted",source="treble"}')
        assert refused > 0, "some met it when it was full"
        assert both.proxy.lines(r"bridges/bridge-0 200 .* retries=\+"), "and were taken by the other one"
        full.configure(kafka={"bootstrap_servers": [kafka.bootstrap]}, journal={"max_bytes": "1GiB"})
        await full.restart()
        assert {name_of(record) for record in await both.records()} == load.names()


def padded(one: Webhook) -> Webhook:
    """The same with a large body, which fills a journal soon."""
    return replace(one, body=one.body[:-1] + b',"padding":"' + b"-" * 6000 + b'"}')
