"""`treble-bridge journal`: look into a journal, also while a bridge runs on it."""

import base64
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

import click
import orjson

from bridge.cli.console import note, print_bytes, print_json, print_result, print_table, time_text
from bridge.cli.journal_changes import drain, renew, replay, salvage, unpin
from bridge.cli.options import ENTRY_ID, LIMIT, hint_option, journal_argument, json_option, since_option, source_option
from bridge.errors import ExitCode
from bridge.journal.offline import inspect
from bridge.journal.offline.inspect import Report, verify
from bridge.journal.queries import EntrySummary
from bridge.model import Entry

_COLUMNS: Final = ("id", "received", "source", "hint", "state", "bytes")


@click.group()
def journal() -> None:
    """Look into the journal, verify it, forward entries again, drain it.

    PATH is the journal's folder (`journal.path` of the configuration). `ls`, `show` and `verify` work while a bridge
    runs on it; the others need it to be stopped.

    \b
    Example:
      treble-bridge journal ls /var/lib/treble-bridge --state deferred
    """


@journal.command("ls")
@journal_argument
@click.option("--state", type=click.Choice(["pending", "forwarded", "deferred"]), help="Only entries in this state.")
@source_option
@hint_option
@since_option
@click.option("--limit", type=LIMIT, default=50, show_default=True, help="The newest so many; 0 is all of them.")
@json_option
def list_entries(  # noqa: PLR0917 - click hands over an argument an option
    path: Path, state: Any, source: str | None, hint: str | None, since: int | None, limit: int, as_json: bool
) -> None:
    """List entries, oldest first: id, time, source, hint, state, sizes. Shows no content.

    States: pending (waits to be forwarded), deferred (waits because its topic can't take records), forwarded (kept for
    replay, until `journal.retain`).

    \b
    Example:
      treble-bridge journal ls /var/lib/treble-bridge --state pending --since 2h
    """
    entries = inspect.list_entries(path, inspect.Filter(state, source, hint, since), limit or None)
    if as_json:
        for entry in entries:
            print_json(_summary_as_json(entry))
        return
    print_table(_COLUMNS, map(_row, entries), right={"id", "bytes"})
    note(f"{len(entries)} entries shown; next to forward: {inspect.read_state(path).positions.next_id}")


@journal.command("show")
@journal_argument
@click.argument("entry_id", metavar="ID", type=ENTRY_ID)
@click.option("--raw", is_flag=True, help="Print the body only, byte for byte.")
@json_option
def show(path: Path, entry_id: int, raw: bool, as_json: bool) -> ExitCode:
    """Show one entry with its headers and its body.

    The body is shown as it came, with the names and phone numbers in it: nothing is masked. Exit code 8 if there is no
    such entry (any more).

    \b
    Example:
      treble-bridge journal show /var/lib/treble-bridge 17
    """
    found = inspect.get_entry(path, entry_id)
    if found is None:
        note(f"there is no entry {entry_id}: it was never given, or is forwarded and no longer kept")
        return ExitCode.MISMATCH
    entry, listed = found
    if raw:
        print_bytes(entry.body)
    else:
        print_result(_entry_as_json(entry, listed), _entry_text(entry, listed), as_json=as_json)
    return ExitCode.OK


@journal.command("verify")
@journal_argument
@json_option
def verify_journal(path: Path, as_json: bool) -> ExitCode:
    """Check a journal: the database's structure, and that its contents agree with each other.

    Reads all of it, about a second for 200 MiB; a bridge may run meanwhile. Exit code 0: all is well. 4: the database
    is damaged. 8: it is whole, but contradicts itself.

    \b
    Example:
      treble-bridge journal verify /var/lib/treble-bridge
    """
    report = verify(path)
    print_result(asdict(report), _report_text(report, path), as_json=as_json)
    if report.damage:
        return ExitCode.JOURNAL_CORRUPT
    return ExitCode.MISMATCH if report.findings else ExitCode.OK


for command in (replay, unpin, renew, salvage, drain):
    journal.add_command(command)


def _row(entry: EntrySummary) -> tuple[str, ...]:
    return (
        str(entry.id),
        time_text(entry.received_at_ms),
        entry.source,
        entry.hint or "-",
        _state(entry),
        str(entry.body_bytes),
    )


def _summary_as_json(entry: EntrySummary) -> dict[str, Any]:
    """An entry without its content, for programs."""
    shown = asdict(entry)
    shown["received_at"] = time_text(shown.pop("received_at_ms"))
    return {**shown, "topic": entry.topic or None}


def _entry_as_json(entry: Entry, listed: EntrySummary) -> dict[str, Any]:
    """An entry with its content: `body` as text when it is UTF-8, else `body_base64`."""
    shown = _summary_as_json(listed) | {"headers": _decoded(entry.headers) or {}}
    try:
        return shown | {"body": entry.body.decode()}
    except UnicodeDecodeError:
        return shown | {"body_base64": base64.b64encode(entry.body).decode()}


def _entry_text(entry: Entry, listed: EntrySummary) -> str:
    """An entry with its content, for people: JSON indented, other text as it is, bytes as bytes."""
    lines = [
        f"entry     {entry.id} ({_state(listed)})",
        f"received  {time_text(entry.received_at_ms)}",
        f"source    {entry.source}",
        f"hint      {entry.hint or '-'}",
    ]
    headers = _decoded(entry.headers)
    if isinstance(headers, dict):
        lines += [f"header    {name}: {value}" for name, value in headers.items()]
    lines += [f"body      {len(entry.body)} bytes", ""]
    value = _decoded(entry.body)
    body = entry.body if value is None else orjson.dumps(value, option=orjson.OPT_INDENT_2)
    return "\n".join([*lines, body.decode("utf-8", "backslashreplace")])


def _decoded(text: bytes) -> Any:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return None


def _state(entry: EntrySummary) -> str:
    state = f"deferred for {entry.topic}" if entry.state == "deferred" else entry.state
    return f"{state}, pinned" if entry.pinned else state


def _report_text(report: Report, folder: Path) -> str:
    lines = [
        f"journal     {report.journal_id}",
        f"entries     {report.entries}: {report.pending} pending ({report.deferred} deferred), {report.pinned} pinned",
        f"ids         next to forward {report.next_id}, highest {report.last_id}",
        f"dedupe keys {report.dedupe_keys}",
    ]
    lines += [f"damaged     {finding}" for finding in report.damage]
    lines += [f"wrong       {finding}" for finding in report.findings]
    lines += [f"rescue it:  treble-bridge journal salvage {folder} NEW-FOLDER"] if report.damage else []
    return "\n".join(lines if report.damage or report.findings else [*lines, "all is well"])
