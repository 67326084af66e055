"""Names by chance. Of letters only: one in 30 of hex digits has eight digits in a row, which a log masks as a phone."""

import random
from string import ascii_lowercase


def letters(count: int = 10) -> str:
    """A word that no other test has."""
    return "".join(random.SystemRandom().choices(ascii_lowercase, k=count))
