"""What may be without an end is settled topic by topic; one that can't be settled yet takes no record until it is."""

from collections.abc import Collection, Mapping
from typing import cast

import pytest

from bridge.errors import LaneBlockedError
from bridge.kafka.doubts import RETRY_S, Doubts
from bridge.kafka.errors import blocked
from bridge.kafka.producer import Producer

POSITIONS, READ, SENT = "positions", "read", "sent"
PLACES = frozenset({(POSITIONS, 0), (READ, 0), (READ, 4), (SENT, 1)})


class Aborting:
    """Says how the topics are, and aborts where it may."""

    def __init__(self, **states: str) -> None:
        """Topic → why it can't take records; all others have six partitions."""
        self.states = states
        self.refuses: set[str] = set()
        self.counts: dict[str, int] = {}
        self.aborted: list[tuple[str, list[int]]] = []

    async def partition_counts(self, topics: Collection[str], _tries: int = 1) -> dict[str, int | LaneBlockedError]:
        """As Kafka says."""
        return {t: blocked(t, self.states[t]) if t in self.states else self.counts.get(t, 6) for t in topics}

    async def take_back(self, topic: str, partitions: Collection[int]) -> None:
        """Abort, or refuse."""
        if topic in self.refuses:
            raise blocked(topic, "unauthorized")
        self.aborted.append((topic, list(partitions)))


def as_producer(aborting: Aborting) -> Producer:
    return cast("Producer", aborting)


async def asked(doubts: Doubts, aborting: Aborting, *topics: str) -> Mapping[str, int | LaneBlockedError]:
    """How the topics are, for who wants to send to them."""
    return await doubts.settle(as_producer(aborting), await aborting.partition_counts(topics))


async def test_all_that_can_be_is_settled_before_anything_is_read() -> None:
    aborting, doubts = Aborting(), Doubts(PLACES)
    await doubts.settle_all(as_producer(aborting), POSITIONS)
    assert aborting.aborted == [(POSITIONS, [0]), (READ, [0, 4]), (SENT, [1])]
    assert not doubts.places


@pytest.mark.parametrize("state", ["leaderless", "unauthorized"])
async def test_a_topic_without_a_leader_keeps_its_doubt_until_it_has_one(state: str) -> None:
    aborting, doubts = Aborting(read=state), Doubts(PLACES)
    await doubts.settle_all(as_producer(aborting), POSITIONS)
    assert doubts.places == {(READ, 0), (READ, 4)}
    assert isinstance((await asked(doubts, aborting, READ))[READ], LaneBlockedError)
    aborting.states.clear()
    assert (await asked(doubts, aborting, READ))[READ] == 6
    assert aborting.aborted == [(POSITIONS, [0]), (SENT, [1]), (READ, [0, 4])]
    assert not doubts.places


@pytest.mark.parametrize("state", ["leaderless", "missing", "unauthorized"])
async def test_nothing_is_aborted_while_the_positions_can_not_be(state: str) -> None:
    aborting, doubts = Aborting(positions=state), Doubts(PLACES)
    with pytest.raises(LaneBlockedError):
        await doubts.settle_all(as_producer(aborting), POSITIONS)
    assert (aborting.aborted, doubts.places) == ([], PLACES)


async def test_a_topic_that_is_gone_or_has_fewer_partitions_took_its_records_along() -> None:
    aborting, doubts = Aborting(sent="missing"), Doubts(PLACES)
    aborting.counts[READ] = 3
    await doubts.settle_all(as_producer(aborting), POSITIONS)
    assert aborting.aborted == [(POSITIONS, [0]), (READ, [0])]
    assert not doubts.places


async def test_a_topic_that_refuses_the_abort_holds_up_no_other_and_is_asked_again_after_a_while() -> None:
    now = [0.0]
    aborting, doubts = Aborting(), Doubts(PLACES, lambda: now[0])
    aborting.refuses = {READ}
    with pytest.raises(LaneBlockedError, match="read"):
        await doubts.settle_all(as_producer(aborting), POSITIONS)
    await doubts.settle_all(as_producer(aborting), POSITIONS)
    assert doubts.places == {(READ, 0), (READ, 4)}
    assert isinstance((await asked(doubts, aborting, READ, SENT))[READ], LaneBlockedError)
    now[0] = RETRY_S
    with pytest.raises(LaneBlockedError, match="read"):
        await asked(doubts, aborting, READ, SENT)
    now[0], aborting.refuses = 2 * RETRY_S, set()
    assert await asked(doubts, aborting, READ, SENT) == {READ: 6, SENT: 6}
    assert not doubts.places
