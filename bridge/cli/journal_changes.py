"""`treble-bridge journal`: the commands that need the bridge to be stopped: replay, renew, salvage, unpin, drain."""

import sys
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from bridge.cli.console import note, print_json, print_result
from bridge.cli.options import (
    BOUND,
    DURATION,
    ENTRY_ID,
    HINT,
    ID_MAX,
    SIZE,
    JournalPath,
    config_option,
    hint_option,
    journal_argument,
    json_option,
    now_ms,
    source_option,
    told_by,
)
from bridge.errors import ExitCode
from bridge.journal.database import translated
from bridge.journal.lock import find_journal
from bridge.journal.offline import inspect
from bridge.journal.offline import replay as replaying
from bridge.journal.offline.salvage import Salvaged
from bridge.journal.offline.salvage import salvage as rescue
from bridge.journal.queries import EntrySummary
from bridge.model import Entry, Event

if TYPE_CHECKING:
    from bridge.service.drain import Drained
    from bridge.settings.models import Settings

_OUTCOMES: Final = {
    "missing": "there is no such entry (any more)",
    "pending": "still waits to be forwarded: left alone",
    "copy": "is a copy from an earlier replay: passed over",
}


@click.command("replay")
@journal_argument
@click.argument("ids", metavar="[ID]...", nargs=-1, type=ENTRY_ID)
@click.option("--from", "from_bound", type=BOUND, help="Instead of ids: from this id, or this time, on.")
@click.option("--to", "to_bound", type=BOUND, help="Instead of ids: up to and including this id, or this time.")
@source_option
@hint_option
@click.option(
    "--hint-as", type=HINT, help="Copy them as if their URL had ended so: the right hint, after a wrong or none."
)
@click.option("--max-bytes", type=SIZE, default="2GiB", show_default=True,
              help="The bridge's journal.max_bytes: no more is copied than leaves it room for webhooks.")  # fmt: skip
@click.option(
    "--again", is_flag=True, help="Send also what was forwarded within the dedupe window: consumers get it twice."
)
@click.option("--dry-run", is_flag=True, help="Say what would be done; also while a bridge runs.")
@json_option
def replay(  # noqa: PLR0917 - click hands over an argument an option
    path: Path,
    ids: tuple[int, ...],
    from_bound: dict[str, int] | None,
    to_bound: dict[str, int] | None,
    source: str | None,
    hint: str | None,
    hint_as: str | None,
    max_bytes: int,
    again: bool,
    dry_run: bool,
    as_json: bool,
) -> ExitCode:
    """Forward entries again: copies of them are put at the end of the journal, and forwarded as all others.

    The copies go out when the bridge runs again, with the configuration and the version of that time. An event that was
    forwarded within the dedupe window (`duplicates.window`) is dropped as a duplicate, unless --again: then consumers
    get it a second time, with the same event id and the same times. Entries that still wait are left alone.
    --hint-as is for entries whose URL had the wrong hint or none, so that they went to the quarantine or out as the
    wrong type. Their events are new ones, with ids of their own type. What the body itself tells still counts more, and
    so do the event types of the configuration (`events`). --dry-run says what each entry would become without those.
    Copies take room: replay stops before the journal is 95 % full (of --max-bytes), and says where to go on. Exit code
    8 if an entry that was named is not there. The bridge must be stopped.

    \b
    Examples:
      treble-bridge journal replay /var/lib/treble-bridge 17 18 --again
      treble-bridge journal replay /var/lib/treble-bridge --from 2026-06-22T15:00:00Z --hint read --dry-run
      treble-bridge journal replay /var/lib/treble-bridge --from 17 --to 99 --hint read --hint-as delivered --dry-run
    """
    if bool(ids) == bool(from_bound or to_bound):
        raise click.UsageError("name entries by their ids, or a range by --from and --to")
    if ids and (source is not None or hint is not None):
        raise click.UsageError("--source and --hint choose from a range; entries that are named by ids are all meant")
    wanted: Iterable[int] = ids or _in_range(path, from_bound or {}, to_bound or {}, source, hint)
    originals_only = not ids
    if dry_run:
        done = replaying.rehearse(path, wanted, originals_only=originals_only, hint=hint_as)
    else:
        done = replaying.replay(
            path, wanted, again=again, originals_only=originals_only, clock_ms=now_ms, bytes_max=max_bytes, hint=hint_as
        )
    counts = _print_replayed(done, hint_as, again=again, as_json=as_json, dry_run=dry_run)
    return ExitCode.MISMATCH if counts["missing"] else ExitCode.OK


def _in_range(
    path: Path, first: Mapping[str, int], last: Mapping[str, int], source: str | None, hint: str | None
) -> list[int]:
    """The forwarded entries of a range. Fixed before anything is copied: the copies are not part of it."""
    match = inspect.Filter("forwarded", source, hint, first.get("time"))

    def wanted(entry: EntrySummary) -> bool:
        return entry.received_at_ms <= last.get("time", ID_MAX) and match.matches(entry)

    return list(replaying.select(path, wanted, first.get("id", 1), last.get("id", ID_MAX)))


def _print_replayed(
    done: Iterable[replaying.Replayed], hint: str | None, *, again: bool, as_json: bool, dry_run: bool
) -> Counter[str]:
    """Print what became of each entry that was not copied (with --json of all), and count. With another hint a
    rehearsal says what the others would become.
    """
    counts: Counter[str] = Counter()
    for one in done:
        counts[one.outcome] += 1
        if as_json:
            become = _becomes(one.copy) if hint and one.copy else {}
            line = {"id": one.entry_id, "outcome": one.outcome, "new_id": one.new_id or None, "dry_run": dry_run}
            print_json({**line, **become})
        elif one.outcome != "copied":
            click.echo(f"{one.entry_id}: {_OUTCOMES[one.outcome]}")
        elif hint and one.copy:
            become = _becomes(one.copy)
            event_type, reason = become["event_type"], become["reason"]
            would = f"become {told_by(event_type, hint)}" if event_type else f"go to the quarantine: {reason}"
            click.echo(f"{one.entry_id}: would {would}")
    if not as_json:
        copied = counts["copied"]
        but = "" if again or not copied else ", but those forwarded within duplicates.window (--again sends these, too)"
        going = f"{copied} copied: they go out when the bridge runs{but}"
        click.echo(f"{copied} would be copied" if dry_run else going)
    return counts


def _becomes(entry: Entry) -> dict[str, str | None]:
    """The type of its event, or why it is none: by the catalogue alone."""
    from bridge.transform.normalize import examine  # noqa: PLC0415 - not for the other commands

    _, result = examine(entry, None)
    if isinstance(result, Event):
        return {"event_type": result.type, "reason": None}
    return {"event_type": None, "reason": result.reason}


@click.command("unpin")
@journal_argument
@click.argument("ids", metavar="ID...", nargs=-1, required=True, type=ENTRY_ID)
def unpin(path: Path, ids: tuple[int, ...]) -> None:
    """Let retention delete pinned entries again, by age and size, as all others.

    An entry is pinned when its body is so large that its quarantine record carries only the beginning. `journal ls`
    shows which are pinned. The bridge must be stopped.

    \b
    Example:
      treble-bridge journal unpin /var/lib/treble-bridge 17
    """
    replaying.unpin(path, ids, now_ms)


@click.command("renew")
@journal_argument
@json_option
def renew(path: Path, as_json: bool) -> None:
    """Let a restored copy of a journal be forwarded, under a new id.

    Kafka counts entries by the journal's id. A copy from a backup takes new webhooks under ids that Kafka has counted
    already, so a bridge forwards nothing from it, and says so (`journal.restored` in its log, `kafka` in /readyz). Stop
    it, run this, and start it again: every entry that Kafka doesn't have is forwarded. Don't run it on a journal that
    no bridge has refused: its last entries might be sent a second time.

    \b
    Example:
      treble-bridge journal renew /var/lib/treble-bridge
    """
    renewed = replaying.renew(path, now_ms)
    text = f"journal {renewed.former_id} is {renewed.journal_id} now; {renewed.pending} entries to forward"
    print_result(asdict(renewed), text, as_json=as_json)


@click.command("salvage")
@journal_argument
@click.argument("new", metavar="NEW", type=click.Path(path_type=Path))
@json_option
def salvage(path: Path, new: Path, as_json: bool) -> ExitCode:
    """Rescue what can be read of a damaged journal into the new folder NEW. The damaged one is kept as it is.

    Ids stay the same, and the journal's own id if it can be read, so that Kafka's positions stay true: set
    `journal.path` to NEW and start the bridge. Exit code 8 if something could not be read. The bridge must be
    stopped, and there must be free space for what is rescued.

    \b
    Example:
      treble-bridge journal salvage /var/lib/treble-bridge /var/lib/treble-bridge-new
    """
    with translated(new, "be written"):
        result = rescue(path, new, now_ms)
    print_result(asdict(result), _salvaged_text(result, new), as_json=as_json)
    return ExitCode.MISMATCH if result.lost or result.notes else ExitCode.OK


@click.command("drain")
@click.argument("path", type=JournalPath(empty=True))
@config_option()
@click.option("--wait", type=DURATION, default="0", show_default=True,
              help="How long to wait for an owner of the journal to end.")  # fmt: skip
@click.option("--deadline", type=DURATION, default="10m", show_default=True,
              help="How long to forward at the most; 0 is as long as it takes.")  # fmt: skip
@json_option
def drain(path: Path, settings: "Settings", wait: float, deadline: float, as_json: bool) -> ExitCode:
    """Forward what an abandoned journal still holds, once, and end. Takes no webhooks and opens no port.

    It forwards under the journal's own id, as the bridge would: in order, without what Kafka has already, through the
    same topics, dedupe window and quarantine. The configuration says how, and to which Kafka; its `journal.path`
    is not used. A journal that has an owner is refused (exit code 3). If there is no journal, there is nothing to do,
    and none is made.

    Exit code 0: nothing is left, not even deferred entries. 7: --deadline or a signal ended it before that. It says how
    many entries are left and why. Nothing is lost: the next drain, or the next bridge, goes on.

    \b
    Example:
      treble-bridge journal drain /mnt/journal-2 --config bridge.yaml --wait 30s --deadline 10m
    """
    from bridge.service import drain as draining  # noqa: PLC0415 - the whole bridge: not for the other commands

    drained = draining.Drained()
    if find_journal(path):
        tell = (lambda done, left: note(f"{done} done, {left} left")) if sys.stderr.isatty() else None
        drained = draining.drain(settings, path, wait_s=wait, deadline_s=deadline, tell=tell)
    print_result(drained_as_json(drained, path), drained_text(drained, path), as_json=as_json)
    return drained.exit_code


def _salvaged_text(result: Salvaged, new: Path) -> str:
    lines = [f"{result.entries} entries rescued into {new} (journal {result.journal_id})"]
    for first, last in result.lost:
        lines.append(f"lost: entry {first}" if first == last else f"lost: entries {first} to {last}")
    lines += [f"note: {text}" for text in result.notes]
    lines.append(f"set journal.path to {new}, and start the bridge; the damaged journal is as it was")
    return "\n".join(lines)


def drained_as_json(drained: "Drained", folder: Path) -> dict[str, Any]:
    account = asdict(drained) | {"journal_id": drained.journal_id or None, "known": drained.known}
    account["left"] = {"entries": drained.entries_left, "paused_topics": account["left"]}
    return {"path": str(folder), **account, "removable": drained.removable}


def drained_text(drained: "Drained", folder: Path) -> str:
    if not drained.journal_id:
        return f"there is no journal in {folder}: nothing to forward, the volume can be removed"
    lines = [f"journal     {drained.journal_id}", f"pending     {drained.pending} entries at the beginning"]
    lines += [f"{name:<11} {getattr(drained, name)}" for name in ("forwarded", "quarantined", "dropped", "duplicates")]
    lines += [f"known       {drained.known} were on Kafka already"] if drained.known else []
    lines.append(f"left        {drained.entries_left}")
    lines += [
        f"  {left.entries} for {left.topic or 'all topics'}: {left.state}, {left.reason}" for left in drained.left
    ]
    if drained.left:
        lines.append(f"ended by {drained.cause}: keep the volume, and drain it again or start a bridge on it")
    elif drained.pinned:
        lines.append(
            f"nothing is left to forward; of {drained.pinned} pinned entries the quarantine has only a part, and the "
            f"whole is here: see `journal ls --json` and `journal show`. After that the volume can be removed"
        )
    else:
        kept = f" ({drained.kept} entries kept for replay go with it)" if drained.kept else ""
        lines.append(f"nothing is left to forward: the volume can be removed{kept}")
    return "\n".join(lines)
