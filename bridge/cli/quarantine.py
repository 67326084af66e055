"""`treble-bridge quarantine`: look at what was not understood, and send it on its way when it would be by now."""

import sys
from collections import Counter, deque
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from bridge.cli.console import console, note, print_json, run
from bridge.cli.journal import Moment
from bridge.cli.options import LIMIT, config_option, json_option, load_configuration
from bridge.cli.quarantine_names import RecordName, choose, place_text
from bridge.errors import ExitCode

if TYPE_CHECKING:
    from bridge.forward.redrive import DeadLetter, Redriven
    from bridge.settings.models import Settings

ID_CHARS_SHOWN: Final = 12
_OK: Final = frozenset({"redriven", "already", "twin", "dropped"})

records_argument = click.argument("records", metavar="[ID|PARTITION@OFFSET]...", nargs=-1, type=RecordName())
reason_option = click.option("--reason", metavar="REASON", help="Only records with this reason.")
source_option = click.option("--source", metavar="NAME", help="Only records of this source.")
since_option = click.option(
    "--since", type=Moment(), help="Only what was received since then (2026-06-22T15:00:00Z, or 2h ago: 2h)."
)


@click.group()
def quarantine() -> None:
    """Look at what was not understood, and forward what would be by now.

    Reads the quarantine topic from its beginning, committed records only. A record is named by its place
    (PARTITION@OFFSET) or by its id, the record's key, of which the first characters are enough (for `redrive` 8 or
    more, that no other id begins with).

    \b
    Example:
      treble-bridge quarantine ls --config bridge.yaml --reason unclassified
    """


@quarantine.command("ls")
@config_option()
@reason_option
@source_option
@since_option
@click.option("--limit", type=LIMIT, default=50, show_default=True, help="The last so many; 0 is all.")
@json_option
def list_records(  # noqa: PLR0917 - click hands over an argument an option
    config: Path, reason: str | None, source: str | None, since: int | None, limit: int, as_json: bool
) -> None:
    """List records: place, id, time, source, hint, reason, type, bytes, whether it was redriven. No content.

    \b
    Example:
      treble-bridge quarantine ls --config bridge.yaml --since 2h
    """
    settings = load_configuration(config).settings
    rows = run(_list(settings, _wanted((), reason, source, since), limit or None))
    if as_json:
        for row in rows:
            print_json(row)
        return
    from rich.table import Table  # noqa: PLC0415 - not for --help

    table = Table(box=None, pad_edge=False)
    for title in ("place", "id", "received", "source", "hint", "reason", "type", "bytes", "redriven"):
        table.add_column(title, no_wrap=True, justify="right" if title == "bytes" else "left")
    for row in rows:
        cells = {**row, "id": row["id"][:ID_CHARS_SHOWN], "redriven": "yes" if row["redriven"] else ""}
        table.add_row(*(str(cells[name] or "") for name in _COLUMNS))
    console().print(table)
    note(f"{len(rows)} records of {settings.topics.quarantine}")


_COLUMNS: Final = ("place", "id", "received_at", "source", "hint", "reason", "event_type", "raw_bytes", "redriven")


@quarantine.command("show")
@click.argument("record", metavar="ID|PARTITION@OFFSET")
@config_option()
@click.option("--raw", is_flag=True, help="Print the body only, byte for byte.")
@json_option
def show(record: str, config: Path, raw: bool, as_json: bool) -> ExitCode:
    """Show one record (of several with the same id, the last) with its problems and the body.

    The body is shown as it came, with the names and phone numbers in it: nothing is masked. Exit code 8 when there is
    no such record. --json prints the record's value, which `explain --record -` takes.

    \b
    Example:
      treble-bridge quarantine show 2@17 --config bridge.yaml
    """
    import orjson  # noqa: PLC0415 - not for --help

    settings = load_configuration(config).settings
    found = run(_last(settings, _wanted((record,), None, None, None)))
    if found is None:
        note(f"there is no record {record} in {settings.topics.quarantine}")
        return ExitCode.MISMATCH
    if raw:
        sys.stdout.buffer.write(found.returned.entry.body)
        sys.stdout.buffer.flush()
    elif as_json:
        click.echo(found.value)
    else:
        click.echo(orjson.dumps(orjson.loads(found.value), option=orjson.OPT_INDENT_2))
        note(f"at {place_text(found)}; {'redriven' if found.marked else 'not redriven'}")
    return ExitCode.OK


@quarantine.command("redrive")
@records_argument
@config_option()
@click.option("--all", "everything", is_flag=True, help="All records, instead of named ones.")
@reason_option
@source_option
@since_option
@click.option("--dry-run", is_flag=True, help="Say what would be done.")
@json_option
def redrive(  # noqa: PLR0917 - as above
    records: tuple[str, ...],
    config: Path,
    everything: bool,
    reason: str | None,
    source: str | None,
    since: int | None,
    dry_run: bool,
    as_json: bool,
) -> ExitCode:
    """Make events of records by today's version and configuration, and forward those that pass, once.

    A bridge may run meanwhile. What goes out and a mark in the quarantine topic are one transaction, so a second run
    adds nothing. Events have the id and the time of arrival that they would have had, come after later ones, and carry
    the header treble_redriven. Exit code 8 when one that was meant is still not forwarded, or is not there.

    \b
    Examples:
      treble-bridge quarantine redrive --config bridge.yaml --all --reason unclassified --dry-run
      treble-bridge quarantine redrive --config bridge.yaml 2@17
    """
    chosen = bool(reason or source or since is not None)
    if bool(records) == (everything or chosen):
        raise click.UsageError("name records, or choose them by --all, --reason, --source, --since")
    settings = load_configuration(config).settings
    wanted = _wanted((), reason, source, since)
    return run(_redrive(settings, wanted, records, dry_run=dry_run, as_json=as_json))


async def _redrive(
    settings: "Settings",
    wanted: "Callable[[DeadLetter], bool]",
    named: tuple[str, ...],
    *,
    dry_run: bool,
    as_json: bool,
) -> ExitCode:
    from bridge.forward.redrive import Redrive  # noqa: PLC0415
    from bridge.transform.prepare import Preparer  # noqa: PLC0415 - not for --help

    absent: tuple[str, ...] = ()
    if named:
        chosen = await choose(named, _held(settings))
        wanted, absent = chosen.means, chosen.absent
    for name in absent:
        note(f"there is no record {name} in {settings.topics.quarantine}")
    work = Redrive(settings, Preparer(settings, ""), wanted)
    counts: Counter[str] = Counter()
    async for done in work.rehearse() if dry_run else work.run():
        counts[done.outcome] += 1
        if as_json:
            print_json(_as_json(done, dry_run=dry_run))
        elif done.outcome != "already" or named:
            click.echo(f"{done.place[0]}@{done.place[1]}: {_WORDS[done.outcome]}: {done.detail}")
    if not as_json:
        total = ", ".join(f"{count} {_WORDS[outcome]}" for outcome, count in counts.most_common())
        note(f"{'would be: ' if dry_run else ''}{total or 'no record is meant'}")
    return ExitCode.MISMATCH if absent or set(counts) - _OK else ExitCode.OK


_WORDS: Final = {
    "redriven": "forwarded",
    "already": "forwarded before",
    "twin": "a copy of one that was forwarded",
    "still": "still not understood",
    "dropped": "dropped by its route",
    "incomplete": "without its whole body",
    "blocked": "its topic can't take records",
    "rejected": "rejected by Kafka",
}


async def _list(
    settings: "Settings", wanted: "Callable[[DeadLetter], bool]", limit: int | None
) -> list[dict[str, Any]]:
    rows: deque[dict[str, Any]] = deque(maxlen=limit)
    async for held in _held(settings):
        if wanted(held):
            rows.append(_row(held))
    return list(rows)


async def _last(settings: "Settings", wanted: "Callable[[DeadLetter], bool]") -> "DeadLetter | None":
    found = None
    async for held in _held(settings):
        if wanted(held):
            found = held
    return found


async def _held(settings: "Settings") -> Any:
    from bridge.forward.redrive import dead_letters, read_marks  # noqa: PLC0415
    from bridge.kafka.consumer import ends_of  # noqa: PLC0415 - not for --help

    ends = await ends_of(settings.kafka, settings.topics.quarantine)
    async for held in dead_letters(settings, ends, await read_marks(settings, ends)):
        yield held


def _wanted(
    records: tuple[str, ...], reason: str | None, source: str | None, since_ms: int | None
) -> "Callable[[DeadLetter], bool]":
    def wanted(held: "DeadLetter") -> bool:
        entry = held.returned.entry
        return (
            (not records or any(one == place_text(held) or held.returned.id.startswith(one) for one in records))
            and (reason is None or held.returned.reason == reason)
            and (source is None or entry.source == source)
            and (since_ms is None or entry.received_at_ms >= since_ms)
        )

    return wanted


def _row(held: "DeadLetter") -> dict[str, Any]:
    from bridge.cli.journal_text import time_text  # noqa: PLC0415 - not for --help

    returned = held.returned
    return {
        "place": place_text(held),
        "id": returned.id,
        "received_at": time_text(returned.entry.received_at_ms),
        "source": returned.entry.source,
        "hint": returned.entry.hint,
        "reason": returned.reason,
        "event_type": returned.event_type,
        "raw_bytes": returned.raw_bytes,
        "complete": returned.complete,
        "journal_id": returned.journal_id,
        "entry_id": returned.entry.id,
        "bridge": returned.bridge,
        "redriven": held.marked,
    }


def _as_json(done: "Redriven", *, dry_run: bool) -> dict[str, Any]:
    partition, offset = done.place
    return {
        "place": f"{partition}@{offset}",
        "id": done.id,
        "outcome": done.outcome,
        "detail": done.detail,
        "event_type": done.event_type,
        "dry_run": dry_run,
    }
