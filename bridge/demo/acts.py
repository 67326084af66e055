"""The acts, in their order."""

import asyncio
import datetime as dt
import secrets
import time
from dataclasses import dataclass
from typing import Final

from bridge.demo.broker import EmbeddedBroker
from bridge.demo.run import Run
from bridge.demo.traffic import again, broken, conversations, reads, refused

OUTAGE_PACE_S: Final = 0.3
OUTAGE_WEBHOOKS: Final = 16


@dataclass(frozen=True, slots=True)
class Outage:
    """The act of the broker that goes away. `kept` is what the journal held when it came back."""

    shown: bool
    seconds: float = 0.0
    webhooks: int = 0
    kept: int = 0
    slowest_ack_ms: float = 0.0


async def acts(run: Run, outage_s: float) -> Outage:
    seed, now = secrets.randbits(40), dt.datetime.now(dt.UTC)
    world = conversations(seed, now)
    run.screen.act("Conversations", "three people, a template, a deployment: each of the nine types of webhooks")
    await run.post_all(world)
    await run.arrivals()
    read = next(one for one in world if one.event_type == "message.read")
    run.screen.act("A wrong token", "answered 401, and nothing is kept")
    await run.post(refused(read))
    run.screen.act("A broken body", "no JSON, from someone who knows the token: answered 400, and kept in quarantine")
    await run.post(broken(read))
    await run.arrivals()
    run.screen.act("A duplicate", "a webhook from above once more: answered 200, and not forwarded again")
    await run.post(again(read))
    await run.nothing_pending()
    return await _outage(run, outage_s, seed + len(world), now)


async def _outage(run: Run, seconds: float, seed: int, now: dt.datetime) -> Outage:
    broker = run.stage.broker
    if not isinstance(broker, EmbeddedBroker) or not seconds:
        why = "this Kafka is not the demo's to stop" if broker.real else "not wanted"
        run.screen.say(f"A broker that goes away is not shown: {why}.")
        return Outage(shown=False)
    run.screen.act("Kafka goes away", f"for {seconds:g} s; webhooks go on, and are answered")
    slowest_ms, webhooks = 0.0, reads(seed, now)
    ends_s = time.monotonic() + seconds
    number = 0
    broker.freeze()
    try:
        while (left_s := ends_s - time.monotonic()) > 0:
            slowest_ms = max(slowest_ms, await run.post(next(webhooks)))
            number += 1
            await asyncio.sleep(min(max(OUTAGE_PACE_S, seconds / OUTAGE_WEBHOOKS), left_s))
        kept = int((await run.stage.caller.status())["journal"]["pending"])
    finally:
        broker.thaw()
    run.screen.say(f"Kafka is back. {kept} webhooks waited for it in the journal.")
    if run.ledger.missing() != number:
        run.ledger.problem("events came out of a Kafka that was away: the outage did not happen")
    await run.arrivals()
    return Outage(True, seconds, number, kept, round(slowest_ms, 2))
