"""Ids of traces and spans: random, in hex. That one is zero, which would be no id, is not going to happen."""

from random import getrandbits

TRACE_IDS = 1 << 64
"""How many there are by their last 64 bits, which is what sampling goes by: here as in other programs."""


def new_span_id() -> str:
    """16 hex digits."""
    return f"{getrandbits(64):016x}"


def new_trace() -> tuple[str, str]:
    """The ids of a trace and of its first span: 32 and 16 hex digits."""
    digits = f"{getrandbits(192):048x}"
    return digits[:32], digits[32:]


def is_sampled(trace_id: str, sampled_below: int) -> bool:
    """Whether a trace is among the share of all that `sampled_below` stands for."""
    return int(trace_id[16:], 16) < sampled_below
