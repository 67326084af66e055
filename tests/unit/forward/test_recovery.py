"""Where to go on, given the journal's positions and Kafka's; and what becomes of each entry in between."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.forward.recovery import CASES, Case, Place, merge, recover
from bridge.kafka.positions import Found
from bridge.model import InDoubt, InDoubtTransaction, PendingMarker, Positions
from bridge.transform.prepare import Preparer
from tests.unit.forward.running import READ, configured, read
from tests.unit.journal.making import open_journal

SETTINGS = configured()
POSITIONS: dict[Place, Positions] = {
    "counted": Positions(2),
    "deferred": Positions(2, {READ: 1}, {READ: 1}),
    "ahead": Positions(1),
}


@pytest.mark.parametrize("case", CASES, ids=[f"{c.journal}-{c.kafka}-{c.in_doubt}" for c in CASES])
async def test_each_case_of_the_table_does_what_it_says(tmp_path: Path, case: Case) -> None:
    """With one entry in the journal, number 1."""
    journal = open_journal(tmp_path / "journal")
    await journal.confirm()
    await journal.append(read("a"))
    preparer = Preparer(SETTINGS, journal.id)
    waited = case.journal == "deferred" and case.kafka != "ahead"
    if case.journal == "deferred":
        await journal.defer([(1, READ, "message.read")])
    if case.journal == "counted" or waited:
        await journal.advance(POSITIONS[case.journal], [])
    if case.in_doubt:
        marker = PendingMarker(READ, 0, 7, (1,))
        await journal.note_in_doubt(
            InDoubt((), InDoubtTransaction((marker,), POSITIONS[case.kafka], 5, acknowledged=True))
        )
    truth = await recover(journal, preparer, Found(POSITIONS[case.kafka], 5, 6, "positions"))

    keys = [
        item.dedupe_key for item in map(preparer.prepare, await journal.read(1, 1, 1)) if item.dedupe_key is not None
    ]
    remembered = bool(await journal.seen(keys, 0))
    deferred = [entry.id for entry in await journal.read_deferred(READ, truth.of(READ), 10, 1 << 20)]
    assert remembered == (case.action == "remember")
    assert deferred == ([1] if case.action == "defer" or (case.action == "nothing" and waited) else [])
    assert journal.usage().pending == (0 if remembered or case.journal == "counted" else 1)
    assert journal.positions == truth
    assert journal.in_doubt.all_markers() == ((marker,) if case.in_doubt else ())
    await journal.close()


MERGES = [
    ("nothing known to Kafka", Positions(5), None, Positions(5)),
    ("the same", Positions(5, {"a": 3}), Positions(5, {"a": 3}), Positions(5, {"a": 3})),
    ("died after the commit", Positions(5), Positions(9), Positions(9)),
    ("positions topic lost", Positions(9), Positions(1), Positions(9)),
    ("a topic queue drained in Kafka only", Positions(9, {"a": 3}), Positions(9), Positions(9)),
    ("a topic queue moved in Kafka only", Positions(9, {"a": 3}), Positions(9, {"a": 7}), Positions(9, {"a": 7})),
    ("a topic queue fell behind in Kafka's last commit", Positions(5), Positions(9, {"a": 6}), Positions(9, {"a": 6})),
    ("a topic queue fell behind in the journal only", Positions(9, {"a": 6}), Positions(5), Positions(9, {"a": 6})),
    (
        "an older Kafka has the topic queue further than it could",
        Positions(9, {"a": 6}),
        Positions(8),
        Positions(9, {"a": 8}),
    ),
]


@pytest.mark.parametrize(("ours", "kafkas", "expected"), [c[1:] for c in MERGES], ids=[c[0] for c in MERGES])
def test_the_larger_position_of_each_topic_queue_counts(
    ours: Positions, kafkas: Positions | None, expected: Positions
) -> None:
    assert merge(ours, kafkas) == expected


def test_a_topic_queue_whose_entries_go_again_stays_behind_what_kafka_said_and_the_journal_has_noted() -> None:
    ours, kafkas = Positions(9, {"a": 6, "b": 7}), Positions(9, {"b": 8, "c": 8})
    assert merge(ours, kafkas, noted=True) == Positions(9, {"a": 6, "b": 7})
    assert merge(ours, kafkas) == Positions(9, {"b": 8})


positions = st.builds(
    lambda next_id, behind: Positions(next_id, {t: p for t, p in behind.items() if p < next_id}),
    st.integers(1, 20),
    st.dictionaries(st.sampled_from("abc"), st.integers(1, 20)),
)


@given(positions, positions)
def test_no_topic_queue_ever_goes_back(ours: Positions, kafkas: Positions) -> None:
    truth = merge(ours, kafkas)
    for topic in "abcd":
        assert truth.of(topic) == max(ours.of(topic), kafkas.of(topic))
