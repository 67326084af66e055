"""`treble-bridge demo`: the main job, for real, where one can see it."""

import asyncio
import signal
from collections.abc import Coroutine
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click

from bridge.cli.console import run
from bridge.cli.options import json_option
from bridge.errors import ExitCode

if TYPE_CHECKING:
    from bridge.demo.stage import Options
    from bridge.settings.models import Kafka

T = TypeVar("T")

OUTAGE_S: Final = 5.0
OUTAGE_S_MAX: Final = 15.0
_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@click.command()
@click.option("--kafka", metavar="HOST:PORT", help="A real Kafka without security; default: an embedded one.")
@click.option("--serve", is_flag=True, help="Stay up, and show each event as it comes, until ^C.")
@click.option("--seconds-outage", "outage_s", type=click.FloatRange(0, OUTAGE_S_MAX), default=OUTAGE_S, metavar="N",
              show_default=True, help="How long the embedded Kafka is away; 0 leaves that out.")  # fmt: skip
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="The bridge's port; default: any free one.")
@click.option("--keep", type=click.Path(path_type=Path, file_okay=False), metavar="DIR",
              help="Use this folder, new or empty, and leave it, and topics on --kafka, at the end.")  # fmt: skip
@json_option
def demo(*, kafka: str | None, serve: bool, outage_s: float, port: int, keep: Path | None, as_json: bool) -> ExitCode:
    """Run the main job on an embedded Kafka and show it, or on a Kafka of your own.

    Starts the bridge as a process with a configuration file of its own, posts webhooks to it as Treble does, good and
    bad ones, takes Kafka away for some seconds, and shows what comes out. It ends by itself, with the counts; the exit
    code is 0 only if they add up, else 8. Nothing is left behind.

    \b
    Examples:
      treble-bridge demo
      treble-bridge demo --kafka localhost:9092
      treble-bridge demo --serve        # then post with curl or Postman
    """
    from bridge.demo.stage import Options  # noqa: PLC0415 - not for --help

    if keep is not None and keep.exists() and any(keep.iterdir()):
        raise click.UsageError(f"--keep {keep}: expected a new or empty folder")
    options = Options(kafka=None if kafka is None else _kafka(kafka), outage_s=outage_s, keep=keep, port=port)
    return _serve(options, as_json=as_json) if serve else _play(options, as_json=as_json)


def _play(options: "Options", *, as_json: bool) -> ExitCode:
    from bridge.cli.console import print_json  # noqa: PLC0415 - as above
    from bridge.cli.demo_screen import QuietScreen, TextScreen  # noqa: PLC0415
    from bridge.demo.play import play  # noqa: PLC0415

    result = run(_until_signal(play(options, QuietScreen() if as_json else TextScreen())))
    if result is None:
        raise KeyboardInterrupt
    if as_json:
        print_json(result.as_dict())
    return ExitCode.MISMATCH if result.verdict.problems else ExitCode.OK


def _serve(options: "Options", *, as_json: bool) -> ExitCode:
    from bridge.cli.demo_screen import JsonScreen, TextScreen  # noqa: PLC0415 - as above
    from bridge.demo.serve import serve  # noqa: PLC0415

    run(_until_signal(serve(options, JsonScreen() if as_json else TextScreen())))
    return ExitCode.OK  # only a signal ends it without an error: that is how it is meant to end


def _kafka(address: str) -> "Kafka":
    from pydantic import ValidationError  # noqa: PLC0415 - as above

    from bridge.settings.models import Kafka  # noqa: PLC0415

    try:
        return Kafka.model_validate({"bootstrap_servers": address})
    except ValidationError:
        raise click.UsageError(f"--kafka {address}: expected host:port") from None


async def _until_signal(work: Coroutine[Any, Any, T]) -> T | None:
    """Do the work; None when a signal ended it. A second signal does not disturb the clearing up, which is short."""
    loop, task = asyncio.get_running_loop(), asyncio.ensure_future(work)
    signalled = False

    def stop() -> None:
        nonlocal signalled
        if not signalled:
            signalled = True
            task.cancel()

    for number in _SIGNALS:
        loop.add_signal_handler(number, stop)
    try:
        return await task
    except asyncio.CancelledError:
        if not signalled:
            raise
        return None
    finally:
        for number in _SIGNALS:
            loop.remove_signal_handler(number)
