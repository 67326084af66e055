"""`treble-bridge health`: a probe for places without curl. Standard library only: it is started every few seconds."""

import json
import re
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any, Final
from urllib.parse import SplitResult, urlsplit

import click

from bridge.cli.options import Parsed
from bridge.errors import ExitCode

ADMIN_URL_VARIABLE: Final = "TREBLE_BRIDGE_ADMIN_URL"
ANSWER_BYTES_MAX: Final = 64 << 10

_UNITS_S: Final = {"ms": 0.001, "s": 1.0}


def _seconds(text: str) -> float:
    """As other durations on the command line, whose parser would load pydantic."""
    if (found := re.fullmatch(r"([0-9]{1,6}(?:\.[0-9]{1,6})?)(ms|s)", text)) and float(found[1]):
        return float(found[1]) * _UNITS_S[found[2]]
    raise ValueError("expected a duration above 0, such as 500ms or 2s")


def _admin_url(text: str) -> SplitResult:
    """The admin port speaks plain HTTP, and wants no credentials."""
    url = urlsplit(text)
    unwanted = "@" in url.netloc or url.query or url.fragment or re.search(r"[^!-~]", text)
    if url.scheme != "http" or not url.hostname or unwanted or url.port == 0:
        raise ValueError("expected http://host:port")
    return url


def _configured(text: str) -> SplitResult:
    from bridge.settings.load import admin_address  # noqa: PLC0415 - it is not for every few seconds

    return _admin_url(f"http://{admin_address(Path(text).expanduser()).reached()}")


@click.command()
@click.option("--live", is_flag=True, help="Ask whether it lives, not whether it can take webhooks.")
@click.option("--forwarding", is_flag=True, help="Ask also whether events reach Kafka, or wait in the journal.")
@click.option("--url", type=Parsed("url", _admin_url), metavar="URL", envvar=ADMIN_URL_VARIABLE, show_envvar=True,
              default="http://127.0.0.1:8081", show_default=True, help="The admin port.")  # fmt: skip
@click.option("--timeout", type=Parsed("duration", _seconds), metavar="DURATION", default="2s", show_default=True,
              help="For the connection, and for the answer.")  # fmt: skip
@click.option("-c", "--config", "configured", type=Parsed("file", _configured), metavar="FILE",
              help="Ask at admin.listen of this configuration instead. Slower: not for a probe.")  # fmt: skip
def health(live: bool, forwarding: bool, url: SplitResult, timeout: float, configured: SplitResult | None) -> ExitCode:
    """Ask a running bridge how it is, and tell by the exit code.

    Exit code 0: it is ready (with --live: alive); checks that are degraded are named. 8: it answers that it is not, and
    why. 7: there is no answer. A bridge is ready without Kafka, since it keeps webhooks. With --forwarding the exit
    code is 8 also if Kafka or a topic can't take events, and each reason is a line. That is for a look after an
    install, not for a probe.

    \b
    Example:
      treble-bridge health
      treble-bridge health --config bridge.yaml
      treble-bridge health --live --url http://127.0.0.1:8081
    """
    if live and forwarding:
        raise click.UsageError("--live and --forwarding are two questions: ask one of them")
    url = configured or url
    try:
        status, body = _get(url, "/livez" if live else "/readyz", timeout)
    except (OSError, HTTPException) as error:
        reason = "no answer in time" if isinstance(error, TimeoutError) else getattr(error, "strerror", None)
        click.echo(f"treble-bridge: {url.netloc} does not answer ({reason or type(error).__name__})", err=True)
        return ExitCode.UNREACHABLE
    if status not in {200, 503}:
        click.echo(f"treble-bridge: {url.netloc} answers {status}: not the admin port of a bridge", err=True)
        return ExitCode.UNREACHABLE
    click.echo(_summary(body) or str(status))
    waiting = _waiting(body) if forwarding and status == 200 else []
    if waiting:
        click.echo("\n  ".join(["webhooks are taken, and their events wait in the journal:", *waiting]))
    return ExitCode.OK if status == 200 and not waiting else ExitCode.MISMATCH


def _waiting(body: bytes) -> list[str]:
    """Why events don't reach Kafka now."""
    try:
        checks = json.loads(body)["checks"]
        kafka, topics = checks["kafka"], checks["topics"]
        if not kafka["connected"]:
            reason = kafka.get("stopped") or kafka.get("reason") or "there is no connection yet"
            return [f"Kafka: {reason}", *topics["waiting"]]
        unknown = [topics["problem"] or "the topics were not looked at yet"] if topics["state"] == "unknown" else []
        return [*unknown, *topics["waiting"]]
    except (ValueError, TypeError, KeyError):
        return ["the answer doesn't say whether: is this a bridge of the same version?"]


def _get(url: SplitResult, path: str, timeout_s: float) -> tuple[int, bytes]:
    """Status and body. Raises OSError or HTTPException. No proxy of the environment has a say."""
    connection = HTTPConnection(url.hostname or "", url.port or 80, timeout=timeout_s)
    try:
        connection.request("GET", url.path.rstrip("/") + path, headers={"User-Agent": "treble-bridge-health"})
        answer = connection.getresponse()
        return answer.status, answer.read(ANSWER_BYTES_MAX)
    finally:
        connection.close()


def _summary(body: bytes) -> str:
    """`unready: journal (state=full, fill=1.0)`: the state, and those of its checks that are not ok. "" for no JSON.

    A check that only reports leaves the whole at ok: `ok, but degraded: config (error=…)`.
    """
    try:
        answer = json.loads(body)
        state, checks = str(answer["status"]), answer.get("checks", {})
        causes = [f"{name} ({_details(check)})" for name, check in checks.items() if check["status"] != "ok"]
    except (ValueError, TypeError, KeyError, AttributeError):
        return ""
    told = "ok, but degraded" if causes and state == "ok" else state
    return f"{told}: {', '.join(causes)}" if causes else told


def _details(check: dict[str, Any]) -> str:
    # One level: below it are lists for people who look at /readyz itself.
    plain = {name: value for name, value in check.items() if isinstance(value, str | int | float)}
    return ", ".join(f"{name}={value}" for name, value in plain.items() if name != "status") or str(check["status"])
