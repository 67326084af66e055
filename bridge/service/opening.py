"""What running a bridge and draining a journal have in common: the journal as configured, work beside the way."""

import asyncio
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

from bridge.journal import Journal
from bridge.settings.models import Settings
from bridge.telemetry import Telemetry

RESTART_PAUSE_S = 5.0


async def open_journal(settings: Settings, path: Path, telemetry: Telemetry, clock_ms: Callable[[], int]) -> Journal:
    """Own and open the journal in `path`, with the bounds of the configuration. Raises what `Journal.open` does."""
    journal = await asyncio.to_thread(
        Journal.open,
        path,
        max_bytes=settings.journal.max_bytes,
        retain_s=settings.journal.retain,
        retain_bytes=settings.journal.retain_bytes,
        window_s=settings.duplicates.window,
        telemetry=telemetry,
        clock_ms=clock_ms,
        loop=asyncio.get_running_loop(),
    )
    telemetry.journal_opened(str(journal.path), journal.id, journal.usage())
    return journal


async def keep_running(stage: str, work: Callable[[], Coroutine[Any, Any, None]], telemetry: Telemetry) -> None:
    """`work`, started again after a failure: a mistake beside the way of an event must not stop events."""
    while True:
        try:
            await work()
        except Exception as error:  # noqa: BLE001 - a mistake of ours
            telemetry.stage_restarted(stage, error)
            await asyncio.sleep(RESTART_PAUSE_S)
