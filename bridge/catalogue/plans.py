"""Numbering plans: whether a country has a number at all. What they say is worth a note, never a rejection.

The plans are those of `phonenumbers` (libphonenumber's metadata). Its own validation parses, strips national prefixes
and asks region by region, which takes 30 µs; here each country code's patterns become one expression, made when a
number of that country comes first, and a number costs one match. A test holds the two against each other.
"""

import re
from collections.abc import Callable, Iterator

from phonenumbers.phonemetadata import PhoneMetadata, PhoneNumberDesc
from phonenumbers.phonenumberutil import COUNTRY_CODE_TO_REGION_CODE

_KINDS = (
    "fixed_line",
    "mobile",
    "toll_free",
    "premium_rate",
    "shared_cost",
    "personal_number",
    "voip",
    "pager",
    "uan",
    "voicemail",
)
_CODE_DIGITS_MAX = 3
_WORLD = "001"  # stands for a code without a region: satellites, international free calls

Match = Callable[[str], object]

# By country code: no more than there are such codes.
_plans: dict[str, Match] = {}


def in_plan(code: str, national: str) -> bool:
    """Whether the plan of country `code` (digits) has `national` (digits, as dialled after the code)."""
    plan = _plans.get(code)
    if plan is None:
        known, rest = _known_code(code + national)
        if known is None:
            return False
        if (plan := _plans.get(known)) is None:
            plan = _plans[known] = _plan(known)
        national = rest
    return plan(national) is not None


def _known_code(digits: str) -> tuple[str | None, str]:
    """The country code at the start of an international number, and what follows. No code begins with another one."""
    for size in range(1, _CODE_DIGITS_MAX + 1):
        if int(digits[:size] or 0) in COUNTRY_CODE_TO_REGION_CODE and digits[0] != "0":
            return digits[:size], digits[size:]
    return None, digits


def _plan(code: str) -> Match:
    """The match of one country code, all of its regions together."""
    return re.compile("|".join(dict.fromkeys(_patterns(int(code)))), re.ASCII).fullmatch


def _patterns(code: int) -> Iterator[str]:
    for region in COUNTRY_CODE_TO_REGION_CODE[code]:
        if region == _WORLD:
            metadata = PhoneMetadata.metadata_for_nongeo_region(code, None)
        else:
            metadata = PhoneMetadata.metadata_for_region(region, None)
        if metadata is not None:
            yield from (f"(?:{desc.national_number_pattern})" for desc in _descriptions(metadata))


def _descriptions(metadata: PhoneMetadata) -> Iterator[PhoneNumberDesc]:
    for kind in _KINDS:
        desc = getattr(metadata, kind)
        if desc is not None and desc.national_number_pattern:
            yield desc
