"""Why the service ends, and how fast."""

import asyncio
import time

from bridge.errors import ExitCode
from bridge.service.stages import Shutdown


async def test_the_first_cause_counts_and_a_second_one_forces_the_end() -> None:
    shutdown = Shutdown()
    shutdown.request("SIGTERM")
    assert (shutdown.requested, shutdown.forced) == (True, False)
    shutdown.request("SIGINT")
    assert (shutdown.cause, shutdown.exit_code, shutdown.forced) == ("SIGTERM", ExitCode.OK, True)


async def test_a_failure_during_an_orderly_stop_decides_the_exit_code() -> None:
    shutdown = Shutdown()
    shutdown.request("SIGTERM")
    shutdown.request("journal", ExitCode.JOURNAL_FAILED)
    shutdown.request("forward", ExitCode.FENCED)
    assert (shutdown.cause, shutdown.exit_code) == ("journal", ExitCode.JOURNAL_FAILED)


async def test_a_sleep_ends_at_its_time_or_when_forced() -> None:
    shutdown = Shutdown()
    await shutdown.sleep(0.01)
    waiting = asyncio.create_task(shutdown.sleep(60))
    await asyncio.sleep(0)
    began_s = time.monotonic()
    shutdown.request("SIGTERM")
    shutdown.request("SIGTERM")
    await asyncio.wait_for(waiting, timeout=5)
    await shutdown.sleep(60)
    assert time.monotonic() - began_s < 5
