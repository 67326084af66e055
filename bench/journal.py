"""What the journal costs by itself: CPU per entry, commits, latency. `python -m bench.journal --help`.

The baseline is the same appenders on the same loop with a journal that confirms at the loop's next turn. `busy` means
that each appender computes for a while before it appends, as parsing a request does: then the writer thread has to
compete for the interpreter's lock, which is the real situation.
"""

import argparse
import asyncio
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import orjson
import uvloop

from bench.processes import cores
from bridge.catalogue.samples import sample
from bridge.journal import Journal, Limits
from bridge.model import Entry, Positions
from bridge.telemetry import Telemetry

APPENDERS = 64
BATCH = 500
LOOP_ROUNDS_PER_US = 24


class Watched(Telemetry):
    """Keeps what each commit took."""

    def __init__(self) -> None:
        super().__init__()
        self.commits: list[tuple[int, float]] = []

    def journal_committed(self, entries: int, seconds: float) -> None:
        """Note it."""
        self.commits.append((entries, seconds))
        super().journal_committed(entries, seconds)


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m bench.journal", description=__doc__)
    parser.add_argument("--entries", type=int, default=40_000, help="entries of a run (default 40000)")
    parser.add_argument("--rounds", type=int, default=5, help="interleaved rounds; medians count (default 5)")
    parser.add_argument("--work-us", type=int, default=50, help="computing before each append when busy (default 50)")
    parser.add_argument("--switch-ms", type=float, default=5.0, help="the interpreter's switch interval (default 5)")
    parser.add_argument("--remembered", type=int, default=600_000, help="dedupe keys in the window (default 600000)")
    parser.add_argument("--dir", default="/var/tmp", help="a folder on a real disk (default /var/tmp)")  # noqa: S108 - a folder of ours is made in it
    parser.add_argument("--json", action="store_true", help="for programs")
    options = parser.parse_args()
    os.sched_setaffinity(0, cores()[0])
    sys.setswitchinterval(options.switch_ms / 1000)
    runs: dict[str, list[dict[str, float]]] = {}
    for _ in range(options.rounds):
        for name, work_us in (("quiet", 0), ("busy", options.work_us)):
            with tempfile.TemporaryDirectory(prefix="bench-", dir=options.dir) as folder:
                runs.setdefault(name, []).append(
                    uvloop.run(_appending(Path(folder) / "journal", options.entries, work_us))
                )
    result: dict[str, Any] = {
        name: {key: round(statistics.median(run[key] for run in rows), 3) for key in rows[0]}
        for name, rows in runs.items()
    }
    with tempfile.TemporaryDirectory(prefix="bench-", dir=options.dir) as folder:
        result["forwarding"] = uvloop.run(_forwarding(Path(folder) / "journal", options.remembered))
    print(json.dumps(result, indent=2) if options.json else _table(result))
    return 0


def _open(folder: Path, telemetry: Telemetry) -> Journal:
    return Journal.open(
        folder,
        Limits(8 << 30, 3_600_000, 1 << 30, 86_400_000),
        telemetry=telemetry,
        clock_ms=_now_ms,
    )


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


async def _appending(folder: Path, entries: int, work_us: int) -> dict[str, float]:
    """CPU and latency of appends, less those of the baseline."""
    loop = asyncio.get_running_loop()

    def at_once(_: Entry) -> Awaitable[int]:
        future: asyncio.Future[int] = loop.create_future()
        loop.call_soon(future.set_result, 1)
        return future

    base_cpu_us, _, base_acks = await _drive(at_once, entries, work_us)
    telemetry = Watched()
    journal = _open(folder, telemetry)
    cpu_us, wall_s, acks = await _drive(journal.append, entries, work_us)
    await journal.close()
    seconds = sorted(seconds for _, seconds in telemetry.commits)
    return {
        "cpu_us_per_entry": cpu_us - base_cpu_us,
        "entries_per_s": entries / wall_s,
        "commits_per_s": len(seconds) / wall_s,
        "entries_per_commit": entries / len(seconds),
        "commit_p50_ms": seconds[len(seconds) // 2] * 1000,
        "commit_p99_ms": seconds[int(len(seconds) * 0.99)] * 1000,
        "append_p50_ms": acks[len(acks) // 2] * 1000,
        "append_p99_ms": acks[int(len(acks) * 0.99)] * 1000,
        "baseline_p99_ms": base_acks[int(len(base_acks) * 0.99)] * 1000,
    }


async def _drive(
    append: Callable[[Entry], Awaitable[int]], entries: int, work_us: int
) -> tuple[float, float, list[float]]:
    """CPU µs an entry, wall seconds, and the sorted seconds of all appends."""
    body = orjson.dumps(sample("message.read"))
    acks: list[float] = []

    async def appender() -> None:
        for _ in range(entries // APPENDERS):
            _compute(work_us)
            began_s = time.perf_counter()
            await append(Entry(0, _now_ms(), "treble", "read", b'{"content-type":"application/json"}', body))
            acks.append(time.perf_counter() - began_s)

    cpu_s, wall_s = time.process_time(), time.perf_counter()
    await asyncio.gather(*(appender() for _ in range(APPENDERS)))
    cpu_s, wall_s = time.process_time() - cpu_s, time.perf_counter() - wall_s
    return cpu_s / entries * 1e6, wall_s, sorted(acks)


def _compute(work_us: int) -> int:
    total = 0
    for number in range(work_us * LOOP_ROUNDS_PER_US):
        total += number
    return total


async def _forwarding(folder: Path, remembered: int) -> dict[str, float]:
    """CPU of an event on its way out: read, look up, advance, with a window that holds `remembered` dedupe keys."""
    journal = _open(folder, Telemetry())
    for _ in range(0, remembered, 5000):
        await journal.advance(journal.positions, [(os.urandom(16), _now_ms()) for _ in range(5000)])
    body = orjson.dumps(sample("message.read"))
    entries = 100 * BATCH
    for start in range(0, entries, 1000):
        await asyncio.gather(
            *(journal.append(Entry(0, _now_ms(), "treble", "read", b"", body)) for _ in range(start, start + 1000))
        )
    spent = {"read": 0.0, "seen": 0.0, "advance": 0.0}
    for _ in range(entries // BATCH):
        cpu_s = time.process_time()
        batch = await journal.read(journal.positions.next_id, BATCH, 4 << 20)
        spent["read"] += time.process_time() - cpu_s
        dedupe_keys = [(os.urandom(16), entry.received_at_ms) for entry in batch]
        cpu_s = time.process_time()
        await journal.seen([dedupe_key for dedupe_key, _ in dedupe_keys], 0)
        spent["seen"] += time.process_time() - cpu_s
        cpu_s = time.process_time()
        await journal.advance(Positions(batch[-1].id + 1), dedupe_keys)
        spent["advance"] += time.process_time() - cpu_s
    cpu_s = time.process_time()
    await journal.close()
    spent["close"] = time.process_time() - cpu_s
    return {f"{name}_cpu_us_per_event": round(seconds / entries * 1e6, 2) for name, seconds in spent.items()}


def _table(result: dict[str, Any]) -> str:
    return "\n".join(f"{part:<12}{key:<28}{value:>12,}" for part, rows in result.items() for key, value in rows.items())


if __name__ == "__main__":
    sys.exit(main())
