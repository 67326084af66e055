"""How long to wait before the next try: exponential, with jitter, capped. Pure; chance is passed in."""

from typing import Final

_DOUBLINGS_MAX: Final = 60  # 2**60 times any pause is above any cap; beyond it floats would overflow


def delay_s(attempt: int, first_s: float, max_s: float, chance: float) -> float:
    """Seconds to wait after failure number `attempt` (the first is 1).

    The pause doubles from `first_s` to `max_s`; `chance` in [0, 1) picks a point in its upper half, so that many
    clients of a broker that came back don't knock at the same moment, and none knocks without a pause.
    """
    if attempt < 1:
        raise ValueError("attempts count from 1")
    ceiling = min(max_s, first_s * 2.0 ** min(attempt - 1, _DOUBLINGS_MAX))
    return ceiling * (0.5 + chance / 2)
