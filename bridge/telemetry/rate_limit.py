"""Which of many equal log lines is said: one per key and period, with the count of those held back. Pure."""

from collections.abc import Hashable

KEYS_MAX = 1024


class Sparing:
    """Remembers for each key when it was last said. Bounded: the key said longest ago is forgotten first."""

    def __init__(self, every_s: float, keys_max: int = KEYS_MAX) -> None:
        self._every_s = every_s
        self._keys_max = keys_max
        self._said: dict[Hashable, tuple[float, int]] = {}  # key → (when it was said, held back since)

    def admit(self, key: Hashable, now_s: float) -> int | None:
        """How many equal lines were held back, when this one may be said; None when it is held back too."""
        said = self._said.get(key)
        if said is not None and now_s - said[0] < self._every_s:
            self._said[key] = (said[0], said[1] + 1)
            return None
        self._said.pop(key, None)  # goes to the end of the order
        if len(self._said) >= self._keys_max:
            self._said.pop(next(iter(self._said)), None)
        self._said[key] = (now_s, 0)
        return 0 if said is None else said[1]
