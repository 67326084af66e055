"""What every act uses: posting, reading from Kafka meanwhile, and the books that are kept."""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Final

from bridge.demo.errors import StageError
from bridge.demo.ledger import Ledger, Verdict
from bridge.demo.screen import Screen
from bridge.demo.stage import Stage
from bridge.demo.traffic import Webhook

ARRIVAL_S: Final = 20.0
SETTLE_S: Final = 5.0
QUIET_S: Final = 0.2
PACE_S: Final = 0.06
LOOK_S: Final = 0.05


class Run:
    """One run: what the acts do, and the books that they keep."""

    def __init__(self, stage: Stage, screen: Screen) -> None:
        self.stage, self.screen = stage, screen
        self.ledger = Ledger(stage.plan)
        self._news = asyncio.Event()
        self._quiet = asyncio.Event()
        self._ending = False

    @asynccontextmanager
    async def watching(self) -> AsyncIterator[None]:
        """Read from Kafka meanwhile; a failure there ends what goes on here."""
        async with asyncio.TaskGroup() as group:
            beside = [group.create_task(self._watch()), group.create_task(self._bridge_lives())]
            try:
                yield
            finally:
                for task in beside:
                    task.cancel()

    async def _bridge_lives(self) -> None:
        exit_code = await self.stage.bridge.ended()
        if not self._ending:
            raise StageError(f"the bridge ended by itself, with exit code {exit_code}")

    async def _watch(self) -> None:
        async for record in self.stage.reader.records(QUIET_S):
            if record is None:
                self._quiet.set()
                continue
            sent = self.ledger.arrived(record)
            self.screen.came_out(record, None if sent is None else time.monotonic() - sent.at_s)
            self._news.set()

    async def post(self, webhook: Webhook) -> float:
        """Post a webhook and note its answer. Returns how long it took in milliseconds."""
        answer = await self.stage.caller.post(webhook)
        self.screen.sent(self.ledger.answered(webhook, *answer))
        return answer.ms

    async def post_all(self, webhooks: Sequence[Webhook]) -> None:
        """Post them one after the other, slowly enough to be watched."""
        for one in webhooks:
            await self.post(one)
            await asyncio.sleep(PACE_S)

    async def arrivals(self) -> None:
        """Wait until everything that was sent has come out; what has not in time, the verdict will say."""
        try:
            async with asyncio.timeout(ARRIVAL_S):
                while self.ledger.missing():
                    self._news.clear()
                    await self._news.wait()
        except TimeoutError:
            self.ledger.problem(f"{self.ledger.missing()} webhooks did not come out within {ARRIVAL_S:.0f} s")

    async def nothing_pending(self) -> None:
        """Wait until the bridge has dealt with all that it has, duplicates included."""
        deadline_s = time.monotonic() + SETTLE_S
        while time.monotonic() < deadline_s:
            if not (await self.stage.caller.counts())["pending"]:
                return
            await asyncio.sleep(LOOK_S)

    async def settle(self) -> Verdict:
        """Wait until nothing moves any more, stop the bridge, close the books."""
        await self.arrivals()
        counts = await self.stage.caller.counts()
        deadline_s = time.monotonic() + SETTLE_S
        # The bridge counts an event a moment after its consumers can see it.
        while self.ledger.verdict(counts).problems and time.monotonic() < deadline_s:
            await asyncio.sleep(QUIET_S)
            counts = await self.stage.caller.counts()
        self._quiet.clear()  # whatever comes now would be one too many
        await self._quiet.wait()
        self._ending = True
        if exit_code := await self.stage.end_bridge():
            self.ledger.problem(f"the bridge ended with exit code {exit_code}")
        return self.ledger.verdict(counts)
