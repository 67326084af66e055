"""Who waits for an entry that is not there yet: the forwarder, at the front."""

import asyncio
import contextlib

from bridge.errors import JournalFailedError


class Waiting:
    """Futures by the id that each of them waits for. On the event loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._waiting: list[tuple[int, asyncio.Future[None]]] = []

    def __len__(self) -> int:
        """How many wait."""
        return len(self._waiting)

    async def for_entry(self, entry_id: int) -> None:
        """Return at the first `wake` with this id, or a higher one. Raises what `fail` says."""
        future: asyncio.Future[None] = self._loop.create_future()
        waiting = (entry_id, future)
        self._waiting.append(waiting)
        try:
            await future
        except asyncio.CancelledError:
            with contextlib.suppress(ValueError):  # it may just have been woken
                self._waiting.remove(waiting)
            raise

    def wake(self, last_id: int) -> None:
        """Entries up to `last_id` are there."""
        if not self._waiting:
            return
        waiting, self._waiting = self._waiting, []
        for entry_id, future in waiting:
            if future.done():
                continue
            if entry_id <= last_id:
                future.set_result(None)
            else:
                self._waiting.append((entry_id, future))

    def fail(self, error: JournalFailedError) -> None:
        """Nothing comes any more."""
        for _, future in self._waiting:
            if not future.done():
                future.set_exception(error)
        self._waiting.clear()
