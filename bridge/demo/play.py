"""A run from start to end: the acts, in their order, and the counts. Or staying up for webhooks posted by hand."""

import asyncio
import datetime as dt
import itertools
import secrets
import shlex
import signal
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Final

from bridge.catalogue.samples import Posting, Wish, conversation, malformed, reads, singles, unauthorized
from bridge.demo.plan import PATH, Ledger, Verdict
from bridge.demo.posting import Outcome
from bridge.demo.stage import Screen, Stage, StageError, staged
from bridge.settings.models import Kafka

LIMIT_S: Final = 45.0
ARRIVAL_S: Final = 20.0
AGREE_S: Final = 5.0
QUIET_S: Final = 0.2
PACE_S: Final = 0.06
OUTAGE_WEBHOOKS: Final = 16
CONVERSATIONS: Final = 2
_OTHER_TYPES: Final = ("message.timed_out", "contact.opted_out", "hsm.status_changed", "deployment.failed")
_BEFORE: Final = dt.timedelta(minutes=10)
"""A day of a conversation is minutes here, and all of them are in the past."""
_MEANINGS: Final = {
    "sent": "posted",
    "acknowledged": "answered 200",
    "refused": "answered 401 or 400, as expected",
    "forwarded": "events on their topics",
    "duplicates": "recognised, not forwarded again",
    "quarantined": "kept in the quarantine topic",
    "lost": "acknowledged, and nowhere",
}


@dataclass(frozen=True, slots=True)
class Act:
    """A title, what it is about, and the webhooks."""

    title: str
    about: str
    postings: tuple[Posting, ...]


@dataclass(frozen=True, slots=True)
class Outage:
    """The act of the broker that goes away. `kept` is what the journal held when it came back."""

    shown: bool
    seconds: float = 0.0
    webhooks: int = 0
    kept: int = 0
    slowest_ack_ms: float = 0.0


@dataclass(frozen=True, slots=True)
class Result:
    """A run that came to its end."""

    kafka: str
    delivery: str
    seconds: float
    outage: Outage
    verdict: Verdict

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        fields = asdict(self)
        return {"adds_up": not self.verdict.problems, **fields.pop("verdict"), **fields}


async def play(kafka: Kafka | None, port: int, outage_s: float, screen: Screen) -> Result:
    """Run all acts, on `kafka` or on an embedded one. Raises a BridgeError when it can't come to its end."""
    began_s = time.monotonic()
    async with staged(kafka, port, screen) as stage:
        run = Run(stage, screen)
        try:
            # A failure of the reader, or the bridge's death, ends the acts.
            async with asyncio.timeout(LIMIT_S), asyncio.TaskGroup() as group:
                beside = [group.create_task(run.watch()), group.create_task(stage.bridge.fail_at_exit())]
                outage = await run.perform(outage_s)
                counts = await run.settled_counts()
                for task in beside:
                    task.cancel()
        except TimeoutError as error:
            raise StageError(f"the acts did not end within {LIMIT_S:.0f} s") from error
        if exit_code := await stage.bridge.end():
            run.ledger.problem(f"the bridge ended with exit code {exit_code}")
        verdict = run.ledger.verdict(counts)
        seconds = round(time.monotonic() - began_s, 1)
        result = Result(stage.plan.kafka_name, stage.plan.delivery, seconds, outage, verdict)
        _show_counts(result, screen)
        if verdict.problems:
            screen.line(f"the bridge's log ends with:\n{stage.bridge.end_of_log()}", "")
        return result


async def follow(stage: Stage, screen: Screen) -> None:
    """Show each event as it comes, until cancelled. Raises a BridgeError when the bridge ends."""
    async with asyncio.TaskGroup() as group:
        group.create_task(stage.bridge.fail_at_exit())
        async for record in stage.reader.records(QUIET_S):
            if record is not None:
                screen.record(record, None)


def curl_line(stage: Stage) -> str:
    """A command that posts one webhook as Treble would: a message read."""
    read = next(reads(_wish(secrets.randbits(40))))
    words = ["curl", "-i", f"{stage.url}{PATH}/{read.hint}"]
    for name, value in {**stage.plan.headers(), "Content-Type": "application/json"}.items():
        words += ["-H", f"{name}: {value}"]
    return shlex.join([*words, "-d", read.body.decode()])


class Run:
    """One run: its acts, and what is read from Kafka meanwhile."""

    def __init__(self, stage: Stage, screen: Screen) -> None:
        self.ledger = Ledger(stage.plan)
        self._stage, self._screen = stage, screen
        self._arrival, self._quiet = asyncio.Event(), asyncio.Event()
        self._acts = itertools.count(1)

    async def watch(self) -> None:
        """Read from Kafka, until cancelled. Raises a SinkError."""
        async for record in self._stage.reader.records(QUIET_S):
            if record is None:
                self._quiet.set()
                continue
            sent = self.ledger.arrived(record)
            self._screen.record(record, None if sent is None else time.monotonic() - sent.at_s)
            self._arrival.set()

    async def perform(self, outage_s: float) -> Outage:
        """All acts, the outage last."""
        for act in acts(secrets.randbits(40)):
            self._begin(act.title, act.about)
            for posting in act.postings:
                await self._post(posting)
                await asyncio.sleep(PACE_S)  # slowly enough to be watched
            await self._arrivals()
        await self.settled_counts()
        return await self._outage(outage_s)

    async def _outage(self, seconds: float) -> Outage:
        kafka = self._stage.kafka
        if kafka is None or not seconds:
            why = "not wanted" if kafka else "this Kafka is not the demo's to stop"
            self._screen.line(f"  A broker that goes away is not shown: {why}.", "yellow")
            return Outage(shown=False)
        self._begin("Kafka goes away", f"for {seconds:g} s; webhooks go on, and are answered")
        slowest_ms, postings, number = 0.0, reads(_wish(secrets.randbits(40))), 0
        ends_s = time.monotonic() + seconds
        kafka.send_signal(signal.SIGSTOP)
        try:
            while (left_s := ends_s - time.monotonic()) > 0:
                slowest_ms = max(slowest_ms, (await self._post(next(postings))).ms)
                number += 1
                await asyncio.sleep(min(seconds / OUTAGE_WEBHOOKS, left_s))
            kept = int((await self._stage.status())["journal"]["pending"])
        finally:
            kafka.send_signal(signal.SIGCONT)
        self._screen.line(f"  Kafka is back. {kept} webhooks waited for it in the journal.", "yellow")
        if self.ledger.missing() != number:
            self.ledger.problem("events came out of a Kafka that was away: the outage did not happen")
        await self._arrivals()
        return Outage(True, seconds, number, kept, round(slowest_ms, 2))

    def _begin(self, title: str, about: str) -> None:
        self._screen.line(f"\n{next(self._acts)}. {title}: {about}", "bold")

    async def _post(self, posting: Posting) -> Outcome:
        self.ledger.posted(posting, time.monotonic())
        outcome = await self._stage.poster.post(posting)
        self.ledger.answered(outcome)
        place = f"{PATH}/{posting.hint:<18} {posting.event_type:<20}"
        colour = "green" if outcome.as_expected else "red"
        self._screen.line(f"  → POST {place} {outcome.status or 'no answer'} in {outcome.ms:.1f} ms", colour)
        return outcome

    async def _arrivals(self) -> None:
        """Wait until everything that was sent has come out; what has not in time, the verdict will say."""
        try:
            async with asyncio.timeout(ARRIVAL_S):
                while self.ledger.missing():
                    self._arrival.clear()
                    await self._arrival.wait()
        except TimeoutError:
            self.ledger.problem(f"{self.ledger.missing()} webhooks did not come out within {ARRIVAL_S:.0f} s")

    async def settled_counts(self) -> Mapping[str, float]:
        """The bridge's counts, once no record comes and they agree with the ledger's; after some time as they are."""
        self._quiet.clear()
        await self._quiet.wait()
        counts = await self._stage.counts()
        deadline_s = time.monotonic() + AGREE_S
        # The bridge counts an event a moment after its consumers can see it.
        while self.ledger.verdict(counts).problems and time.monotonic() < deadline_s:
            await asyncio.sleep(QUIET_S)
            counts = await self._stage.counts()
        return counts


def _wish(seed: int) -> Wish:
    return Wish(_OTHER_TYPES, CONVERSATIONS, seed, at=dt.datetime.now(dt.UTC).replace(microsecond=0) - _BEFORE)


def acts(seed: int) -> list[Act]:
    """All but the last, which is the outage."""
    wish = _wish(seed)
    others = replace(wish, seed=seed + CONVERSATIONS)
    world = (*conversation(wish), *itertools.islice(singles(others), len(others.types)))
    return [
        Act("Conversations", "two people, and what else there is: each of the nine types of webhooks", world),
        Act("Wrong credentials", "no token, then a wrong one: answered 401, and nothing is kept",
            tuple(itertools.islice(unauthorized(wish), 2))),
        Act("A broken body", "no JSON, with the right token: answered 400, and kept in quarantine",
            tuple(itertools.islice(malformed(wish), 1))),
        Act("A duplicate", "a webhook from above once more: answered 200, and not forwarded again", world[1:2]),
    ]  # fmt: skip


def _show_counts(result: Result, screen: Screen) -> None:
    verdict = result.verdict
    screen.line(f"\nCounts after {result.seconds} s, with {result.delivery}", "bold")
    screen.line(f"{'':<12}  seen here  bridge's metrics", "dim")
    for name, value in verdict.counts.items():
        bridge = f"{verdict.bridge[name]:g}" if name in verdict.bridge else ""
        screen.line(f"{name:<12}  {value:>9}  {bridge:>16}  {_MEANINGS[name]}", "")
    if verdict.ack_ms:
        screen.line(f"answers: median {verdict.ack_ms['p50']} ms, slowest {verdict.ack_ms['max']} ms", "")
    if verdict.repeated:
        screen.line(f"{verdict.repeated} events came twice, as at_least_once allows", "")
    if not verdict.problems:
        screen.line("It adds up. Nothing was lost.", "bold green")
    for problem in verdict.problems:
        screen.line(f"It does not add up: {problem}", "bold red")
