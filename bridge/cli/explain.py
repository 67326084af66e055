"""`treble-bridge explain`: what would become of a webhook, and why. Needs no Kafka."""

import sys
from pathlib import Path
from typing import Any

import click
import orjson
from multidict import CIMultiDict

from bridge.cli.console import console, print_json
from bridge.cli.options import COUNT, config_option, json_option, now_ms, parse_header
from bridge.diagnose.explain import Explanation, Request, explain_record
from bridge.diagnose.explain import explain as explain_request
from bridge.errors import ExitCode
from bridge.settings.models import Settings
from bridge.transform.dead_letter import read_back
from bridge.transform.redaction import HASH_PREFIX


@click.command()
@config_option()
@click.argument("target", metavar="[PATH_OR_HINT]", required=False)
@click.argument("body", type=click.Path(path_type=Path, allow_dash=True), metavar="[BODYFILE|-]", required=False)
@click.option(
    "--record",
    type=click.Path(path_type=Path, allow_dash=True),
    metavar="FILE|-",
    help="Instead of a body: the value of a record of the quarantine topic.",
)
@click.option("-H", "--header", "headers", multiple=True, metavar="'NAME: VALUE'", help="A request header.")
@click.option("--source", metavar="NAME", help="The source, if a hint is given and there are several.")
@click.option("--remote", default="", metavar="ADDRESS", help="The caller's address, for client_ip.")
@click.option("--partitions", type=COUNT, help="Partitions of the topic; default: as configured.")
@json_option
def explain(
    *,
    settings: Settings,
    target: str | None,
    body: Path | None,
    record: Path | None,
    headers: tuple[str, ...],
    source: str | None,
    remote: str,
    partitions: int | None,
    as_json: bool,
) -> ExitCode:
    """Show what would become of a webhook: credentials, type, id, topic, key, envelope, and why.

    PATH_OR_HINT is the URL, its path (with the query, if a secret is in it), or only its last segment. Exit code 8 if
    the body would go to the quarantine. Credentials are checked if some are given. If they are refused, the output also
    shows what would happen with the right ones; the exit code stays the same.

    \b
    Example:
      treble-bridge explain --config bridge.yaml /webhooks/treble/read body.json
      echo '{"session_id": "s1"}' | treble-bridge explain --config bridge.yaml read -
      treble-bridge explain --config bridge.yaml --record record.json
    """
    if (body is None) == (record is None):
        raise click.UsageError("expected PATH_OR_HINT and BODYFILE, or --record")
    if record is not None:
        found = _explain_record(settings, record, partitions)
    else:
        assert body is not None
        request = Request(
            _without_host(target or ""), _read(body), CIMultiDict(map(parse_header, headers)), remote, source
        )
        found = explain_request(settings, request, now_ms(), partitions=partitions)
    if as_json:
        print_json({**found.as_json(), "value": _decoded(found.value)})
    else:
        _print(found)
    return ExitCode.MISMATCH if found.outcome == "quarantined" else ExitCode.OK


def _without_host(target: str) -> str:
    """The path, and the query, of a whole URL; what is none as it is."""
    if not target.lower().startswith(("https://", "http://")):
        return target
    path, mark, query = target.partition("?")
    return "/" + path.partition("://")[2].partition("/")[2] + mark + query


def _explain_record(settings: Settings, record: Path, partitions: int | None) -> Explanation:
    try:
        returned = read_back(_read(record))
    except ValueError as error:
        raise click.UsageError(f"{record}: {error}") from error
    return explain_record(settings, returned, partitions=partitions)


def _read(body: Path) -> bytes:
    if str(body) == "-":
        return sys.stdin.buffer.read()
    try:
        return body.read_bytes()
    except OSError as error:
        raise click.UsageError(f"can't read {body}: {error.strerror}") from error


def _decoded(value: bytes) -> Any:
    return orjson.loads(value) if value else None


def _print(found: Explanation) -> None:
    screen = console()
    for title, text in _lines(found):
        screen.print(f"{title:<12} {text}", markup=False)
    if found.value:
        screen.print()
        for name, header in found.headers:
            screen.print(f"{name}: {header}", markup=False)
        screen.print()
        screen.print(orjson.dumps(_decoded(found.value), option=orjson.OPT_INDENT_2).decode(), markup=False)


def _lines(found: Explanation) -> list[tuple[str, str]]:
    hint = f"hint {found.hint}" if found.hint else "no hint"
    lines = [("source", f"{found.source}, {hint}"), ("credentials", found.credentials)]
    lines += [("was", found.before)] if found.before else []
    if found.granted is False:
        lines.append(("", "nothing would be stored; with the right ones, this would follow"))
    if found.event_type:
        lines.append(("type", f"{found.event_type}, decided by {found.decided_by}"))
    lines += [("", f"also there: {evidence}, which ranks lower") for evidence in found.other_evidence]
    if found.hint_conflict:
        lines.append(("", f"the hint {found.hint} means another type: counted, and the body believed"))
    lines += [("note", f"{note}: {meaning}") for note, meaning in found.notes]
    if found.outcome == "quarantined":
        lines.append(("quarantined", found.reason))
        lines += [("problem", f"{problem.pointer or 'body'}: {problem.message}") for problem in found.problems]
        lines += [("advice", found.advice)] if found.advice else []
        lines += [("changes it", suggestion) for suggestion in found.suggestions]
    else:
        lines += [("since then", suggestion) for suggestion in found.suggestions]
    if found.event_id is not None:
        lines.append(("id", f"{found.event_id}, from {_id_from(found)}"))
    if found.outcome == "dropped":
        lines.append(("dropped", "the route of this type says drop: true"))
        return lines
    where = "" if found.partition is None else f", partition {found.partition} of {found.partitions}"
    lines.append(("topic", f"{found.topic}{where}"))
    if found.key is not None:
        lines.append(("key", f"{found.key} ({found.key_kind})"))
    return lines


def _id_from(found: Explanation) -> str:
    if found.id_from is None or found.id_from.rule == "event_id":
        return "event_id in the body"
    fields = ", ".join(["source", "type", *(name for name, part in found.id_from.fields.items() if part is not None)])
    whole = " and the whole body, since these don't tell it from others" if found.id_from.rule == "body" else ""
    keyed = " under privacy.hash_key of the hash" if (found.event_id or "").startswith(HASH_PREFIX) else ""
    return f"the hash{keyed} of {fields}{whole}"
