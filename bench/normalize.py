"""What it costs to make an event of a webhook, as a ratio to reading and writing the same body with orjson.

    python -m bench.normalize

One process, one thread, no I/O. Each round measures everything once, a few milliseconds at a time and in turn, so that
a noisy neighbour slows all of them alike; the median of the rounds' ratios counts. CPU time of the thread, garbage
collection on.
"""

import argparse
import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

import orjson

from bridge.catalogue.samples import hint_for, sample
from bridge.model import Entry, Event
from bridge.settings.models import Settings
from bridge.transform.cloudevents import Encoder
from bridge.transform.normalize import examine
from bridge.transform.prepare import Preparer

RATIO_MAX = 15.0
ROUNDS, CALLS = 200, 200
RECEIVED_AT_MS = 1_782_141_549_104


def main() -> int:
    """Measure, print, and say by the exit code whether the bound holds."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--type", default="message.read", help="event type of the body")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--json", action="store_true", dest="as_json")
    options = parser.parse_args()
    found = measure(options.type, options.rounds)
    if options.as_json:
        print(orjson.dumps(found).decode())
    else:
        print(f"{options.type}, {found['body_bytes']} bytes, median of {options.rounds} rounds")
        print(f"  orjson.loads + dumps              {found['baseline_us']:6.2f} µs")
        print(f"  classify + normalize + encode     {found['event_us']:6.2f} µs   {found['event_ratio']:5.1f} ×")
        print(f"  all of it, as the forwarder does  {found['prepare_us']:6.2f} µs   {found['prepare_ratio']:5.1f} ×")
        print(f"  bound: {RATIO_MAX:.0f} × for classify + normalize + encode")
    return 0 if found["event_ratio"] <= RATIO_MAX else 8


def measure(event_type: str, rounds: int) -> dict[str, Any]:
    """The cost of one body of this type, reading its JSON included: µs, and ratios to `orjson.loads` + `dumps`."""
    raw = orjson.dumps(sample(event_type))
    entry = Entry(1, RECEIVED_AT_MS, "treble", hint_for(event_type), b'{"content-type":"application/json"}', raw)
    encoder = Encoder("cloudevents-binary")
    settings = Settings.model_validate(
        {"kafka": {"bootstrap_servers": ["localhost:9092"]}, "sources": {"treble": {"auth": "none"}}}
    )
    preparer = Preparer(settings, "journal")

    def baseline() -> None:
        orjson.dumps(orjson.loads(raw))

    def event() -> None:
        _, made = examine(entry, None)
        assert isinstance(made, Event)
        encoder.record(made, "treble.topic", b"key")

    def prepare() -> None:
        preparer.prepare(entry)

    timed = [(_us(baseline), _us(event), _us(prepare)) for _ in range(rounds)]
    columns = [statistics.median(column) for column in zip(*timed, strict=True)]
    return {
        "body_bytes": len(raw),
        "baseline_us": columns[0],
        "event_us": columns[1],
        "prepare_us": columns[2],
        "event_ratio": statistics.median(one[1] / one[0] for one in timed),
        "prepare_ratio": statistics.median(one[2] / one[0] for one in timed),
    }


def _us(work: Callable[[], None]) -> float:
    began = time.thread_time_ns()
    for _ in range(CALLS):
        work()
    return (time.thread_time_ns() - began) / CALLS / 1000


if __name__ == "__main__":
    sys.exit(main())
