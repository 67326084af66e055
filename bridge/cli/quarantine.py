"""`treble-bridge quarantine`: look at what was not understood, and send it on its way when it would be by now."""

import re
from collections import Counter, deque
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import asdict
from typing import Any, Final

import click
import orjson

from bridge.cli.console import note, print_bytes, print_json, print_table, run, time_text
from bridge.cli.options import (
    HINT,
    LIMIT,
    Parsed,
    config_option,
    json_option,
    since_option,
    source_option,
    told_by,
)
from bridge.errors import ExitCode
from bridge.forward.redrive import DeadLetter, Redrive, Redriven, dead_letters
from bridge.settings.models import Settings
from bridge.transform.prepare import Preparer

ID_CHARS_SHOWN: Final = 12
_OK: Final = frozenset({"redriven", "already", "twin", "dropped"})

PREFIX_CHARS_MIN: Final = 8
"""A shorter beginning of an id might mean another record than the user thinks."""

_NAME: Final = re.compile(rf"[0-9]{{1,10}}@[0-9]{{1,19}}|[0-9a-f]{{{PREFIX_CHARS_MIN},}}")
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
_COLUMNS: Final = {
    "place": "place",
    "id": "id",
    "received": "received_at",
    "source": "source",
    "hint": "hint",
    "reason": "reason",
    "type": "event_type",
    "bytes": "raw_bytes",
    "redriven": "redriven",
}


def _record_name(text: str) -> str:
    """The place, without leading zeros; or what the id begins with, in small letters."""
    name = text.strip().lower()
    if not _NAME.fullmatch(name):
        raise ValueError(
            f"{text!r} names no record: it takes PARTITION@OFFSET, or at least the first {PREFIX_CHARS_MIN} "
            "characters of an id (0-9, a-f)"
        )
    return "@".join(str(int(part)) for part in name.split("@")) if "@" in name else name


reason_option = click.option("--reason", metavar="REASON", help="Only records with this reason.")


@click.group()
def quarantine() -> None:
    """Look at what was not understood, and forward what is understood now.

    Reads the quarantine topic (a dead-letter topic) from its beginning, only committed records. A record is named by
    its place (PARTITION@OFFSET) or by its id, which is the record's key. The first characters of an id are enough; for
    `redrive` at least 8, and no other id may begin with them.

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
    settings: Settings, reason: str | None, source: str | None, since: int | None, limit: int, as_json: bool
) -> None:
    """List records: place, id, time, source, hint, reason, type, bytes, whether it was redriven. Shows no content.

    \b
    Example:
      treble-bridge quarantine ls --config bridge.yaml --since 2h
    """
    rows = [_row(letter) for letter in run(_last(settings, _filter(reason, source, since), limit or None))]
    if as_json:
        for row in rows:
            print_json(row)
        return
    print_table(tuple(_COLUMNS), map(_cells, rows), right={"bytes"})
    note(f"{len(rows)} records of {settings.topics.quarantine}")


@quarantine.command("show")
@click.argument("record", metavar="ID|PARTITION@OFFSET")
@config_option()
@click.option("--raw", is_flag=True, help="Print the body only, byte for byte.")
@json_option
def show(record: str, settings: Settings, raw: bool, as_json: bool) -> ExitCode:
    """Show one record (of several with the same id, the last) with its problems and the body.

    The body is shown as it came, with the names and phone numbers in it: nothing is masked. Exit code 8 if there is no
    such record. --json prints the record's value, which `explain --record -` takes.

    \b
    Example:
      treble-bridge quarantine show 2@17 --config bridge.yaml
    """
    found = run(_last(settings, lambda letter: record == _place(letter) or letter.returned.id.startswith(record), 1))
    if not found:
        note(f"there is no record {record} in {settings.topics.quarantine}")
        return ExitCode.MISMATCH
    if raw:
        print_bytes(found[0].returned.entry.body)
    elif as_json:
        click.echo(found[0].value)
    else:
        click.echo(orjson.dumps(orjson.loads(found[0].value), option=orjson.OPT_INDENT_2))
        note(f"at {_place(found[0])}; {'redriven' if found[0].marked else 'not redriven'}")
    return ExitCode.OK


@quarantine.command("redrive")
@click.argument("records", metavar="[ID|PARTITION@OFFSET]...", nargs=-1, type=Parsed("record", _record_name))
@config_option()
@click.option("--all", "everything", is_flag=True, help="All records, instead of named ones.")
@reason_option
@source_option
@since_option
@click.option(
    "--hint", type=HINT, help="Read them as if their URL had ended so: the right hint, after a wrong or none."
)
@click.option("--dry-run", is_flag=True, help="Say what would be done.")
@json_option
def redrive(  # noqa: PLR0917 - as above
    records: tuple[str, ...],
    settings: Settings,
    everything: bool,
    reason: str | None,
    source: str | None,
    since: int | None,
    hint: str | None,
    dry_run: bool,
    as_json: bool,
) -> ExitCode:
    """Make events of records with today's version and configuration, and forward those that pass, once.

    A bridge may run meanwhile. The events and a mark in the quarantine topic are written in one transaction, so a
    second run adds nothing. An event has the id and the time of arrival that it would have had, comes after later ones,
    and carries the header treble_redriven. Exit code 8 if a record that was named or chosen is still not forwarded, or
    is not there.

    --hint is for records that are here because their URL had the wrong hint or none. What the body itself tells still
    counts more. It is for all records that are chosen: see with --dry-run what each becomes.

    \b
    Examples:
      treble-bridge quarantine redrive --config bridge.yaml --all --reason unclassified --dry-run
      treble-bridge quarantine redrive --config bridge.yaml 2@17
      treble-bridge quarantine redrive --config bridge.yaml --reason unclassified --since 2h --hint read --dry-run
    """
    chosen = bool(reason or source or since is not None)
    if bool(records) == (everything or chosen):
        raise click.UsageError("name records, or choose them by --all, --reason, --source, --since")
    wanted = _filter(reason, source, since)
    return run(_redrive(settings, wanted, records, hint, dry_run=dry_run, as_json=as_json))


async def _redrive(
    settings: Settings,
    wanted: Callable[[DeadLetter], bool],
    named: tuple[str, ...],
    hint: str | None,
    *,
    dry_run: bool,
    as_json: bool,
) -> ExitCode:
    absent: list[str] = []
    if named:
        wanted, absent = await _named(named, dead_letters(settings))
    for name in absent:
        note(f"there is no record {name} in {settings.topics.quarantine}")
    work = Redrive(settings, Preparer(settings, ""), wanted, dry_run=dry_run, hint=hint)
    words = _WORDS | ({"redriven": "would be forwarded"} if dry_run else {})
    counts: Counter[str] = Counter()
    async for done in work.run():
        counts[done.outcome] += 1
        if as_json:
            print_json({**asdict(done), "place": _place(done), "dry_run": dry_run})
        elif done.outcome != "already" or named:
            become = f", as {told_by(done.event_type, hint)}" if hint and done.outcome == "redriven" else ""
            click.echo(f"{_place(done)}: {words[done.outcome]}: {done.detail}{become}")
    if not as_json:
        total = ", ".join(f"{count} {words[outcome]}" for outcome, count in counts.most_common())
        note(total or "no record is meant")
    return ExitCode.MISMATCH if absent or set(counts) - _OK else ExitCode.OK


def _filter(reason: str | None, source: str | None, since_ms: int | None) -> Callable[[DeadLetter], bool]:
    def wanted(letter: DeadLetter) -> bool:
        entry = letter.returned.entry
        return (
            (reason is None or letter.returned.reason == reason)
            and (source is None or entry.source == source)
            and (since_ms is None or entry.received_at_ms >= since_ms)
        )

    return wanted


async def _last(settings: Settings, wanted: Callable[[DeadLetter], bool], limit: int | None) -> list[DeadLetter]:
    """The last `limit` records that are wanted; all of them with None."""
    found: deque[DeadLetter] = deque(maxlen=limit)
    async for letter in dead_letters(settings):
        if wanted(letter):
            found.append(letter)
    return list(found)


def _row(letter: DeadLetter) -> dict[str, Any]:
    returned = letter.returned
    return {
        "place": _place(letter),
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
        "redriven": letter.marked,
    }


def _cells(row: dict[str, Any]) -> list[str]:
    shown = {**row, "id": row["id"][:ID_CHARS_SHOWN], "redriven": "yes" if row["redriven"] else ""}
    return [str(shown[name] or "") for name in _COLUMNS.values()]


def _place(letter: DeadLetter | Redriven) -> str:
    """`PARTITION@OFFSET`."""
    return f"{letter.place[0]}@{letter.place[1]}"


async def _named(
    names: Sequence[str], records: AsyncIterator[DeadLetter]
) -> tuple[Callable[[DeadLetter], bool], list[str]]:
    """Which records are meant by names, and the names that mean none. Raises click.UsageError when one means several.

    Looked up before anything is done: the beginning of an id must not come to mean a second one meanwhile.
    """
    found: dict[str, set[str]] = {name: set() for name in names}
    async for letter in records:
        for name, meant in found.items():
            meant |= {word for word in _names_of(letter) if word == name or ("@" not in word and word.startswith(name))}
    for name, meant in found.items():
        if len(meant) > 1:
            raise click.UsageError(f"{name} is the beginning of {len(meant)} ids: name more of it, or a place")
    every = set().union(*found.values())
    absent = [name for name, meant in found.items() if not meant]
    return lambda letter: not every.isdisjoint(_names_of(letter)), absent


def _names_of(letter: DeadLetter) -> set[str]:
    return {_place(letter), letter.returned.id.lower()}
