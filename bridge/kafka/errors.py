"""aiokafka's exceptions → the bridge's, once, with the original chained; and how long to wait before the next try.

What aiokafka 0.14 was seen to raise is wider than KafkaError: a fatal state shows as AssertionError, and some broker
errors come as a bare KafkaError whose `__cause__` is the reason. So all that comes out of a client is translated.
"""

import asyncio
import contextlib
from collections.abc import Iterator
from typing import Final

from aiokafka import errors as kafka

from bridge.errors import (
    ProducerFencedError,
    ProducerLostError,
    RecordRejectedError,
    SinkError,
    SinkTimeoutError,
    SinkUnavailableError,
    TimestampRejectedError,
    TopicPausedError,
)

_PAUSE_STATES: dict[type[BaseException], str] = {
    kafka.UnknownTopicOrPartitionError: "missing",
    kafka.TopicAuthorizationFailedError: "unauthorized",
    kafka.NotLeaderForPartitionError: "leaderless",
    kafka.LeaderNotAvailableError: "leaderless",
    kafka.NotEnoughReplicasError: "leaderless",
    kafka.NotEnoughReplicasAfterAppendError: "leaderless",
    kafka.InvalidTopicError: "invalid",
    kafka.UnknownError: "refusing",  # also what aiokafka makes of codes it doesn't know, such as INVALID_RECORD
    kafka.CorruptRecordException: "refusing",
    kafka.UnsupportedForMessageFormatError: "refusing",
    kafka.PolicyViolationError: "refusing",
}
_PAUSE_ADVICE = {
    "missing": "it does not exist: create it (`treble-bridge topics create`)",
    "unauthorized": "the bridge's user may not write to it: it needs the ACLs Describe and Write",
    "leaderless": "a partition has no leader, or too few replicas in sync: see the brokers",
    "marker_missing": "Kafka may have written no transaction marker for records of this bridge in it, and it can't be "
    "told yet: see whether all its partitions have leaders, and which other transactions are open in it",
    "clock": "it rejects even the present time as a record's: compare this host's clock with the brokers', and see the "
    "topic's message.timestamp.before.max.ms and message.timestamp.after.max.ms",
    "refusing": "the broker refuses its records, and not for their size: its log says why",
    "invalid": "its name is not legal: change it in `topics`",
}
_REJECTED = (
    kafka.MessageSizeTooLargeError,
    kafka.RecordListTooLargeError,
    kafka.RecordTooLargeError,
)
_FENCED = (kafka.ProducerFenced, kafka.InvalidProducerEpoch)
_PERMISSIONS: dict[type[BaseException], str] = {
    kafka.TransactionalIdAuthorizationFailed: "Write and Describe on its transactional id",
    kafka.ClusterAuthorizationFailedError: "IdempotentWrite on the cluster",
    kafka.GroupAuthorizationFailedError: "Read on its consumer group",
}
_DOUBLINGS_MAX: Final = 60  # 2**60 times any pause is above any cap; beyond it floats would overflow


def paused(topic: str, state: str) -> TopicPausedError:
    """The error of a topic that can't take records, with what to do."""
    return TopicPausedError(topic, state, f"topic {topic} can't take records: {_PAUSE_ADVICE[state]}")


@contextlib.contextmanager
def translated(topic: str = "") -> Iterator[None]:
    """Whatever aiokafka raises inside leaves as a SinkError."""
    try:
        yield
    except SinkError:
        raise
    except Exception as error:
        raise translate(error, topic) from error


def translate(error: BaseException, topic: str = "") -> SinkError:  # noqa: PLR0911 - cases, in the order they count
    """What `error` means to the forwarder. `topic` is where it happened, if it concerns one."""
    if isinstance(error, SinkError):
        return error
    cause = _root(error)
    kind = type(cause)
    text = _text(cause)
    if topic and kind in _PAUSE_STATES:
        return paused(topic, _PAUSE_STATES[kind])
    if topic and isinstance(cause, _REJECTED):
        return RecordRejectedError(topic, f"Kafka rejects it on topic {topic}: {text}")
    if topic and isinstance(cause, kafka.InvalidTimestampError):
        return TimestampRejectedError(topic, f"topic {topic} rejects the time of a record: {text}")
    if isinstance(cause, _FENCED):
        return ProducerFencedError(
            "the producer's epoch was superseded: its transaction timed out, or another took over"
        )
    if kind in _PERMISSIONS:
        return SinkUnavailableError(f"Kafka denies it: the bridge's user needs {_PERMISSIONS[kind]} ({text})")
    if isinstance(cause, kafka.InvalidTransactionTimeout):
        return SinkUnavailableError(
            "kafka.transaction_timeout is above the brokers' transaction.max.timeout.ms: lower it"
        )
    if isinstance(cause, asyncio.TimeoutError | kafka.KafkaTimeoutError):  # the latter: no room for a batch
        return SinkTimeoutError("Kafka did not answer in time")
    if isinstance(cause, kafka.KafkaConnectionError):
        return SinkUnavailableError(
            f"no connection to Kafka ({text}): check kafka.bootstrap_servers and, if they answer, kafka.security"
        )
    if isinstance(cause, kafka.KafkaError) and getattr(cause, "retriable", False):
        return SinkUnavailableError(f"Kafka can't now: {text}")
    return ProducerLostError(f"the producer can't go on: {text}")


def _root(error: BaseException) -> BaseException:
    """The reason under a bare KafkaError."""
    while type(error) is kafka.KafkaError and error.__cause__ is not None:
        error = error.__cause__
    return error


def _text(error: BaseException) -> str:
    """The error with its class's name, which many of aiokafka's put in front themselves."""
    name, text = type(error).__name__, str(error)
    return (text if text.startswith(name) else f"{name}: {text}") if text else name


def delay_s(attempt: int, first_s: float, max_s: float, chance: float) -> float:
    """Seconds to wait after failure number `attempt` (the first is 1).

    The pause doubles from `first_s` to `max_s`; `chance` in [0, 1) picks a point in its upper half, so that many
    clients of a broker that came back don't knock at the same moment, and none knocks without a pause.
    """
    ceiling = min(max_s, first_s * 2.0 ** min(attempt - 1, _DOUBLINGS_MAX))
    return ceiling * (0.5 + chance / 2)
