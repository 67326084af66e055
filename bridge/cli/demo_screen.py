"""How the demo looks: text for people, on a terminal or in a pipe; JSON for programs."""

import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, Final

import click
from rich.markup import escape
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from bridge.cli.console import console, masked, print_json
from bridge.demo.ledger import Sent, Verdict
from bridge.demo.plan import PATH, Plan
from bridge.kafka.consumer import Incoming

_TEXT_CHARACTERS_MAX: Final = 36
_KEY_CHARACTERS_MAX: Final = 20
_INDENT: Final = 6
_IDS: Final = ("session_id", "id")
_COUNTS: Final = {
    "sent": "posted",
    "acknowledged": "answered 200",
    "refused": "answered 401 or 400, as expected",
    "forwarded": "events on their topics",
    "duplicates": "recognised, not forwarded again",
    "quarantined": "kept in the quarantine topic",
    "lost": "acknowledged, and nowhere",
}


class TextScreen:
    """For people. The first record of a topic is shown whole, later ones in a line."""

    def __init__(self) -> None:
        self._out = console()
        self._seen: set[str] = set()
        self._acts = 0

    def say(self, text: str) -> None:
        """A sentence about what goes on."""
        self._out.print(f"  [yellow]{escape(text)}[/]")

    def staged(self, plan: Plan, kafka: str, pid: int, url: str, admin_url: str) -> None:
        """Kafka and the bridge are up: what runs, and with which configuration."""
        out = self._out
        out.print(f"[bold]Kafka[/]   {escape(kafka)}")
        if not plan.real:
            out.print(
                "        Its transactions are only pretended, so the bridge runs with at_least_once here.\n"
                "        On a real Kafka (--kafka host:port) it runs with exactly_once."
            )
        out.print(f"[bold]Bridge[/]  process {pid}: treble-bridge run --config {escape(str(plan.config_file))}")
        out.print(f"        webhooks at {url}{PATH}")
        out.print(f"        health, metrics and more at {admin_url}/readyz, /metrics, /status")
        out.print("        what Treble is told to add to each call (Webhook Headers):")
        out.print(f"        {escape(_json(dict(plan.headers())))}", soft_wrap=True)
        out.print()
        for line in plan.configuration().splitlines():
            out.print(f"  [dim]│[/] {escape(line)}", soft_wrap=True)

    def act(self, title: str, about: str) -> None:
        """A new act begins."""
        self._acts += 1
        self._out.print(f"\n[bold]{self._acts}. {escape(title)}[/]: {escape(about)}")

    def sent(self, sent: Sent) -> None:
        """A webhook went in, and its answer came back."""
        webhook = sent.webhook
        colour = "green" if sent.as_expected else "red"
        status = sent.status or "no answer"
        self._out.print(
            f"  → POST {PATH}/{webhook.hint:<18} {webhook.event_type:<20} [{colour}]{status}[/] in {sent.ms:.1f} ms"
        )

    def came_out(self, record: Incoming, seconds: float | None) -> None:
        """A record is readable."""
        value = record.decoded if isinstance(record.decoded, dict) else {}
        place = f"{record.topic}[{record.partition}]@{record.offset}"
        after = "" if seconds is None else f"  {seconds * 1000:.0f} ms after its webhook"
        self._out.print(f"    ← [bold cyan]{escape(place)}[/]  key {escape(_key(record.key, value))}{after}")
        if record.topic in self._seen and seconds is not None:
            return
        self._seen.add(record.topic)
        headers = "  ".join(f"{name}={_short(_header(name, text))}" for name, text in record.headers.items())
        self._indented(headers, "dim")
        self._indented(_json(_short(masked(record.decoded))))

    def _indented(self, text: str, style: str = "") -> None:
        """A long text below its line: wrapped where it stands on a terminal, one line in a pipe."""
        if self._out.is_terminal:
            self._out.print(Padding(Text(text, style), (0, 0, 0, _INDENT)))
        else:
            self._out.print(Text(" " * _INDENT + text))

    def closed(self, plan: Plan, verdict: Verdict, seconds: float) -> None:
        """The counts."""
        table = Table(box=None, pad_edge=False, show_header=True, header_style="dim")
        for name, justify in (("", "left"), ("seen here", "right"), ("bridge's metrics", "right"), ("", "left")):
            table.add_column(name, justify=justify)  # type: ignore[arg-type]  # a literal, in a tuple
        for name, value in asdict(verdict.counts).items():
            bridge = verdict.bridge.get(name)
            table.add_row(name, str(value), "" if bridge is None else f"{bridge:g}", _COUNTS[name])
        self._out.print(f"\n[bold]Counts[/] after {seconds:.1f} s, with {plan.delivery}")
        self._out.print(table)
        if verdict.ack_ms:
            self._out.print(f"answers: median {verdict.ack_ms['p50']} ms, slowest {verdict.ack_ms['max']} ms")
        if verdict.repeated:
            self._out.print(f"{verdict.repeated} events came twice, as at_least_once allows")
        if not verdict.problems:
            self._out.print("[bold green]It adds up.[/] Nothing was lost.")
        for problem in verdict.problems:
            self._out.print(f"[bold red]It does not add up:[/] {escape(problem)}")

    def invite(self, plan: Plan, url: str, curl: str) -> None:
        """How to post, and how to end."""
        self._out.print("\n[bold]Post a webhook[/] from another terminal; in Treble's terms, this is a message read:\n")
        click.echo(f"{curl}\n")  # not by rich: a line that is pasted must not be broken
        self._out.print(
            f"With Postman: POST to {url}/read, with the two headers from above and a JSON body.\n"
            "The same body once more is a duplicate: change read_at or session_id for another event.\n"
            f"The bridge's log is beside its configuration: {escape(str(plan.log_file))}. [bold]^C[/] ends the demo.\n"
        )

    def failed(self, log: str) -> None:
        """The bridge's last words."""
        _last_words(log)


class QuietScreen:
    """For programs that want the sum only: the command prints it."""

    def say(self, text: str) -> None:
        """Nothing."""

    def staged(self, plan: Plan, kafka: str, pid: int, url: str, admin_url: str) -> None:
        """Nothing."""

    def act(self, title: str, about: str) -> None:
        """Nothing."""

    def sent(self, sent: Sent) -> None:
        """Nothing."""

    def came_out(self, record: Incoming, seconds: float | None) -> None:
        """Nothing."""

    def closed(self, plan: Plan, verdict: Verdict, seconds: float) -> None:
        """Nothing."""

    def invite(self, plan: Plan, url: str, curl: str) -> None:
        """Nothing."""

    def failed(self, log: str) -> None:
        """The bridge's last words, on stderr."""
        _last_words(log)


class JsonScreen(QuietScreen):
    """For programs that post themselves: a line of JSON to begin with, then one for each record."""

    def say(self, text: str) -> None:
        """A remark."""
        print_json({"remark": text})

    def came_out(self, record: Incoming, seconds: float | None) -> None:
        """A record."""
        value = record.decoded if isinstance(record.decoded, dict) else {}
        place = {"topic": record.topic, "partition": record.partition, "offset": record.offset}
        headers = {name: _header(name, text) for name, text in record.headers.items()}
        print_json({**place, "key": _key(record.key, value, None), "headers": headers, "value": masked(record.decoded)})

    def invite(self, plan: Plan, url: str, curl: str) -> None:
        """Where to post."""
        print_json({"url": url, "headers": dict(plan.headers()), "config": str(plan.config_file), "curl": curl})


def _last_words(log: str) -> None:
    if log:
        click.echo(f"the bridge's log ends with:\n{log}\n", err=True)


def _json(value: Any) -> str:
    """JSON with a blank after each comma and colon, where a line may break."""
    return json.dumps(value, ensure_ascii=False, default=str)


def _key(key: str | None, value: Mapping[str, Any], limit: int | None = _KEY_CHARACTERS_MAX) -> str:
    """A key to show: an id as it is (shortened), anything else without phones."""
    if key is None:
        return "none"
    shown = key if key in {value.get(name) for name in _IDS} else masked(key)
    return shown if limit is None or len(shown) <= limit else f"{shown[:limit]}…"


def _header(name: str, text: str) -> str:
    return text if name in {"ce_id", "ce_subject", "traceparent"} else str(masked(text))


def _short(value: Any) -> Any:
    """The shape of an envelope with its long texts and lists cut."""
    if isinstance(value, dict):
        return {name: "…" if name == "raw" and isinstance(item, dict) else _short(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_short(value[0]), "…"] if len(value) > 1 else [_short(item) for item in value]
    if isinstance(value, str) and len(value) > _TEXT_CHARACTERS_MAX:
        return f"{value[:_TEXT_CHARACTERS_MAX]}…"
    return value
