"""`treble-bridge tail`: events as they come out on Kafka, decoded."""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import click
import orjson
from rich.markup import escape

from bridge.cli.console import console, note, print_json, record_as_json, run
from bridge.cli.options import COUNT, DURATION, config_option, json_option, kafka_at, load_configuration
from bridge.errors import ExitCode
from bridge.kafka.consumer import Reader
from bridge.settings.models import Kafka
from bridge.transform.prepare import Preparer

QUIET_S: Final = 0.5
"""How often the clock is looked at while nothing comes."""


@click.command()
@click.argument("topic", nargs=-1)
@config_option(required=False, loaded=False)
@click.option("--kafka", metavar="HOST:PORT", help="A broker without security, instead of a configuration.")
@click.option("--from-beginning", is_flag=True, help="From the oldest record on; default: from now on.")
@click.option("--count", type=COUNT, help="End after so many; exit code 8 when --timeout ends it first.")
@click.option("--timeout", type=DURATION, metavar="DURATION", help="End after this time, such as 10s.")
@click.option("--uncommitted", is_flag=True, help="Show records of open and aborted transactions too.")
@click.option("--unmasked", is_flag=True, help="Show phone numbers.")
@click.option("--raw", is_flag=True, help="Show the body that Treble sent, too.")
@json_option
def tail(topic: tuple[str, ...], config: Path | None, kafka: str | None, **options: Any) -> ExitCode:
    """Show events as they come out on Kafka, from the topics named, or from all that the configuration sends to.

    Reads as a consumer with read_committed does: only records of committed transactions. Phone numbers are masked. A
    topic that is made later is taken up; exit code 8 if none is there, or one is still missing at the end.

    \b
    Examples:
      treble-bridge tail --config bridge.yaml --from-beginning
      treble-bridge tail --kafka localhost:9092 treble.message.read --count 1 --json
    """
    settings = load_configuration(config) if config is not None and kafka is None else None
    if settings is not None:
        where = settings.kafka
    elif kafka is not None:
        where = kafka_at(kafka)
    else:
        raise click.UsageError("give a configuration with --config, or a broker with --kafka")
    names = list(topic) or (sorted(Preparer(settings, "").topics()) if settings is not None else [])
    if not names:
        raise click.UsageError("name topics, or a configuration with --config")
    return run(_tail(where, names, **options))


async def _tail(
    kafka: Kafka,
    names: Sequence[str],
    *,
    from_beginning: bool,
    count: int | None,
    timeout: float | None,  # noqa: ASYNC109 - the user's word, and an ending that is no error
    uncommitted: bool,
    unmasked: bool,
    raw: bool,
    as_json: bool,
) -> ExitCode:
    deadline_s = None if timeout is None else time.monotonic() + timeout
    seen = 0
    async with Reader(kafka, names, from_beginning=from_beginning, committed=not uncommitted) as reader:
        absent = "; ".join(f"{name}: there is no such topic, or it may not be read" for name in reader.absent)
        if len(reader.absent) == len(set(names)):
            note(absent)
            return ExitCode.MISMATCH
        ending = "; ^C ends it" if count is None and timeout is None else ""
        note(f"reading {len(names)} topics{ending}" + (f" ({absent})" if absent else ""))
        async for record in reader.records(QUIET_S):
            if record is not None:
                show = record_as_json(record, unmasked=unmasked, raw=raw)
                print_json(show) if as_json else _print(show)
                seen += 1
            if seen == count:
                return ExitCode.OK
            if deadline_s is not None and time.monotonic() >= deadline_s:
                break
    return ExitCode.MISMATCH if reader.absent or count is not None else ExitCode.OK


def _print(show: dict[str, Any]) -> None:
    place = f"{show['topic']}[{show['partition']}]@{show['offset']}"
    body = orjson.dumps(show["value"], default=str).decode()
    out = console()
    out.print(f"[dim]{show['timestamp']}[/] [bold cyan]{escape(place)}[/] key={escape(str(show['key']))}")
    out.print(f"  {escape(body)}")
