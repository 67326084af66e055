"""A batch that too few replicas can take is given back after a while.

aiokafka's idempotent producer sends such a batch again for ever, without a word to whoever waits for it. From outside
that looks like a slow link, and metadata says nothing of it; but it is one topic's trouble, which has to be named.
With `at_least_once` all other lanes go on. A transaction that the topic is in can't end before its replicas are back:
Kafka marks its end in that topic as well. Then all others go on.
"""

import time
from typing import Any, Final

from aiokafka.errors import NotEnoughReplicasAfterAppendError, NotEnoughReplicasError
from aiokafka.producer import sender

GRACE_S: Final = 2.0
"""How long it may last: replicas that restart one after another are back by then."""

_TOO_FEW: Final = (NotEnoughReplicasError, NotEnoughReplicasAfterAppendError)


class _Handler(sender.SendProduceReqHandler):  # type: ignore[misc] # aiokafka has no types
    """What handles a broker's answer about batches."""

    def _can_retry(self, error: BaseException, batch: Any) -> bool:
        if isinstance(error, _TOO_FEW) and time.monotonic() - batch._ctime > GRACE_S:  # noqa: SLF001 - as abandon.py
            return False
        return bool(super()._can_retry(error, batch))


def give_back_what_lacks_replicas() -> None:
    """Let the futures of such batches fail, for every producer of this process."""
    sender.SendProduceReqHandler = _Handler
