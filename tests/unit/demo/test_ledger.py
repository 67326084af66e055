"""The demo's books add up when all is well, and say what is wrong when it is not."""

import datetime as dt
import itertools
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
import pytest

from bridge.catalogue.samples import Posting, Wish, conversation, malformed, reads, unauthorized
from bridge.demo.plan import Ledger, Plan, Verdict
from bridge.demo.posting import Outcome
from bridge.kafka.consumer import Incoming

NOW = dt.datetime(2026, 6, 22, 15, 0, tzinfo=dt.UTC)
WISH = Wish(("message.read",), 3, 1, at=NOW)


def plan(*, real: bool = True) -> Plan:
    return Plan(Path("/somewhere"), ("127.0.0.1:9092",), real, "token", "key", prefix="p.")


def traffic() -> list[Posting]:
    """15 events; two without the right credentials, one that is no JSON, and the second event once more."""
    world = list(conversation(WISH))
    return [*world, *itertools.islice(unauthorized(WISH), 2), next(malformed(WISH)), world[1]]


def answer(webhook: Posting, status: int | None = None) -> Outcome:
    return Outcome(webhook, min(webhook.expected) if status is None else status, 2.0, "")


def record(webhook: Posting, offset: int = 0, **changes: Any) -> Incoming:
    """What comes out for a webhook when all is well, but for `changes`."""
    if 400 in webhook.expected:
        value: dict[str, Any] = {"raw": webhook.body.decode(), "reason": "not_json"}
        made = Incoming("p.treble.quarantine", 0, offset, "", "x", {}, value)
    else:
        value = {"raw": orjson.loads(webhook.body)}
        made = Incoming(f"p.treble.{webhook.event_type}", 0, offset, "", webhook.session, {}, value)
    return replace(made, **changes)


class Books:
    """A run that a test plays by hand."""

    def __init__(self, *, real: bool = True) -> None:
        self.ledger = Ledger(plan(real=real))
        self.webhooks = traffic()

    def post_all(self) -> None:
        for at_s, webhook in enumerate(self.webhooks):
            self.ledger.posted(webhook, at_s)
            self.ledger.answered(answer(webhook))

    def out(self) -> list[Posting]:
        return [webhook for webhook in self.webhooks[:-1] if 401 not in webhook.expected]

    def verdict(self, **bridge: float) -> Verdict:
        own = {"acknowledged": 16, "refused": 3, "forwarded": 15, "duplicates": 1, "quarantined": 1, "pending": 0}
        return self.ledger.verdict({**own, **bridge})


def played(*, real: bool = True) -> Books:
    books = Books(real=real)
    books.post_all()
    for webhook in books.out():
        assert books.ledger.arrived(record(webhook)) is not None
    return books


def test_a_good_run_adds_up() -> None:
    books = played()
    verdict = books.verdict()
    assert verdict.problems == []
    assert (verdict.counts["sent"], verdict.counts["lost"], books.ledger.missing()) == (19, 0, 0)
    assert sum(verdict.forwarded_by_type.values()) == 15


def test_a_record_may_come_before_the_answer_to_its_webhook() -> None:
    ledger, webhook = Ledger(plan()), traffic()[0]
    ledger.posted(webhook, 0.0)
    assert ledger.arrived(record(webhook)) is not None
    ledger.answered(answer(webhook))
    assert ledger.verdict({}).problems == []


def test_what_was_acknowledged_and_did_not_come_out_is_lost() -> None:
    books = Books()
    books.post_all()
    for webhook in books.out()[1:]:
        books.ledger.arrived(record(webhook))
    assert books.ledger.missing() == 1
    verdict = books.verdict(forwarded=14)
    assert verdict.counts["lost"] == 1
    assert verdict.problems == ["1 webhooks were acknowledged, and are nowhere"]


def test_what_should_be_in_quarantine_and_is_not_is_said() -> None:
    books = Books()
    books.post_all()
    for webhook in books.out()[:-1]:
        books.ledger.arrived(record(webhook))
    assert books.verdict(quarantined=0).problems == ["1 webhooks were to be kept in quarantine, and are not there"]


@pytest.mark.parametrize(
    ("real", "problems"), [(True, ["1 records came twice: that is not exactly once"]), (False, [])]
)
def test_a_record_that_comes_twice_is_a_fault_of_exactly_once_only(real: bool, problems: list[str]) -> None:
    books = played(real=real)
    books.ledger.arrived(record(books.webhooks[0]))
    verdict = books.verdict()
    assert (verdict.problems, verdict.repeated) == (problems, 1)


def test_an_event_out_of_nowhere_or_changed_on_the_way_is_said() -> None:
    books = played()
    value = {"raw": {**orjson.loads(books.webhooks[0].body), "session_id": "another"}}
    assert books.ledger.arrived(record(books.webhooks[0], decoded=value)) is None
    assert "comes from no webhook that should be there" in books.verdict().problems[0]


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"topic": "p.treble.other"}, "came out on p.treble.other instead of p.treble.message.delivered"),
        ({"key": "other"}, "has not the key that it should have"),
        ({"key": None}, "has not the key that it should have"),
    ],
)
def test_a_wrong_topic_or_key_is_said(changes: dict[str, Any], problem: str) -> None:
    books = Books()
    books.post_all()
    books.ledger.arrived(record(books.webhooks[0], **changes))
    assert any(problem in said for said in books.verdict().problems)


@pytest.mark.parametrize(("order", "partitions"), [((1, 0), (0, 0)), ((0, 1), (0, 1))])
def test_events_of_a_key_out_of_order_or_on_two_partitions_are_said(
    order: tuple[int, int], partitions: tuple[int, int]
) -> None:
    ledger = Ledger(plan())
    webhooks = list(itertools.islice(reads(WISH), 2))
    assert webhooks[0].session == webhooks[1].session
    for at_s, webhook in enumerate(webhooks):
        ledger.posted(webhook, at_s)
        ledger.answered(answer(webhook))
    for number, partition in zip(order, partitions, strict=True):
        ledger.arrived(record(webhooks[number], partition=partition))
    assert any("out of order, or on two partitions" in said for said in ledger.verdict({}).problems)


def test_a_wrong_answer_is_said_without_the_body() -> None:
    ledger = Ledger(plan())
    for status, said in ((503, "answered 503"), (0, "not answered")):
        webhook = traffic()[0]
        ledger.posted(webhook, 0.0)
        ledger.answered(answer(webhook, status))
        assert f"a webhook (message.delivered) was {said} instead of 200" in ledger.verdict({}).problems


def test_a_bridge_that_counts_otherwise_is_said() -> None:
    assert played().verdict(duplicates=2, pending=3).problems == [
        "the bridge counts 2 duplicates, the demo 1",
        "the bridge counts 3 pending, the demo 0",
    ]
