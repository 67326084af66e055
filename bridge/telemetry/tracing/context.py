"""W3C Trace Context, as far as it is needed where OpenTelemetry is not installed. Pure."""

import re

_TRACEPARENT = re.compile(
    r"(?!ff)([0-9a-f]{2})-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})", re.ASCII
)


def is_traceparent(text: str) -> bool:
    """Whether this is a `traceparent` as of version 00."""
    return _TRACEPARENT.fullmatch(text) is not None
