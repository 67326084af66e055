"""`treble-bridge send`: webhooks as Treble would send them."""

import datetime as dt
import itertools
import math
import random
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

import click
import orjson

from bridge.auth.proof import Recipient, recipient
from bridge.catalogue import TABLE, UNKNOWN
from bridge.catalogue.samples import SCENARIOS, Posting, Wish, singles
from bridge.cli.console import masked, note, print_json, run
from bridge.cli.options import (
    ADDRESS,
    COUNT,
    DURATION,
    RATE,
    TEXT,
    URL,
    config_option,
    json_option,
    load_configuration,
    parse_header,
)
from bridge.demo.posting import UNREACHABLE, Outcome, Poster
from bridge.errors import ExitCode
from bridge.settings.units import Address

DEFAULT_TYPE: Final = "message.read"
TIMES_KEPT_MAX: Final = 100_000
_BEFORE: Final = dt.timedelta(minutes=4)
"""How long ago the first message was sent: a story's last moment is past, too."""
LINES_MAX: Final = 50
"""A longer stream is summed up only."""


@dataclass(slots=True)
class Summary:
    """A stream's outcomes, counted."""

    statuses: Counter[int] = field(default_factory=Counter)
    unexpected: int = 0
    _times_ms: deque[float] = field(default_factory=lambda: deque(maxlen=TIMES_KEPT_MAX))

    def add(self, outcome: Outcome) -> None:
        """Count one."""
        self.statuses[outcome.status] += 1
        self.unexpected += not outcome.as_expected
        if outcome.status != UNREACHABLE:
            self._times_ms.append(outcome.ms)

    def quantile_ms(self, share: float) -> float | None:
        """The time that `share` of the answers stayed below; None without an answer."""
        ordered = sorted(self._times_ms)
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else None


@click.command()
@config_option(required=False, loaded=False)
@click.option("--url", type=URL, metavar="URL", help="The source's URL without a hint, instead of a configuration.")
@click.option("--source", metavar="NAME", help="Which source of the configuration; default: the only one.")
@click.option("--address", type=ADDRESS, metavar="HOST:PORT",
              help="Where the bridge of the configuration is; default: where it listens, on this machine.")  # fmt: skip
@click.option("--type", "types", multiple=True, metavar="TYPE",
              help="Event type, or all; repeatable, then they take turns.  [default: message.read]")  # fmt: skip
@click.option("--scenario", type=click.Choice(list(SCENARIOS)), help="A story instead of single webhooks; see below.")
@click.option(
    "--header", "headers", type=TEXT, multiple=True, metavar="'NAME: VALUE'", help="A further header; repeatable."
)
@click.option("--session", type=TEXT, metavar="ID", help="The conversation; default: an invented one for each webhook.")
@click.option("--set", "fields", type=TEXT, multiple=True, metavar="FIELD=VALUE",
              help="Set a field of the body (a dotted path; JSON or text); repeatable.")  # fmt: skip
@click.option("--seed", type=int, help="Makes the same bodies every time; default: random ones, with times of now.")
@click.option("--count", type=COUNT, help="How many; default: 1, or without end with --rate.")
@click.option(
    "--rate",
    type=RATE,
    metavar="RATE",
    help="At which rate, such as 50/s; default: each after the answer to the last.",
)
@click.option("--timeout", type=DURATION, default="10s", show_default=True, metavar="DURATION",
              help="Longest wait for an answer.")  # fmt: skip
@click.option("--insecure", is_flag=True, help="Accept any certificate.")
@json_option
def send(config: Path | None, url: str | None, source: str | None, address: Address | None, **options: Any) -> ExitCode:
    """Send sample webhooks to a bridge, with the credentials of its configuration.

    Exit code 7: there is no answer. 8: an answer is not the expected one (200, unless the scenario says otherwise).

    \b
    Scenarios, and what --count counts in them:
      conversation  a contact's way from delivered to closed (conversations, 1)
      campaign      a template to many contacts, and what becomes of it (contacts, 10)
      duplicates    each webhook twice: both 200, one event (webhooks, 3)
      malformed     bodies that are not JSON: 400, and kept (bodies, 7)
      unauthorized  missing and wrong credentials: 401 (tries of each, 1)
      burst         all at the same time: 200, or 429 above a rate limit (webhooks, 200)

    \b
    Examples:
      treble-bridge send --config bridge.yaml --type message.responded --set classified_answer=Yes
      treble-bridge send --config bridge.yaml --scenario conversation --seed 7
      treble-bridge send --url http://localhost:8080/webhooks/treble --header 'X-API-Key: secret' \\
          --type all --count 1000 --rate 100/s
    """
    if url is not None:
        to = Recipient(url)
    elif config is not None:
        to = recipient(load_configuration(config), source, address)
    else:
        raise click.UsageError("give a configuration with --config, or a URL with --url")
    return run(_send(to, **options))


async def _send(
    to: Recipient,
    *,
    headers: Sequence[str],
    rate: float | None,
    timeout: float,  # noqa: ASYNC109 - the user's word; it is the HTTP client's
    insecure: bool,
    as_json: bool,
    scenario: str | None,
    **wish: Any,
) -> ExitCode:
    given = dict(map(parse_header, headers))
    if scenario == "unauthorized" and not given and not to.asks_for_proof:
        raise click.UsageError("--scenario unauthorized: this source asks for no credentials that could be wrong")
    postings = _postings(scenario, endless=rate is not None, **wish)
    first = list(itertools.islice(postings, LINES_MAX + 1))
    if scenario == "burst" and rate is None:
        rate = math.inf
    poster = Poster(to, headers=given, timeout_s=timeout, verify=not insecure)
    summary = Summary()
    try:
        async for outcome in poster.stream(itertools.chain(first, postings), rate):
            summary.add(outcome)
            if len(first) <= LINES_MAX:
                _print(outcome, as_json=as_json)
    finally:
        await poster.close()
        if sum(summary.statuses.values()) != 1:
            _print_summary(summary, as_json=as_json)
    if summary.statuses[UNREACHABLE]:
        return ExitCode.UNREACHABLE
    return ExitCode.MISMATCH if summary.unexpected else ExitCode.OK


def _postings(
    scenario: str | None,
    *,
    endless: bool,
    types: Sequence[str],
    session: str | None,
    fields: Sequence[str],
    seed: int | None,
    count: int | None,
) -> Iterator[Posting]:
    first = random.SystemRandom().getrandbits(48) if seed is None else seed
    story = None if scenario is None else SCENARIOS[scenario]
    if story is not None and story.own_types and types:
        raise click.UsageError(f"--scenario {scenario} has types of its own: leave out --type")
    at = dt.datetime.now(dt.UTC) - _BEFORE if seed is None else None
    wish = Wish(_event_types(types or (DEFAULT_TYPE,)), count or 1, first, session, _fields(fields), at)
    if story is not None:
        return story.make(replace(wish, count=count or story.count))
    return itertools.islice(singles(wish), count if count is not None or endless else 1)


def _event_types(types: Sequence[str]) -> list[str]:
    if "all" in types:
        return [name for name in TABLE if name != UNKNOWN]
    for name in types:
        if name not in TABLE:
            raise click.UsageError(f"--type {name}: expected all, or one of {', '.join(TABLE)}")
    return list(types)


def _fields(texts: Sequence[str]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or not name:
            raise click.UsageError(f"--set {text}: expected field=value")
        try:
            found[name] = orjson.loads(value)
        except orjson.JSONDecodeError:
            found[name] = value
    return found


def _print(outcome: Outcome, *, as_json: bool) -> None:
    posting = outcome.posting
    if as_json:
        more = {"about": posting.about} if posting.about else {}
        asked = {"expected": sorted(posting.expected), "as_expected": outcome.as_expected}
        print_json(
            {"type": posting.event_type, "session": posting.session or None, **more, **_answer(outcome), **asked}
        )
        return
    about = f", {posting.about}" if posting.about else ""
    what = f"{posting.event_type}{about}" + (f"  session {posting.session}" if posting.session else "")
    if not outcome.status:
        note(f"no answer after {outcome.ms:.1f} ms  {what}: {outcome.answer}")
        return
    answer = "" if outcome.answer == "{}" else f"  {masked(outcome.answer)}"
    wrong = "" if outcome.as_expected else f"  EXPECTED {' or '.join(map(str, sorted(posting.expected)))}"
    click.echo(f"{outcome.status} in {outcome.ms:.1f} ms  {what}{answer}{wrong}")


def _answer(outcome: Outcome) -> dict[str, Any]:
    if not outcome.status:
        return {"status": None, "ms": round(outcome.ms, 2), "error": outcome.answer}
    return {"status": outcome.status, "ms": round(outcome.ms, 2), "answer": outcome.answer}


def _print_summary(summary: Summary, *, as_json: bool) -> None:
    times = {name: summary.quantile_ms(share) for name, share in (("p50", 0.5), ("p99", 0.99), ("max", 1.0))}
    by_status = {str(status) if status else "no answer": n for status, n in sorted(summary.statuses.items())}
    if as_json:
        rounded = {name: None if ms is None else round(ms, 2) for name, ms in times.items()}
        sent = sum(by_status.values())
        print_json({"sent": sent, "answers": by_status, "unexpected": summary.unexpected, "ms": rounded})
        return
    answers = ", ".join(f"{n} x {status}" for status, n in by_status.items()) or "nothing"
    spent = "".join(f"  {name} {ms:.1f} ms" for name, ms in times.items() if ms is not None)
    wrong = f"  {summary.unexpected} not as expected" if summary.unexpected else ""
    click.echo(f"{answers}{spent}{wrong}")
