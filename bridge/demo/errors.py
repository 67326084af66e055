"""What can end a run of the demo before its counts are in."""

from bridge.errors import BridgeError, ExitCode


class NoEmbeddedKafkaError(BridgeError):
    """The package that brings the embedded Kafka is not installed."""

    exit_code = ExitCode.USAGE


class StageError(BridgeError):
    """Something that the demo needs did not start, ended too early, or did not answer in time."""
