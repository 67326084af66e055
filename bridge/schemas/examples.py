"""Records as consumers get them, made by the real stages out of the catalogue's samples."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import orjson

from bridge.catalogue import EventType
from bridge.catalogue.samples import hint_for, sample
from bridge.model import Entry
from bridge.transform.prepare import Preparer

RECEIVED_AT_MS = 1_782_141_669_104  # 2026-06-22T15:21:09.104Z, soon after what the samples tell
JOURNAL_ID = "3f1d0c52-8a4e-4f0b-9d57-2b6f6f0c9a11"


@dataclass(frozen=True, slots=True)
class Example:
    """One webhook and the record that it becomes. `variant` names the sample."""

    variant: str
    body: dict[str, Any]
    topic: str
    key: str
    headers: dict[str, str]
    value: dict[str, Any]


def examples(event_type: EventType, preparer: Preparer) -> Iterator[Example]:
    """An example for each sample of the type."""
    for number, variant in enumerate(event_type.samples, start=1):
        body = sample(event_type.name, variant=variant)
        yield _example(variant, body, hint_for(event_type.name), number, preparer)


def quarantine_example(preparer: Preparer) -> Example:
    """A body that nothing tells anything about, and its record."""
    return _example("unclassified", {"ping": "is anybody there?"}, "", 1, preparer)


def _example(variant: str, body: dict[str, Any], hint: str, number: int, preparer: Preparer) -> Example:
    record = preparer.prepare(Entry(number, RECEIVED_AT_MS, "treble", hint, b"", orjson.dumps(body))).record
    if record is None:
        raise ValueError(f"the configuration drops the sample {variant}")
    headers = {name: value.decode() for name, value in record.headers}
    return Example(variant, body, record.topic, record.key.decode(), headers, orjson.loads(record.value))
