"""With event types and hiding rules of the configuration, as without: any body has an outcome, always the same one."""

from typing import Any

import orjson
from hypothesis import given
from hypothesis import strategies as st

from bridge.catalogue import HINTS, TABLE
from bridge.catalogue.samples import sample
from bridge.diagnose.explain import explain_record
from bridge.transform.dead_letter import read_back
from bridge.transform.prepare import Preparer
from tests.unit.webhooks import entry, settings

NAMES = sorted({name for event_type in TABLE for name in sample(event_type)} | {"survey", "agent"})
SCALARS = (
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False) | st.text(max_size=9)
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from([*NAMES, "id", "a.b", ""]), inner, max_size=4)
    ),
    max_leaves=8,
)
BODIES = VALUES | st.dictionaries(st.sampled_from(NAMES), VALUES, max_size=6)
EVENTS = {
    "agent.assigned": {"when": {"event_type": ["agent.assigned", "1"]}, "key": "agent.id"},
    "survey.answered": {"when": {"survey": "*"}, "key": "phone"},
    "any.session": {"when": {"session_id": "*", "agent.id": "*"}, "key": "event_id"},
}
HIDING = {
    "hash_key": "a-key-of-some-length",
    "topics": {
        **{f"treble.{name}": {"raw": "drop"} for name in EVENTS},
        "*": {
            "phone": "hash",
            "raw": "drop",
            "fields": {
                "session_id": "hash",
                "data.*.id": "mask",
                "session_keys.*": "hash",
                "data.messages.text": "drop",
                "flow_id": "mask",
            },
        },
    },
}
KNOWING = settings(events=EVENTS)
PREPARERS = [
    Preparer(settings(events=EVENTS, kafka={"format": form}, **more), "j1")
    for form in ("cloudevents-binary", "cloudevents-structured")
    for more in ({}, {"privacy": HIDING})
]


@given(BODIES, st.sampled_from(["", "misspelt", *HINTS]))
def test_any_body_is_an_event_or_has_a_reason_that_is_not_our_fault(body: Any, hint: str) -> None:
    made = entry(orjson.dumps(body), hint)
    for preparer in PREPARERS:
        found = preparer.prepare(made)
        assert found.reason != "internal_error"
        assert found == preparer.prepare(made)
        assert found.record is not None
        assert found.record.key
        assert isinstance(orjson.loads(found.record.value), dict)
        assert found.topic in preparer.topics()


@given(BODIES, st.sampled_from(["", "misspelt", *HINTS]))
def test_any_quarantine_record_can_be_read_back_and_explained(body: Any, hint: str) -> None:
    made = entry(orjson.dumps(body), hint)
    record = Preparer(settings(), "j1").prepare(made)
    if record.outcome != "quarantined" or record.record is None:
        return
    returned = read_back(record.record.value)
    assert returned.entry == made
    found = explain_record(KNOWING, returned)
    assert found.outcome in {"forwarded", "quarantined"}
    assert found.suggestions or found.outcome == "quarantined"
