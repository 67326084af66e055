"""Staying up, for whoever wants to post by hand."""

import asyncio
import datetime as dt
import secrets
import shlex
from typing import Final

from bridge.demo.caller import Caller
from bridge.demo.errors import StageError
from bridge.demo.plan import PATH, Plan
from bridge.demo.screen import Screen
from bridge.demo.stage import Options, Stage, staged
from bridge.demo.traffic import webhook

QUIET_S: Final = 0.2
LOOK_S: Final = 0.5


async def serve(options: Options, screen: Screen) -> None:
    """Stay up, and show each event as it comes, until cancelled. Raises a BridgeError when it can't."""
    async with staged(options, screen) as stage:
        screen.invite(stage.plan, stage.url + PATH, curl_line(stage.plan, stage.url))
        async with asyncio.TaskGroup() as group:
            group.create_task(_say_what_is_not_forwarded(stage.caller, screen))
            group.create_task(_bridge_lives(stage))
            async for record in stage.reader.records(QUIET_S):
                if record is not None:
                    screen.came_out(record, None)


def curl_line(plan: Plan, url: str) -> str:
    """A command that posts one webhook as Treble would."""
    now = dt.datetime.now(dt.UTC).replace(microsecond=0)
    read = webhook("message.read", secrets.randbits(40), at=now, sent_at=now - dt.timedelta(seconds=2))
    headers = {**plan.headers(), "Content-Type": "application/json"}
    words = ["curl", "-i", f"{url}{PATH}/{read.hint}"]
    for name, value in headers.items():
        words += ["-H", f"{name}: {value}"]
    return shlex.join([*words, "-d", read.body.decode()])


async def _say_what_is_not_forwarded(caller: Caller, screen: Screen) -> None:
    """Whoever posts by hand should hear of each webhook, also of those that no event comes of."""
    before = await caller.tallies()
    while True:
        await asyncio.sleep(LOOK_S)
        now = await caller.tallies()
        for name in sorted(now):
            kind, _, outcome = name.partition("/")
            count = int(now[name] - before.get(name, 0))
            if count and name == "duplicates_total":
                screen.say(f"A duplicate: answered 200, not forwarded again ({count}).")
            elif count and kind == "requests_total" and outcome not in {"", "accepted", "not_json"}:
                screen.say(f"Turned away: {outcome.replace('_', ' ')} ({count}).")
        before = now


async def _bridge_lives(stage: Stage) -> None:
    await stage.bridge.ended()
    raise StageError(f"the bridge ended by itself, with exit code {stage.bridge.exit_code}")
