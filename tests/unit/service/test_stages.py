"""Why the service ends, and how fast."""

import asyncio
import time

from bridge.errors import ExitCode
from bridge.service.stages import Ending


async def test_the_first_cause_counts_and_a_second_one_only_hastens() -> None:
    ending = Ending()
    ending.ask("SIGTERM")
    assert (ending.asked, ending.hurried) == (True, False)
    ending.ask("SIGINT")
    assert (ending.cause, ending.exit_code, ending.hurried) == ("SIGTERM", ExitCode.OK, True)


async def test_a_failure_during_an_orderly_stop_decides_the_exit_code() -> None:
    ending = Ending()
    ending.ask("SIGTERM")
    ending.ask("journal", ExitCode.JOURNAL_FAILED)
    ending.ask("forward", ExitCode.FENCED)
    assert (ending.cause, ending.exit_code) == ("journal", ExitCode.JOURNAL_FAILED)


async def test_a_pause_ends_at_its_time_or_when_hurried() -> None:
    ending = Ending()
    await ending.pause(0.01)
    waiting = asyncio.create_task(ending.pause(60))
    await asyncio.sleep(0)
    began_s = time.monotonic()
    ending.ask("SIGTERM")
    ending.ask("SIGTERM")
    await asyncio.wait_for(waiting, timeout=5)
    await ending.pause(60)
    assert time.monotonic() - began_s < 5
