"""Settings, a path or hint, headers and a body in (or a quarantine record); every decision on its way out.

What would make an event of a body that is none is found by trying, not by guessing.
"""

from dataclasses import asdict, dataclass, replace
from typing import Any, Final

from multidict import CIMultiDict

from bridge.auth import Denied, Facts
from bridge.catalogue import HINTS, TABLE
from bridge.catalogue.event_id import EventIdMaker
from bridge.catalogue.reading import cleaned, meaning
from bridge.catalogue.table import NOTHING, UNKNOWN, Classification, evidence_in
from bridge.errors import BridgeError, ExitCode
from bridge.ingress.routes import Routes, Target
from bridge.kafka.batches import partition_of
from bridge.model import Entry, Event, IdFrom, Problem, Rejected
from bridge.settings.models import Settings
from bridge.settings.topics import MappedEvent
from bridge.transform.custom_events import rules_of
from bridge.transform.dead_letter import Returned
from bridge.transform.json_body import NotJson, decode
from bridge.transform.normalize import examine
from bridge.transform.prepare import Preparer, key_kind_name, key_kind_of
from bridge.version import VERSION

_FIELDS_SHOWN_MAX: Final = 8
_SENDER: Final = "no configuration changes this: what the sender posts has to"


class CannotExplainError(BridgeError):
    """No single source is meant, or a quarantine record holds less than the body."""

    exit_code = ExitCode.USAGE


@dataclass(frozen=True, slots=True, repr=False)  # it may hold secrets and phones
class Request:
    """What is to be explained. `target` is a path, with or without a query, or a hint alone ("" for none)."""

    target: str
    body: bytes
    headers: CIMultiDict[str]
    remote: str = ""
    source: str | None = None


@dataclass(frozen=True, slots=True)
class IdBasis:
    """What an id was made from: `fields` are those of the rule, or Treble's own id."""

    rule: IdFrom
    fields: dict[str, Any]


@dataclass(frozen=True, slots=True, repr=False)  # it may hold secrets and phones
class Explanation:
    """Every decision. What was not reached is None; `partition` also when the number of partitions isn't known, and
    `granted` when no credentials were given to judge.

    `suggestions` say what would make an event of what is none; `before` what a quarantine record said.
    """

    source: str
    hint: str
    credentials: str
    granted: bool | None
    outcome: str
    reason: str
    problems: tuple[Problem, ...]
    advice: str
    event_type: str | None
    decided_by: str
    other_evidence: tuple[str, ...]
    hint_conflict: bool
    notes: tuple[tuple[str, str], ...]
    event_id: str | None
    id_from: IdBasis | None
    topic: str | None
    key_kind: str | None
    key: str | None
    partition: int | None
    partitions: int | None
    headers: tuple[tuple[str, str], ...]
    value: bytes
    suggestions: tuple[str, ...]
    before: str = ""

    def as_json(self) -> dict[str, Any]:
        """The same for programs, without `value`, which is JSON text already."""
        out = asdict(self)
        del out["value"]
        out["notes"] = [{"note": note, "meaning": text} for note, text in self.notes]
        out["headers"] = dict(self.headers)
        return out


def explain(settings: Settings, request: Request, now_ms: int, *, partitions: int | None = None) -> Explanation:
    """Follow one request. `partitions` is the number of the topic's; default: what its route says, if it does.

    Raises CannotExplainError where no single source is meant.
    """
    target, query = _target(settings, request)
    credentials, granted = _credentials(target, query, request, now_ms)
    headers = target.route.keeper.keep({name.lower(): request.headers[name] for name in request.headers})
    entry = Entry(0, now_ms, target.route.source, target.hint, headers, request.body)
    return _followed(settings, entry, credentials, granted, partitions)


def explain_record(settings: Settings, returned: Returned, *, partitions: int | None = None) -> Explanation:
    """Follow what a quarantine record holds, by today's version and configuration.

    Raises CannotExplainError where the record holds less than the body.
    """
    if not returned.complete:
        raise CannotExplainError(
            f"the record holds less than the body's {returned.raw_bytes} bytes; the journal {returned.journal_id} may "
            f"have them: treble-bridge journal show PATH {returned.entry.id} --raw"
        )
    found = _followed(settings, returned.entry, "held when it arrived: it is in the quarantine", None, partitions)
    by = f" by version {returned.bridge}" if returned.bridge else ""
    return replace(
        found,
        before=f"{returned.reason}{by}: " + "; ".join(f"{p.pointer or 'body'}: {p.message}" for p in returned.problems),
        suggestions=(*_since_then(returned, found), *found.suggestions, *_rescue(returned, found)),
    )


def _since_then(returned: Returned, found: Explanation) -> tuple[str, ...]:
    """What has changed since the quarantine record was made."""
    by = f"version {returned.bridge}" if returned.bridge else "an earlier version"
    if found.outcome == "quarantined":
        other = returned.bridge not in {"", VERSION}
        return (f"{by} could not make an event of it, and version {VERSION} can't either",) if other else ()
    again = f"treble-bridge quarantine redrive {returned.id}"
    if not found.value:
        return ("today's configuration drops this event type: redrive forwards nothing",)
    if returned.reason == "refused_by_kafka":
        size = len(found.value) + len((found.key or "").encode())
        limit = f"raise max.message.bytes of topic {found.topic} above the record's {size} bytes"
        return (f"{limit} (compressed, it may be less), or leave raw out with privacy.topics; then: {again}",)
    return (f"{by} could not; version {VERSION} with this configuration makes an event of it: {again}",)


def _rescue(returned: Returned, found: Explanation) -> tuple[str, ...]:
    if not any(suggestion.startswith(_BY_ITS_HINT) for suggestion in found.suggestions):
        return ()
    return (f"with the right HINT for this record: treble-bridge quarantine redrive {returned.id} --hint HINT",)


def _followed(
    settings: Settings, entry: Entry, credentials: str, granted: bool | None, partitions: int | None
) -> Explanation:
    preparer = Preparer(settings, "")
    prepared = preparer.prepare(entry)
    decided, result = _OUR_FAULT if prepared.reason == "internal_error" else preparer.examine(entry)
    value = _value_of(entry.body)
    event = result if isinstance(result, Event) else None
    key_kind, key = key_kind_of(event, preparer.destinations[event.type]) if event else (None, None)
    if event and key_kind:
        key_kind = key_kind_name(settings, event.type, key_kind)
    told_by = f"{decided.evidence} in the body"
    if decided.evidence == "hint":
        told_by = f"the URL's hint {entry.hint}: nothing in the body tells"
    record = prepared.record
    spec = None if settings.topics.create == "off" else preparer.topics().get(prepared.topic)
    count = partitions or (spec.partitions if spec else None)
    return Explanation(
        source=entry.source,
        hint=entry.hint,
        credentials=credentials,
        granted=granted,
        outcome=prepared.outcome,
        reason=prepared.reason,
        problems=result.problems if isinstance(result, Rejected) else (),
        advice=_ADVICE.get(prepared.reason, "").format(hints=", ".join(HINTS)),
        event_type=decided.event_type,
        decided_by=told_by if decided.evidence else "",
        other_evidence=tuple(f"{one.evidence} ({one.event_type})" for one in evidence_in(value)[1:]),
        hint_conflict=decided.hint_conflict,
        notes=tuple((note, meaning(note)) for note in prepared.notes),
        event_id=preparer.published(event).id if event else None,
        id_from=_id_basis(event, value) if event else None,
        topic=prepared.topic or None,
        key_kind=key_kind,
        key=key,
        partition=partition_of(record.key, count) if record and count else None,
        partitions=count,
        headers=tuple((name, text.decode()) for name, text in record.headers) if record else (),
        value=record.value if record else b"",
        suggestions=_suggestions(preparer, entry, value, decided, prepared.reason) if prepared.reason else (),
    )


_OUR_FAULT: tuple[Classification, Event | Rejected] = (NOTHING, Rejected("internal_error", ()))

_ADVICE = {
    "unclassified": "send it to a URL that ends in its hint: {hints}",
    "not_json": "the answer is 400; the sender must send one JSON object in UTF-8",
    "not_object": "one webhook is one JSON object; an array of them has to be sent one by one",
    "invalid": "a body without these problems would be forwarded; the raw one is kept in the quarantine",
    "internal_error": "this is a fault of the bridge: please report it with the body's shape",
}


def _target(settings: Settings, request: Request) -> tuple[Target, str]:
    """Where the request goes, and its query."""
    path, _, query = request.target.partition("?")
    routes = Routes(settings, 0.0)
    if path.startswith("/"):
        target = routes.find(path)
        if target is None:
            paths = ", ".join(source.path_of(name) for name, source in settings.sources.items())
            raise CannotExplainError(f"no source has the path {path}; expected one of {paths}, with or without a hint")
        return target, query
    by_name = {route.source: route for route in routes.routes()}
    if request.source is None and len(by_name) > 1:
        raise CannotExplainError(f"several sources: expected a path, or --source with one of {', '.join(by_name)}")
    name = next(iter(by_name)) if request.source is None else request.source
    if name not in by_name:
        raise CannotExplainError(f"no source {name}; expected one of {', '.join(by_name)}")
    return Target(by_name[name], path, None), query


def _credentials(target: Target, query: str, request: Request, now_ms: int) -> tuple[str, bool | None]:
    """What the credentials decide, in words. What is not given at all is not judged."""
    auth = target.route.credentials
    given = bool(request.headers or query or target.path_secret or request.remote)
    facts = Facts(request.headers, query, target.path_secret, request.remote)
    verdict = auth.decide(facts, request.body, now_ms)
    if isinstance(verdict, Denied):
        return (f"refused with 401: {verdict.reason}", False) if given else ("not judged: nothing was given", None)
    if not verdict.kinds:
        return "open: the source says auth: none", True
    values = f", value {verdict.generation + 1} of a secret" if verdict.generation else ""
    return f"alternative {verdict.alternative + 1} holds ({' + '.join(verdict.kinds)}{values})", True


def _id_basis(event: Event, value: dict[str, Any]) -> IdBasis:
    if event.id_from == "event_id":
        return IdBasis("event_id", {"event_id": value["event_id"]})
    # Of a type that only the configuration knows, ids are made as of an unknown one.
    rule = TABLE.get(event.type, TABLE[UNKNOWN]).event_id
    return IdBasis(event.id_from, EventIdMaker(event.type, rule).fields(value, event.contact))


def _value_of(body: bytes) -> Any:
    try:
        return decode(body).value
    except NotJson:
        return None


def _suggestions(preparer: Preparer, entry: Entry, value: Any, decided: Classification, reason: str) -> tuple[str, ...]:
    """For an entry that goes to the quarantine for this `reason`: what would change that, the least effort first.

    `value` is what its body holds, None where that is no JSON.
    """
    if reason == "internal_error":
        return (f"no configuration changes this: version {VERSION} of the bridge has a fault, a later one may not",)
    if not isinstance(value, dict):
        return (_SENDER,)
    found: list[str] = []
    if decided.event_type is None or decided.evidence == "hint":
        found += _by_hint(preparer, entry)
        found += _by_mapping(preparer, entry, value)
    return tuple(found) or (f"{_SENDER}; or a later version of the bridge than {VERSION}, which reads it otherwise",)


_BY_ITS_HINT: Final = "on a URL that ends in its hint it would be an event"


def _by_hint(preparer: Preparer, entry: Entry) -> list[str]:
    lacking: dict[str, str] = {}
    working: list[str] = []
    for hint in HINTS:
        _, result = preparer.examine(entry._replace(hint=hint))
        if isinstance(result, Event):
            working.append(f"{hint} ({result.type})")
        else:
            lacking[hint] = ", ".join(problem.pointer or "body" for problem in result.problems)
    if working:
        return [f"{_BY_ITS_HINT}: {', '.join(working)}"]
    fewest = min(lacking.values(), key=lambda text: text.count(","))
    near = [hint for hint, text in lacking.items() if text == fewest]
    return [f"on a URL that ends in {', '.join(near)} it would still lack {fewest}"]


def _by_mapping(preparer: Preparer, entry: Entry, value: dict[str, Any]) -> list[str]:
    """Whether `events` could name it: tried with the fields that it has."""
    there = [name for name, held in value.items() if held not in (None, "", [], {})]
    # A dotted path can name these.
    names = [name for name in there if name and not name[0].isspace() and "." not in name][:_FIELDS_SHOWN_MAX]
    if not names:
        return []
    trial = rules_of({"your.own.name": MappedEvent(when=dict.fromkeys(names, ("*",)))})
    _, result = examine(entry, preparer.zone(entry), trial)
    if isinstance(result, Rejected):
        return []
    shown = ", ".join(cleaned(name) for name in names)
    return [f"`events` in the configuration can give it a type, a topic and a key; `when` may name: {shown}"]
