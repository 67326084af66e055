"""The window of duplicates as the journal uses it: memory and table as one, and the moving from one to the other."""

from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import apsw

from bridge.journal import identities, identity_table
from bridge.journal.identities import RecentIdentities
from bridge.journal.storage import Storage
from bridge.journal.writer import Step

if TYPE_CHECKING:
    import asyncio

Ask = Callable[[Callable[[apsw.Connection], dict[bytes, int]]], Awaitable[dict[bytes, int]]]


class Window:
    """On the event loop. `queue` puts a step into the writer's next commit, `ask` a query to the reader."""

    def __init__(
        self, storage: Storage, bytes_max: int, *, queue: "Callable[[Step], asyncio.Future[Any]]", ask: Ask
    ) -> None:
        self.recent = RecentIdentities(storage.identities.logged(), bytes_max)
        self._merged_any = identity_table.any_merged(storage.connection)
        self._queue, self._ask = queue, ask

    async def seen(self, wanted: Sequence[bytes], since_ms: int) -> dict[bytes, int]:
        """Those of the identities that were remembered with a time of `since_ms` or later, each with that time."""
        found = self.recent.find(wanted, since_ms)
        if self._merged_any and (rest := [identity for identity in wanted if identity not in found]):
            found |= await self._ask(lambda connection: identity_table.look_up(connection, rest, since_ms))
        return found

    def add(self, seq: int, remembered: Sequence[tuple[bytes, int]]) -> None:
        """Take up what row `seq` of the log holds."""
        self.recent.add(seq, remembered)

    def merge(self) -> None:
        """Move identities from memory into the table, when there are too many. Raises what `queue` does."""
        while (merge := self.recent.to_merge()) is not None:
            self._merged_any = True
            done = self._queue(partial(_merge_step, merge, self.recent.log_merged))
            done.add_done_callback(partial(self._merged, merge))

    def _merged(self, merge: identities.Merge, done: "asyncio.Future[Any]") -> None:
        if not done.cancelled() and done.exception() is None:
            self.recent.merged(merge)


def _merge_step(merge: identities.Merge, log_merged: int, storage: Storage) -> None:
    storage.identities.merge(merge.bucket, merge.taken, log_merged)
