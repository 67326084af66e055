"""The exceptions of the bridge. Each class carries its disposition, so that no caller keeps a list of classes."""

from enum import IntEnum
from typing import ClassVar


class ExitCode(IntEnum):
    """Exit codes of the command line; docs/reference.md lists them."""

    OK = 0
    FAILURE = 1  # something unforeseen; the log has the traceback
    USAGE = 2  # wrong options or configuration, a journal that can't be used: nothing was started
    JOURNAL_LOCKED = 3  # another process owns the journal
    JOURNAL_CORRUPT = 4  # the journal can't be opened; `journal verify` tells more
    JOURNAL_FAILED = 5  # a write or a sync failed while running: restart on a clean recovery
    FENCED = 6  # another live process forwards this journal's entries
    UNREACHABLE = 7  # Kafka, or the bridge under test, did not answer; a drain ended with entries left
    MISMATCH = 8  # a check found a difference: counts, topics, expected output
    PORT_TAKEN = 9  # an address to listen on can't be used now: somebody else has it, or the machine not yet


class BridgeError(Exception):
    """The base of all expected errors. The message is for the user: what happened, where, what to do."""

    exit_code: ClassVar[ExitCode] = ExitCode.FAILURE


class ConfigError(BridgeError):
    """The configuration is wrong. The message names file, line, key path, and what was expected."""

    exit_code = ExitCode.USAGE


class ListenError(ConfigError):
    """An address to listen on can't be used now. It may be later: its holder ends, or the network comes up."""

    exit_code = ExitCode.PORT_TAKEN


class JournalError(BridgeError):
    """The base of the journal's errors."""


class JournalLockedError(JournalError):
    """Another process owns the journal."""

    exit_code = ExitCode.JOURNAL_LOCKED


class JournalCorruptError(JournalError):
    """The database is damaged, or is not a journal, or was written by a newer version."""

    exit_code = ExitCode.JOURNAL_CORRUPT


class JournalUnusableError(JournalError):
    """This user can't use the journal's folder: not its own, read-only, or no folder. No restart mends that."""

    exit_code = ExitCode.USAGE


class JournalRestoredError(JournalError):
    """Kafka counts entries that this journal never held: it is an older copy. Nothing may be forwarded from it."""

    exit_code = ExitCode.MISMATCH


class JournalFullError(JournalError):
    """The journal holds `journal.max_bytes`; it takes entries again when forwarding has made room."""


class JournalFailedError(JournalError):
    """A commit or a sync failed. Nothing of that commit may be acknowledged; the process must restart."""

    exit_code = ExitCode.JOURNAL_FAILED


class SinkError(BridgeError):
    """The base of what can go wrong with Kafka, translated once in `bridge.kafka.errors`."""

    exit_code = ExitCode.UNREACHABLE
    cause_label: ClassVar[str] = "other"  # in metrics


class SinkUnavailableError(SinkError):
    """Kafka does not answer, or answers that it can't now. Try again with a new producer."""

    cause_label = "unavailable"


class SinkTimeoutError(SinkUnavailableError):
    """A call took longer than our own limit. Whether it took effect is unknown: ask the positions topic."""

    cause_label = "timeout"


class ProducerLostError(SinkError):
    """The producer can't go on (fenced epoch, out-of-order sequence, fatal state): build a new one."""

    cause_label = "producer_lost"


class ProducerFencedError(ProducerLostError):
    """The producer's epoch was superseded. Its transaction timed out, or another process took over: look which."""

    cause_label = "producer_fenced"


class FencedError(SinkError):
    """Another live process does the same: forwards this journal, or redrives. It goes on, this one stops."""

    exit_code = ExitCode.FENCED
    cause_label = "fenced"


class TopicPausedError(SinkError):
    """One topic can't take records. Only it is paused.

    `state` is a bounded label: missing, unauthorized, leaderless, marker_missing, invalid, clock, refusing.
    """

    cause_label = "topic_paused"

    def __init__(self, topic: str, state: str, message: str) -> None:
        super().__init__(message)
        self.topic = topic
        self.state = state


class RecordRejectedError(SinkError):
    """Kafka rejects a batch for its own sake (too large). With one record in it, that record goes to quarantine.

    `entry_ids` are the entries whose records were in the batch, `size_bytes` its size before compression.
    """

    cause_label = "record_rejected"

    def __init__(self, topic: str, message: str) -> None:
        super().__init__(message)
        self.topic = topic
        self.entry_ids: tuple[int, ...] = ()
        self.size_bytes = 0


class TimestampRejectedError(SinkError):
    """A topic rejects a batch for a record's time: too far from the broker's clock. No fault of the event."""

    cause_label = "timestamp_rejected"

    def __init__(self, topic: str, message: str) -> None:
        super().__init__(message)
        self.topic = topic
