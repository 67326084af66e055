"""Which record Kafka rejects. Its limit is for a batch, and the answer names no record: so a rejected batch is halved.

A group of entries shares no batch with others. When a batch of several records is rejected, each half becomes a group
of its own; a rejected batch of one has found the record, which goes to the quarantine. When all halves pass, it was the
size of the batch: the topic takes smaller ones from then on.
"""

from collections.abc import Iterable
from typing import Final

from bridge.errors import RecordRejectedError
from bridge.kafka.batches import Sizing

REJECTIONS_MAX: Final = 2
"""As an event, and as a quarantine record with the whole body. The third, with the beginning only, should pass."""

_SHRINK: Final = 0.9
_SIZE_MIN_BYTES: Final = 200


class RejectedRecords:
    """What is known of rejected batches and records. In memory: after a crash it is found out again."""

    def __init__(self) -> None:
        self.sizing = Sizing()
        self._records: dict[int, tuple[int, str]] = {}
        self._halved: dict[str, int] = {}
        self._group = 0

    def note(self, error: RecordRejectedError) -> int | None:
        """A batch was rejected. Returns the entry whose record it was, None while that isn't known yet."""
        ids = error.entry_ids
        if len(ids) == 1:
            times, _ = self.rejections(ids[0])
            self._records[ids[0]] = (times + 1, str(error))
            self._halved.pop(error.topic, None)
            return ids[0]
        self._halved[error.topic] = error.size_bytes
        middle = len(ids) // 2
        for half in (ids[:middle], ids[middle:]):
            self._group += 1
            for entry_id in half:
                self.sizing.groups[entry_id] = self._group
        return None

    def rejections(self, entry_id: int) -> tuple[int, str]:
        """How often the record of this entry was rejected, and with what words."""
        return self._records.get(entry_id, (0, ""))

    def on_delivered(self, entry_ids: Iterable[int]) -> None:
        """These entries went out. What is known of others stays: another topic may have moved meanwhile."""
        groups = self.sizing.groups
        if not groups and not self._records:
            return
        for entry_id in entry_ids:
            groups.pop(entry_id, None)
            self._records.pop(entry_id, None)
        if not groups:
            for topic, size_bytes in self._halved.items():
                self.sizing.topic_bytes_max[topic] = max(_SIZE_MIN_BYTES, int(size_bytes * _SHRINK))
            self._halved.clear()
