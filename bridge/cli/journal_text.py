"""How a journal's entries, reports and times are written, and times are read."""

import base64
import datetime as dt
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import orjson
from rich.table import Table

from bridge.journal.offline.salvage import Salvaged
from bridge.journal.offline.verify import Report
from bridge.journal.queries import EntrySummary
from bridge.model import Entry
from bridge.settings.units import parse_duration

if TYPE_CHECKING:
    from bridge.service.drain import Drained

OUTCOMES: Final = {
    "copied": "copied",
    "missing": "there is no such entry (any more)",
    "pending": "still waits to be forwarded: left alone",
    "copy": "is a copy from an earlier replay: passed over",
}


def now_ms() -> int:
    """The time, ms since the epoch."""
    return time.time_ns() // 1_000_000


def parse_moment(text: str) -> int:
    """`2026-06-22T15:00:00Z`, or `2h` for two hours ago → ms since the epoch. Raises ValueError."""
    try:
        return now_ms() - int(parse_duration(text) * 1000)
    except ValueError:
        pass
    try:
        moment = dt.datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"{text!r} is no time (2026-06-22T15:00:00Z) and no duration (2h)") from None
    return int((moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)).timestamp() * 1000)


def time_text(at_ms: int) -> str:
    """RFC 3339 in UTC; the bare number when it is out of every calendar."""
    try:
        return dt.datetime.fromtimestamp(at_ms / 1000, dt.UTC).isoformat(timespec="milliseconds")[:-6] + "Z"
    except (ValueError, OverflowError, OSError):
        return f"{at_ms} ms"


def entry_table(entries: Sequence[EntrySummary]) -> Table:
    """A row an entry."""
    table = Table(box=None, pad_edge=False)
    for title in ("id", "received", "source", "hint", "state", "bytes"):
        table.add_column(title, no_wrap=True, justify="right" if title in {"id", "bytes"} else "left")
    for entry in entries:
        state = f"parked for {entry.topic}" if entry.state == "parked" else entry.state
        table.add_row(
            str(entry.id),
            time_text(entry.received_at_ms),
            entry.source,
            entry.hint or "-",
            state + (", held" if entry.held else ""),
            str(entry.body_bytes),
        )
    return table


def listed_as_json(entry: EntrySummary) -> dict[str, Any]:
    """An entry without its content, for programs."""
    return {
        "id": entry.id,
        "received_at": time_text(entry.received_at_ms),
        "source": entry.source,
        "hint": entry.hint,
        "state": entry.state,
        "topic": entry.topic or None,
        "held": entry.held,
        "headers_bytes": entry.headers_bytes,
        "body_bytes": entry.body_bytes,
    }


def entry_as_json(entry: Entry, listed: EntrySummary) -> dict[str, Any]:
    """An entry with its content: `body` as text when it is UTF-8, else `body_base64`."""
    shown = listed_as_json(listed) | {"headers": _decoded(entry.headers) or {}}
    try:
        return shown | {"body": entry.body.decode()}
    except UnicodeDecodeError:
        return shown | {"body_base64": base64.b64encode(entry.body).decode()}


def entry_text(entry: Entry, listed: EntrySummary) -> str:
    """An entry with its content, for people: JSON indented, other text as it is, bytes as bytes."""
    state = f"parked for {listed.topic}" if listed.state == "parked" else listed.state
    lines = [
        f"entry     {entry.id} ({state}{', held' if listed.held else ''})",
        f"received  {time_text(entry.received_at_ms)}",
        f"source    {entry.source}",
        f"hint      {entry.hint or '-'}",
    ]
    headers = _decoded(entry.headers)
    if isinstance(headers, dict):
        lines += [f"header    {name}: {value}" for name, value in headers.items()]
    lines += [f"body      {len(entry.body)} bytes", ""]
    value = _decoded(entry.body)
    if value is not None:
        lines.append(orjson.dumps(value, option=orjson.OPT_INDENT_2).decode())
    else:
        lines.append(entry.body.decode("utf-8", "backslashreplace"))
    return "\n".join(lines)


def _decoded(text: bytes) -> Any:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return None


def report_text(report: Report, folder: Path) -> str:
    """What verifying has found."""
    lines = [
        f"journal     {report.journal_id}",
        f"entries     {report.entries} ({report.pending} pending, {report.parked} of them parked; {report.held} held)",
        f"ids         next to forward {report.next_id}, highest {report.last_id}",
        f"identities  {report.identities}",
    ]
    lines += [f"damaged     {finding}" for finding in report.damage]
    lines += [f"wrong       {finding}" for finding in report.findings]
    if report.damage:
        lines.append(f"rescue it:  treble-bridge journal salvage {folder} NEW-FOLDER")
    return "\n".join([*lines, "" if report.damage or report.findings else "all is well"]).rstrip()


def salvaged_text(result: Salvaged, new: Path) -> str:
    """What was rescued, and what wasn't."""
    lines = [f"{result.entries} entries rescued into {new} (journal {result.journal_id})"]
    for first, last in result.lost:
        lines.append(f"lost: entry {first}" if first == last else f"lost: entries {first} to {last}")
    lines += [f"note: {text}" for text in result.notes]
    lines.append(f"set journal.path to {new}, and start the bridge; the damaged journal is as it was")
    return "\n".join(lines)


def drained_as_json(drained: "Drained", folder: Path) -> dict[str, Any]:
    """The account of a drain, for programs."""
    account = asdict(drained)
    account["journal_id"] = drained.journal_id or None
    account["left"] = {"entries": drained.entries_left, "lanes": account["left"]}
    return {"path": str(folder), **account, "removable": drained.removable}


def drained_text(drained: "Drained", folder: Path) -> str:
    """The account of a drain, for people."""
    if not drained.journal_id:
        return f"there is no journal in {folder}: nothing to forward, the volume can be removed"
    lines = [f"{name:<11} {value}" for name, value in _drained_rows(drained)]
    lines += [
        f"  {left.entries} for {left.topic or 'all topics'}: {left.state}, {left.reason}" for left in drained.left
    ]
    if drained.left:
        lines.append(f"ended by {drained.cause}: keep the volume, and drain it again or start a bridge on it")
    elif drained.held:
        lines.append(
            f"nothing is left to forward; but of {drained.held} entries the quarantine has only a part, and the whole "
            f"is here: see `journal ls --json` (held) and `journal show`. After that the volume can be removed"
        )
    else:
        kept = f" ({drained.kept} entries kept for replay go with it)" if drained.kept else ""
        lines.append(f"nothing is left to forward: the volume can be removed{kept}")
    return "\n".join(lines)


def _drained_rows(drained: "Drained") -> Iterator[tuple[str, object]]:
    yield "journal", drained.journal_id
    yield "pending", f"{drained.pending} entries at the beginning"
    for name in ("forwarded", "quarantined", "dropped", "duplicates"):
        yield name, getattr(drained, name)
    if drained.known:
        yield "known", f"{drained.known} were on Kafka already"
    yield "left", drained.entries_left
