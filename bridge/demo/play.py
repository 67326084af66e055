"""A run from start to end."""

import asyncio
import time
from dataclasses import asdict, dataclass
from typing import Any, Final

from bridge.demo.acts import Outage, acts
from bridge.demo.errors import StageError
from bridge.demo.ledger import Verdict
from bridge.demo.run import Run
from bridge.demo.screen import Screen
from bridge.demo.stage import Options, staged

LIMIT_S: Final = 45.0


@dataclass(frozen=True, slots=True)
class Result:
    """A run that came to its end."""

    kafka: str
    delivery: str
    outage: Outage
    verdict: Verdict
    seconds: float

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        about = {"kafka": self.kafka, "delivery": self.delivery, "seconds": round(self.seconds, 1)}
        return {**about, **self.verdict.as_dict(), "outage": asdict(self.outage)}


async def play(options: Options, screen: Screen) -> Result:
    """Run all acts. Raises a BridgeError when it can't come to its end."""
    began_s = time.monotonic()
    async with staged(options, screen) as stage:
        run = Run(stage, screen)
        try:
            async with asyncio.timeout(LIMIT_S), run.watching():
                outage = await acts(run, options.outage_s)
                verdict = await run.settle()
        except TimeoutError as error:
            raise StageError(f"the acts did not end within {LIMIT_S:.0f} s") from error
        seconds = time.monotonic() - began_s
        screen.closed(stage.plan, verdict, seconds)
        if verdict.problems:
            screen.failed(stage.bridge.last_words())
        return Result(stage.broker.name, stage.plan.delivery, outage, verdict, seconds)
