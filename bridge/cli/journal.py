"""`treble-bridge journal`: look into a journal, verify it, forward entries again, drain it, rescue a damaged one."""

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bridge.cli.console import console, note, print_json
from bridge.cli.journal_drain import DATABASE, drain_journal
from bridge.cli.options import ENTRY_ID, ID_MAX, LIMIT, SizeType, json_option
from bridge.errors import ExitCode

if TYPE_CHECKING:
    from bridge.journal.offline.replay import Replayed
    from bridge.journal.queries import EntrySummary


class JournalPath(click.ParamType):  # type: ignore[type-arg]  # generic in newer versions of click only
    """A journal's folder; the database inside it names the same."""

    name = "path"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Path:
        """The folder. Raises JournalUnusableError where this user may not look."""
        path = Path(value)
        folder = path.parent if path.name == DATABASE else path
        from bridge.journal.lock import find_journal  # noqa: PLC0415 - not for --help

        if not find_journal(folder):
            self.fail(f"there is no journal in {folder}: it has no file {DATABASE}", param, ctx)
        return folder


class Moment(click.ParamType):  # type: ignore[type-arg]  # generic in newer versions of click only
    """A time (RFC 3339, UTC without an offset), or a duration back from now; ms since the epoch once parsed."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """`2026-06-22T15:00:00Z` or `2h`."""
        from bridge.cli.journal_text import parse_moment  # noqa: PLC0415 - not for --help

        if isinstance(value, int):
            return value
        try:
            return parse_moment(str(value))
        except ValueError as error:
            self.fail(str(error), param, ctx)


class Bound(Moment):
    """An entry's id, or a time: `("id", 17)` or `("time", ms)` once parsed."""

    name = "id or time"

    def convert(  # type: ignore[override]
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, int]:
        """`17`, or as Moment."""
        if isinstance(value, tuple):
            return value
        if str(value).isdecimal():
            return "id", click.IntRange(0, ID_MAX).convert(value, param, ctx)
        return "time", super().convert(value, param, ctx)


path_argument = click.argument("path", type=JournalPath())
source_option = click.option("--source", metavar="NAME", help="Only entries of this source.")
hint_option = click.option("--hint", metavar="HINT", help="Only entries whose URL ended so; '' is the bare path.")


@click.group()
def journal() -> None:
    """Look into the journal, verify it, forward entries again, drain it.

    PATH is the journal's folder (`journal.path` of the configuration). `ls`, `show` and `verify` work while a bridge
    runs on it; the others need it stopped.

    \b
    Example:
      treble-bridge journal ls /var/lib/treble-bridge --state parked
    """


@journal.command("ls")
@path_argument
@click.option("--state", type=click.Choice(["pending", "forwarded", "parked"]), help="Only entries in this state.")
@source_option
@hint_option
@click.option("--since", type=Moment(), help="Only entries received since then (2026-06-22T15:00:00Z, or 2h ago: 2h).")
@click.option("--limit", type=LIMIT, default=50, show_default=True, help="The newest so many; 0 is all of them.")
@json_option
def list_entries(  # noqa: PLR0917 - click hands over an argument an option
    path: Path, state: Any, source: str | None, hint: str | None, since: int | None, limit: int, as_json: bool
) -> None:
    """List entries, oldest first: id, time, source, hint, state, sizes. No content.

    States: pending (waits to be forwarded), parked (waits because its topic can't take records), forwarded (kept for
    replay, until `journal.retain`).

    \b
    Example:
      treble-bridge journal ls /var/lib/treble-bridge --state pending --since 2h
    """
    from bridge.cli.journal_text import entry_table, listed_as_json  # noqa: PLC0415 - not for --help
    from bridge.journal.offline.inspect import Filter, list_entries, read_state  # noqa: PLC0415

    entries = list_entries(path, Filter(state, source, hint, since), limit or None)
    if as_json:
        for entry in entries:
            print_json(listed_as_json(entry))
        return
    console().print(entry_table(entries))
    note(f"{len(entries)} entries shown; next to forward: {read_state(path).positions.next_id}")


@journal.command("show")
@path_argument
@click.argument("entry_id", metavar="ID", type=ENTRY_ID)
@click.option("--raw", is_flag=True, help="Print the body only, byte for byte.")
@json_option
def show(path: Path, entry_id: int, raw: bool, as_json: bool) -> ExitCode:
    """Show one entry with its headers and its body.

    The body is shown as it came, with the names and phone numbers in it: nothing is masked. Exit code 8 when there is
    no such entry (any more).

    \b
    Example:
      treble-bridge journal show /var/lib/treble-bridge 17
    """
    from bridge.cli.journal_text import entry_as_json, entry_text  # noqa: PLC0415 - not for --help
    from bridge.journal.offline.inspect import get_entry  # noqa: PLC0415

    found = get_entry(path, entry_id)
    if found is None:
        note(f"there is no entry {entry_id}: it was never given, or is forwarded and no longer kept")
        return ExitCode.MISMATCH
    entry, listed = found
    if raw:
        sys.stdout.buffer.write(entry.body)
        sys.stdout.buffer.flush()
    elif as_json:
        print_json(entry_as_json(entry, listed))
    else:
        click.echo(entry_text(entry, listed))
    return ExitCode.OK


@journal.command("verify")
@path_argument
@json_option
def verify_journal(path: Path, as_json: bool) -> ExitCode:
    """Check a journal: the database's structure, and that what is in it agrees.

    Reads all of it, about a second for 200 MiB; a bridge may run meanwhile. Exit codes: 0 all is well, 4 the database
    is damaged, 8 it is whole but contradicts itself.

    \b
    Example:
      treble-bridge journal verify /var/lib/treble-bridge
    """
    from dataclasses import asdict  # noqa: PLC0415 - not for --help

    from bridge.cli.journal_text import report_text  # noqa: PLC0415
    from bridge.journal.offline.verify import verify  # noqa: PLC0415

    report = verify(path)
    if as_json:
        print_json(asdict(report))
    else:
        click.echo(report_text(report, path))
    if report.damage:
        return ExitCode.JOURNAL_CORRUPT
    return ExitCode.MISMATCH if report.findings else ExitCode.OK


@journal.command("replay")
@path_argument
@click.argument("ids", metavar="[ID]...", nargs=-1, type=ENTRY_ID)
@click.option("--from", "from_bound", type=Bound(), help="Instead of ids: from this id, or this time, on.")
@click.option("--to", "to_bound", type=Bound(), help="Instead of ids: up to this id, or this time (it included).")
@source_option
@hint_option
@click.option(
    "--max-bytes",
    type=SizeType(),
    default="2GiB",
    show_default=True,
    help="The bridge's journal.max_bytes: no more is copied than leaves it room for webhooks.",
)
@click.option("--again", is_flag=True, help="Send even what the window of duplicates says was sent already.")
@click.option("--dry-run", is_flag=True, help="Say what would be done; also while a bridge runs.")
@json_option
def replay_entries(  # noqa: PLR0917 - as above
    path: Path,
    ids: tuple[int, ...],
    from_bound: tuple[str, int] | None,
    to_bound: tuple[str, int] | None,
    source: str | None,
    hint: str | None,
    max_bytes: int,
    again: bool,
    dry_run: bool,
    as_json: bool,
) -> ExitCode:
    """Forward entries again: copies of them are put at the end of the journal, and take the normal way.

    The copies go out when the bridge runs again, by the configuration and the program of that time. An event that was
    forwarded within the window of duplicates (`duplicates.window`) is dropped as a duplicate, unless --again: then
    consumers get it a second time, with the same event id and the same times. Entries that still wait are left alone.
    Copies take room: it stops before the journal is 95 % full (of --max-bytes), and says where to go on. Exit code 8
    when an entry that was named is not there. Needs the bridge to be stopped.

    \b
    Examples:
      treble-bridge journal replay /var/lib/treble-bridge 17 18 --again
      treble-bridge journal replay /var/lib/treble-bridge --from 2026-06-22T15:00:00Z --hint read --dry-run
    """
    from bridge.cli.journal_text import now_ms  # noqa: PLC0415 - not for --help
    from bridge.journal.offline import replay as replaying  # noqa: PLC0415

    if bool(ids) == bool(from_bound or to_bound):
        raise click.UsageError("name entries by their ids, or a range by --from and --to")
    if ids and (source is not None or hint is not None):
        raise click.UsageError("--source and --hint choose from a range; entries that are named by ids are all meant")
    wanted: Iterable[int] = ids or _in_range(path, from_bound, to_bound, source, hint)
    originals_only = not ids
    if dry_run:
        done = replaying.rehearse(path, wanted, originals_only=originals_only)
    else:
        done = replaying.replay(
            path, wanted, again=again, originals_only=originals_only, clock_ms=now_ms, bytes_max=max_bytes
        )
    counts = _tell_replayed(done, again=again, as_json=as_json, dry_run=dry_run)
    return ExitCode.MISMATCH if counts.get("missing") else ExitCode.OK


def _in_range(
    path: Path,
    from_bound: tuple[str, int] | None,
    to_bound: tuple[str, int] | None,
    source: str | None,
    hint: str | None,
) -> list[int]:
    """The forwarded entries of a range. Fixed before anything is copied: the copies are not part of it."""
    from bridge.journal.offline.inspect import Filter  # noqa: PLC0415 - not for --help
    from bridge.journal.offline.replay import select  # noqa: PLC0415

    from_id, from_ms = _bounds(from_bound, 1, 0)
    to_id, to_ms = _bounds(to_bound, ID_MAX, ID_MAX)
    match = Filter("forwarded", source, hint, from_ms)

    def wanted(entry: "EntrySummary") -> bool:
        return entry.received_at_ms <= to_ms and match.matches(entry)

    return list(select(path, wanted, from_id, to_id))


def _bounds(bound: tuple[str, int] | None, otherwise_id: int, otherwise_ms: int) -> tuple[int, int]:
    """An end of the range as an id and as a time."""
    if bound is None:
        return otherwise_id, otherwise_ms
    kind, value = bound
    return (value, otherwise_ms) if kind == "id" else (otherwise_id, value)


def _tell_replayed(done: "Iterable[Replayed]", *, again: bool, as_json: bool, dry_run: bool) -> dict[str, int]:
    """Print what became of each entry that was not copied (with --json of all), and count."""
    from bridge.cli.journal_text import OUTCOMES  # noqa: PLC0415 - not for --help

    counts: dict[str, int] = {}
    for one in done:
        counts[one.outcome] = counts.get(one.outcome, 0) + 1
        if as_json:
            print_json({"id": one.entry_id, "outcome": one.outcome, "new_id": one.new_id or None, "dry_run": dry_run})
        elif one.outcome != "copied":
            click.echo(f"{one.entry_id}: {OUTCOMES[one.outcome]}")
    if not as_json:
        copied = counts.get("copied", 0)
        but = "" if again or not copied else ", but those forwarded within duplicates.window (--again sends these, too)"
        going = f"{copied} copied: they go out when the bridge runs{but}"
        click.echo(f"{copied} would be copied" if dry_run else going)
    return counts


@journal.command("release")
@path_argument
@click.argument("ids", metavar="ID...", nargs=-1, required=True, type=ENTRY_ID)
def release_entries(path: Path, ids: tuple[int, ...]) -> None:
    """Let go of entries that are held: from now on they are deleted by age and size, as all others are.

    An entry is held when its body is so large that its quarantine record carries only the beginning; `ls --json`
    says which are. Needs the bridge to be stopped.

    \b
    Example:
      treble-bridge journal release /var/lib/treble-bridge 17
    """
    from bridge.cli.journal_text import now_ms  # noqa: PLC0415 - not for --help
    from bridge.journal.offline.replay import release  # noqa: PLC0415

    release(path, ids, now_ms)


@journal.command("renew")
@path_argument
@json_option
def renew_journal(path: Path, as_json: bool) -> None:
    """Let a restored copy of a journal be forwarded, under a new id.

    Kafka counts entries by the journal's id. A copy from a backup takes new webhooks under ids that Kafka has counted
    already, so a bridge forwards nothing from it, and says so (`journal.restored` in its log, `kafka` in /readyz). Stop
    it, run this, and start it again: what the copy holds and Kafka doesn't have is forwarded. Don't run it on a journal
    that no bridge has refused: what Kafka took last might be sent a second time.

    \b
    Example:
      treble-bridge journal renew /var/lib/treble-bridge
    """
    from dataclasses import asdict  # noqa: PLC0415 - not for --help

    from bridge.cli.journal_text import now_ms  # noqa: PLC0415
    from bridge.journal.offline.renew import renew  # noqa: PLC0415

    renewed = renew(path, now_ms)
    if as_json:
        print_json(asdict(renewed))
    else:
        click.echo(f"journal {renewed.former_id} is {renewed.journal_id} now; {renewed.pending} entries to forward")


@journal.command("salvage")
@path_argument
@click.argument("new", metavar="NEW", type=click.Path(path_type=Path))
@json_option
def salvage_journal(path: Path, new: Path, as_json: bool) -> ExitCode:
    """Rescue what can be read of a damaged journal into the new folder NEW. The damaged one is kept as it is.

    Ids stay the same, and the journal's own id if it can be read, so that Kafka's positions stay true: set
    `journal.path` to NEW and start the bridge. Exit code 8 when something could not be read. Needs the bridge to be
    stopped, and free space for what is rescued.

    \b
    Example:
      treble-bridge journal salvage /var/lib/treble-bridge /var/lib/treble-bridge-new
    """
    from dataclasses import asdict  # noqa: PLC0415 - not for --help

    from bridge.cli.journal_text import now_ms, salvaged_text  # noqa: PLC0415
    from bridge.journal.database import translated  # noqa: PLC0415
    from bridge.journal.offline.salvage import salvage  # noqa: PLC0415

    with translated(new, "be written"):
        result = salvage(path, new, now_ms)
    if as_json:
        print_json(asdict(result))
    else:
        click.echo(salvaged_text(result, new))
    return ExitCode.MISMATCH if result.lost or result.notes else ExitCode.OK


journal.add_command(drain_journal)
