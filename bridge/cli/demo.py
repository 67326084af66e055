"""`treble-bridge demo`: the main job, for real, where one can see it."""

import contextlib
import importlib.util
import json
import signal
import sys
from dataclasses import replace
from typing import Any, Final

import click
from rich.padding import Padding
from rich.text import Text

from bridge.cli.console import console, print_json, record_as_json, run
from bridge.cli.options import json_option, kafka_at
from bridge.demo.plan import PATH
from bridge.demo.play import curl_line, follow, play
from bridge.demo.stage import Screen, staged
from bridge.errors import ExitCode
from bridge.kafka.consumer import Incoming
from bridge.settings.models import Kafka

OUTAGE_S: Final = 5.0
OUTAGE_S_MAX: Final = 15.0
_TEXT_CHARACTERS_MAX: Final = 36
_KEY_CHARACTERS_MAX: Final = 20
_INDENT: Final = 6
_SILENT: Final = Screen(lambda *_: None, lambda *_: None)
"""For programs, which want the JSON only."""


@click.command()
@click.option("--kafka", metavar="HOST:PORT", help="A real Kafka without security; default: an embedded one.")
@click.option("--serve", is_flag=True, help="Stay up, and show each event as it comes, until ^C.")
@click.option("--seconds-outage", "outage_s", type=click.FloatRange(0, OUTAGE_S_MAX), default=OUTAGE_S, metavar="N",
              show_default=True, help="How long the embedded Kafka is away; 0 leaves that out.")  # fmt: skip
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="The bridge's port; default: any free one.")
@json_option
def demo(*, kafka: str | None, serve: bool, outage_s: float, port: int, as_json: bool) -> ExitCode:
    """Run the main job on an embedded Kafka and show it, or on a Kafka of your own.

    Starts the bridge as a process with a configuration file of its own, posts webhooks to it as Treble does, good and
    bad ones, takes Kafka away for some seconds, and shows what comes out. It ends by itself, with the counts. The exit
    code is 0 if they add up, and 8 if not. What it made is removed, unless it is killed (SIGKILL).

    \b
    Examples:
      treble-bridge demo
      treble-bridge demo --kafka localhost:9092
      treble-bridge demo --serve        # then post with curl or Postman
    """
    if kafka is None and importlib.util.find_spec("confluent_kafka") is None:
        raise click.UsageError(
            "the demo's embedded Kafka comes with the package confluent-kafka, which is not installed. "
            f"Install it with\n  {sys.executable} -m pip install 'treble-bridge[demo]'\n"
            "or run the demo on a Kafka of your own with --kafka host:port"
        )
    broker = None if kafka is None else kafka_at(kafka)
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a script's `&` starts a command with SIGINT ignored
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: signal.raise_signal(signal.SIGINT))  # both end it as ^C does
    if serve:
        with contextlib.suppress(KeyboardInterrupt):  # the end that is meant
            run(_serve(broker, port, as_json=as_json))
        return ExitCode.OK
    result = run(play(broker, port, outage_s, _SILENT if as_json else _text_screen()))
    if as_json:
        print_json(result.as_dict())
    return ExitCode.MISMATCH if result.verdict.problems else ExitCode.OK


async def _serve(kafka: Kafka | None, port: int, *, as_json: bool) -> None:
    screen = _text_screen()
    if as_json:
        screen = replace(_SILENT, record=lambda record, _: print_json(record_as_json(record, raw=True)))
    async with staged(kafka, port, screen) as stage:
        plan, url, curl = stage.plan, stage.url + PATH, curl_line(stage)
        if as_json:
            print_json({"url": url, "headers": dict(plan.headers()), "config": str(plan.config_file), "curl": curl})
        screen.line("\nPost a webhook from another terminal; in Treble's terms, this is a message read:\n", "bold")
        screen.line(f"{curl}\n", "")
        screen.line(f"With Postman: POST to {url}/read, with the two headers from above and a JSON body.", "")
        screen.line("The same body once more is a duplicate: change read_at or session_id for another event.", "")
        screen.line(f"The bridge's log is beside its configuration: {plan.log_file}. ^C ends the demo.\n", "")
        await follow(stage, screen)


def _text_screen() -> Screen:
    """Text for people. The first record of a topic is shown whole, later ones in a line."""
    out = console()
    seen: set[str] = set()

    def line(text: str, style: str) -> None:
        out.print(Text(text, style), soft_wrap=True)  # a line that is pasted must not be broken

    def record(record: Incoming, seconds: float | None) -> None:
        show = record_as_json(record, raw=True)
        place = f"{record.topic}[{record.partition}]@{record.offset}"
        after = "" if seconds is None else f"  {seconds * 1000:.0f} ms after its webhook"
        line(f"    ← {place}  key {_short(show['key'] or 'none', _KEY_CHARACTERS_MAX)}{after}", "cyan")
        if record.topic in seen and seconds is not None:
            return
        seen.add(record.topic)
        headers = "  ".join(f"{name}={_short(text)}" for name, text in show["headers"].items())
        value = json.dumps(_short(show["value"]), ensure_ascii=False, default=str)  # with blanks, to break lines at
        for text, style in ((headers, "dim"), (value, "")):
            wrapped = Padding(Text(text, style), (0, 0, 0, _INDENT))
            out.print(wrapped if out.is_terminal else Text(" " * _INDENT + text))

    return Screen(line, record)


def _short(value: Any, limit: int = _TEXT_CHARACTERS_MAX) -> Any:
    """A value with its long texts and lists cut, and without the body that Treble sent."""
    if isinstance(value, dict):
        return {name: "…" if name == "raw" and isinstance(item, dict) else _short(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_short(value[0]), "…"] if len(value) > 1 else [_short(item) for item in value]
    return f"{value[:limit]}…" if isinstance(value, str) and len(value) > limit else value
