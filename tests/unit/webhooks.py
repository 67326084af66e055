"""Webhooks for tests of the pure stages: a body in, an event or what was wrong with it out."""

from typing import Any
from zoneinfo import ZoneInfo

import orjson

from bridge.model import Entry, Event, Rejected
from bridge.settings.models import Settings
from bridge.transform.normalize import examine

RECEIVED_AT_MS = 1_782_141_549_104  # 2026-06-22T15:19:09.104Z
FLOW = {"country_code": "+57", "cellphone": "3005550134", "session_id": "s1", "conversation_id": 7}


def entry(body: Any, hint: str = "", *, source: str = "treble", headers: Any = None, entry_id: int = 1) -> Entry:
    """An entry whose body is `body`: bytes as they are, anything else as JSON."""
    raw = body if isinstance(body, bytes) else orjson.dumps(body)
    kept = b"" if headers is None else orjson.dumps(headers)
    return Entry(entry_id, RECEIVED_AT_MS, source, hint, kept, raw)


def normalized(body: Any, hint: str = "", zone: str = "UTC", **given: Any) -> Event | Rejected:
    """What becomes of the body."""
    _, result = examine(entry(body, hint, **given), None if zone == "UTC" else ZoneInfo(zone))
    return result


def event(body: Any, hint: str = "", zone: str = "UTC", **given: Any) -> Event:
    """The event that the body becomes."""
    result = normalized(body, hint, zone, **given)
    assert isinstance(result, Event), result
    return result


def rejected(body: Any, hint: str = "") -> Rejected:
    """Why the body becomes none."""
    result = normalized(body, hint)
    assert isinstance(result, Rejected), result
    return result


def settings(**sections: Any) -> Settings:
    """A configuration with one source, `treble`, and these sections."""
    given: dict[str, Any] = {
        "kafka": {"bootstrap_servers": ["localhost:9092"]},
        "sources": {"treble": {"auth": "none"}},
    }
    for name, section in sections.items():
        given[name] = {**given.get(name, {}), **section}
    return Settings.model_validate(given)
