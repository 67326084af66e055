"""Golden files: bodies, and what each is expected to become. Compared as a test runner does.

    NAME.body.json    a body as Treble sends it
    NAME.event.json   {"outcome": "forwarded", "topic": …, "key": …, "event": the envelope}
                      {"outcome": "quarantined", "reason": …, "problems": [{"pointer": …, "message": …}]}

What the second file leaves out at its top level is not compared. `event.received_at` is not a claim but an input: the
time at which the body is taken to arrive.
"""

import datetime as dt
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import click
import orjson
from multidict import CIMultiDict

from bridge.cli.console import note, print_json
from bridge.diagnose.explain import Explanation, Request, explain
from bridge.errors import ExitCode
from bridge.settings.models import Settings

BODY, EVENT = ".body.json", ".event.json"
ARRIVAL: Final = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
"""When a body arrives whose expected event doesn't say so."""
_SHOWN_CHARS_MAX: Final = 200
_ABSENT: Final = object()


@dataclass(frozen=True, slots=True)
class Pair:
    """One body and the file of what is expected. `hint` is the folder's name, "" at the top."""

    name: str
    hint: str
    body: Path
    event: Path


def check(
    settings: Settings, folder: Path, target: str, source: str | None, *, update: bool, as_json: bool
) -> ExitCode:
    """Go over the pairs in `folder`, print what differs, and count. With `update`, write instead of comparing."""
    pairs = list(pairs_in(folder))
    if not pairs:
        raise click.UsageError(f"{folder} holds no NAME{BODY}")
    failed = written = 0
    for pair in pairs:
        expected = _expected(pair)
        found = _outcome(settings, _explain(settings, pair, target, source, expected))
        problems = [] if update else _problems(pair, expected, found)
        failed += bool(problems)
        if update and found != expected:
            pair.event.write_bytes(orjson.dumps(found, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))
            written += 1
        if as_json:
            print_json({"name": pair.name, "passed": not problems, "problems": problems})
        else:
            for problem in problems:
                click.echo(f"{pair.name}: {problem}")
    for stray in _unpaired(folder, pairs):
        failed += 1
        click.echo(f"{stray}: there is no body beside it")
    note(f"{len(pairs)} bodies, {written} written" if update else f"{len(pairs)} bodies, {failed} differ")
    return ExitCode.MISMATCH if failed else ExitCode.OK


def pairs_in(folder: Path) -> Iterator[Pair]:
    """The bodies at the top, and one folder deep."""
    for body in sorted([*folder.glob(f"*{BODY}"), *folder.glob(f"*/*{BODY}")]):
        hint = "" if body.parent == folder else body.parent.name
        stem = body.name.removesuffix(BODY)
        yield Pair(f"{hint}/{stem}" if hint else stem, hint, body, body.with_name(stem + EVENT))


def differences(expected: Any, found: Any, pointer: str = "") -> Iterator[str]:
    """What differs between two JSON values, each by its JSON pointer."""
    if isinstance(expected, dict) and isinstance(found, dict):
        for name in {**expected, **found}:
            step = name.replace("~", "~0").replace("/", "~1")
            yield from differences(expected.get(name, _ABSENT), found.get(name, _ABSENT), f"{pointer}/{step}")
    elif isinstance(expected, list) and isinstance(found, list) and len(expected) == len(found):
        for index, (one, other) in enumerate(zip(expected, found, strict=True)):
            yield from differences(one, other, f"{pointer}/{index}")
    elif expected is _ABSENT:
        yield f"{pointer}: unexpected: {_excerpt(found)}"
    elif found is _ABSENT:
        yield f"{pointer}: missing: {_excerpt(expected)}"
    elif expected != found or isinstance(expected, bool) != isinstance(found, bool):
        yield f"{pointer or '/'}: expected {_excerpt(expected)}, got {_excerpt(found)}"


def _problems(pair: Pair, expected: Any, found: Mapping[str, Any]) -> list[str]:
    if expected is None:
        return [f"{pair.event.name} is missing; --update writes it"]
    if not isinstance(expected, dict) or not expected.keys() & {"outcome", "event"}:
        return [f"{pair.event.name} says neither `outcome` nor `event`"]
    return list(differences(expected, {name: part for name, part in found.items() if name in expected}))


def _explain(settings: Settings, pair: Pair, target: str, source: str | None, expected: Any) -> Explanation:
    below = f"{target}/{pair.hint}" if target.startswith("/") and pair.hint else pair.hint or target
    request = Request(below, pair.body.read_bytes(), CIMultiDict(), "", source)
    return explain(settings, request, round(_received_at(expected).timestamp() * 1000))


def _received_at(expected: Any) -> dt.datetime:
    try:
        return dt.datetime.fromisoformat(expected["event"]["received_at"])
    except (KeyError, TypeError, ValueError):
        return ARRIVAL


def _outcome(settings: Settings, found: Explanation) -> dict[str, Any]:
    """What became of a body, as its file says it."""
    if found.outcome == "quarantined":
        problems = [{"pointer": problem.pointer, "message": problem.message} for problem in found.problems]
        return {"outcome": found.outcome, "reason": found.reason, "problems": problems}
    if not found.value:
        return {"outcome": found.outcome}
    value = orjson.loads(found.value)
    event = value["data"] if settings.kafka.format == "cloudevents-structured" else value
    return {"outcome": found.outcome, "topic": found.topic, "key": found.key, "event": event}


def _expected(pair: Pair) -> Any:
    try:
        return orjson.loads(pair.event.read_bytes())
    except FileNotFoundError:
        return None
    except orjson.JSONDecodeError as error:
        raise click.UsageError(f"{pair.event}: not JSON ({error})") from error


def _unpaired(folder: Path, pairs: list[Pair]) -> list[Path]:
    paired = {pair.event for pair in pairs}
    return sorted({*folder.glob(f"*{EVENT}"), *folder.glob(f"*/*{EVENT}")} - paired)


def _excerpt(value: Any) -> str:
    text = orjson.dumps(value).decode()
    return text if len(text) <= _SHOWN_CHARS_MAX else f"{text[:_SHOWN_CHARS_MAX]}…"
