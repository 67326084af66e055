"""How fast a webhook gets through, beside a bare handler in the same run. `python -m bench.ingress --help`."""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import orjson

from bench.backlog import measure_backlog
from bench.bridge_under_test import BridgeUnderTest
from bench.load import PLACEHOLDER, Load, Outcome
from bench.processes import Pinned, cores, free_port
from bench.report import as_table
from bridge.catalogue.samples import sample

PATH = "/webhooks/treble/read"
WARM_UP_REQUESTS = 2000
RATIO_GOAL, CPU_GOAL, MEMORY_GOAL_MIB = 0.55, 1.8, 150


def body() -> bytes:
    """The webhook of every request: a documented `read`, with PLACEHOLDER as its session id."""
    return orjson.dumps(sample("message.read", session_id=PLACEHOLDER))


def main() -> int:
    """Measure, print; the exit code says whether the goals were met."""
    options = _options()
    under_test, rest = cores()
    os.sched_setaffinity(0, rest)  # and the broker that we start, as our child
    with ExitStack() as stack:
        bootstrap = stack.enter_context(_broker(options.kafka))
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-", dir=options.dir)))
        if options.rss_backlog:
            result = measure_backlog(
                folder, bootstrap, options.rss_backlog, body(), core=under_test, delivery=options.delivery
            )
        else:
            result = _measure(stack, folder, bootstrap, under_test, options)
    result["delivery"] = options.delivery
    result["journal_on"] = _file_system(Path(options.dir))
    result["shared_core"] = under_test == rest
    print(json.dumps(result, indent=2) if options.json else as_table(result))
    return 0 if result["goals_met"] else 1


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.ingress", description=__doc__)
    parser.add_argument("--kafka", metavar="HOST:PORT", help="a broker; default: BRIDGE_TEST_KAFKA, or one is started")
    parser.add_argument("--rounds", type=int, default=3, help="interleaved rounds; the median counts (default 3)")
    parser.add_argument("--requests", type=int, default=20_000, help="requests in a round (default 20000)")
    parser.add_argument("--connections", type=int, default=64, help="keep-alive connections (default 64)")
    parser.add_argument("--rate", type=float, default=500, help="requests a second for the latencies (default 500)")
    parser.add_argument("--rate-requests", type=int, default=5_000, help="requests at that rate (default 5000)")
    parser.add_argument("--delivery", choices=["exactly_once", "at_least_once"], default="exactly_once")
    parser.add_argument("--rss-backlog", type=int, metavar="ENTRIES", help="measure memory with this backlog instead")
    parser.add_argument("--dir", default="/var/tmp", help="folder of the journal: a real disk (default /var/tmp)")  # noqa: S108 - a folder of ours is made in it
    parser.add_argument("--json", action="store_true", help="print JSON")
    return parser.parse_args()


@contextmanager
def _broker(given: str | None) -> Iterator[str]:
    if given:
        os.environ["BRIDGE_TEST_KAFKA"] = given
    from tests.kafka_broker import provide  # noqa: PLC0415 - reads the environment

    broker = provide()
    try:
        yield broker.bootstrap
    finally:
        broker.close()


def _measure(
    stack: ExitStack, folder: Path, bootstrap: str, core: set[int], options: argparse.Namespace
) -> dict[str, Any]:
    name = f"bench-{uuid.uuid4().hex[:8]}"
    port = free_port()
    bare = stack.enter_context(Pinned([sys.executable, "-m", "bench.baseline", str(port)], core, folder / "bare.log"))
    bare.wait_for_port(port)
    bridge = BridgeUnderTest(folder, bootstrap, name, core, options.delivery)
    stack.enter_context(bridge.process)
    bare_load = stack.enter_context(_load(port, bridge.headers, options.connections))
    bridge_load = stack.enter_context(_load(bridge.port, bridge.headers, options.connections))
    bare_load.as_fast_as_answered(WARM_UP_REQUESTS)
    bridge_load.as_fast_as_answered(WARM_UP_REQUESTS)
    bridge.wait_drained(WARM_UP_REQUESTS)
    rounds = [_round(bare, bare_load, bridge, bridge_load, options.requests) for _ in range(options.rounds)]
    latencies = _latencies(bridge, bridge_load, bootstrap, options)
    resident, highest = bridge.process.memory_mib()
    return _summary(rounds, latencies, resident, highest)


@contextmanager
def _load(port: int, headers: dict[str, str], connections: int) -> Iterator[Load]:
    load = Load(port, PATH, headers, body(), connections)
    try:
        yield load
    finally:
        load.close()


def _round(
    bare: Pinned, bare_load: Load, bridge: BridgeUnderTest, bridge_load: Load, requests: int
) -> dict[str, float]:
    cpu_s = bare.cpu_s()
    plain = _all_ok(bare_load.as_fast_as_answered(requests))
    bare_cpu_us = (bare.cpu_s() - cpu_s) / requests * 1e6
    before, cpu_s, began_s = bridge.forwarded(), bridge.process.cpu_s(), time.perf_counter()
    full = _all_ok(bridge_load.as_fast_as_answered(requests))
    bridge.wait_drained(before + requests)
    drained_s = time.perf_counter() - began_s
    return {
        "bare_requests_per_s": requests / plain.seconds,
        "bare_cpu_us": bare_cpu_us,
        "answered_per_s": requests / full.seconds,
        "sustained_per_s": requests / drained_s,
        "cpu_us": (bridge.process.cpu_s() - cpu_s) / requests * 1e6,
        "closed_loop_p50_ms": full.quantile_ms(0.5),
        "closed_loop_p99_ms": full.quantile_ms(0.99),
    }


def _latencies(
    bridge: BridgeUnderTest, load: Load, bootstrap: str, options: argparse.Namespace
) -> dict[str, float | None]:
    records = options.rate_requests
    command = [sys.executable, "-m", "bench.reader", bootstrap, bridge.topic, str(records), "120"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as reader:
        if reader.stdout is None or reader.stdout.readline().strip() != "ready":
            raise RuntimeError("the reader did not become ready")
        answered = _all_ok(load.at_rate(records, options.rate))
        readable = json.loads(reader.communicate()[0])
    if readable["records"] != records:
        raise RuntimeError(f"{readable['records']} of {records} records became readable")
    return {
        "rate_per_s": options.rate,
        "ack_p50_ms": answered.quantile_ms(0.5),
        "ack_p99_ms": answered.quantile_ms(0.99),
        "readable_p50_ms": readable["p50"],
        "readable_p99_ms": readable["p99"],
    }


def _all_ok(outcome: Outcome) -> Outcome:
    if set(outcome.statuses) != {200}:
        raise RuntimeError(f"not every request was answered 200: {dict(outcome.statuses)}")
    return outcome


def _summary(
    rounds: list[dict[str, float]], latencies: dict[str, float | None], resident: float, highest: float
) -> dict[str, Any]:
    median = {key: statistics.median(round_[key] for round_ in rounds) for key in rounds[0]}
    ratio = statistics.median(r["sustained_per_s"] / r["bare_requests_per_s"] for r in rounds)
    cpu_ratio = statistics.median(r["cpu_us"] / r["bare_cpu_us"] for r in rounds)
    return {
        "ratio": ratio,
        "cpu_ratio": cpu_ratio,
        **median,
        **latencies,
        "memory_mib": resident,
        "memory_highest_mib": highest,
        "goals_met": ratio >= RATIO_GOAL and cpu_ratio <= CPU_GOAL and highest <= MEMORY_GOAL_MIB,
        "rounds": rounds,
    }


def _file_system(folder: Path) -> str:
    mounts = [line.split() for line in Path("/proc/mounts").read_text().splitlines()]
    inside = [m for m in mounts if folder.resolve().is_relative_to(m[1])]
    return max(inside, key=lambda m: len(m[1]))[2] if inside else "unknown"


if __name__ == "__main__":
    sys.exit(main())
