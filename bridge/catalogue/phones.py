"""A person's phone out of `country_code` and `cellphone`: E.164 with its parts, nothing guessed.

A number that its country's numbering plan does not have is noted, and passed on as it is: plans change, and metadata
ages.

National quirks are not rewritten. Mexico's mobile numbers travel with and without a 1 after 52, Argentina's with and
without a 9 after 54; for those, the other spelling is in `phone_variants`, so that consumers can match.

Numbering plans: whether a country has a number at all. What they say is worth a note, never a rejection.

The plans are those of `phonenumbers` (libphonenumber's metadata). Its own validation parses, strips national prefixes
and asks region by region, which takes 30 µs; here each country code's patterns become one expression, made when a
number of that country comes first, and a number costs one match. A test holds the two against each other.
"""

import re
from collections.abc import Callable, Iterator
from typing import Any

from phonenumbers.phonemetadata import PhoneMetadata, PhoneNumberDesc
from phonenumbers.phonenumberutil import COUNTRY_CODE_TO_REGION_CODE

from bridge.catalogue.reading import Reading, sent_as
from bridge.catalogue.shapes import number_text
from bridge.model import Contact

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


CONTACT_FIELDS = ("country_code", "cellphone")

_PLUS_CODES = {f"+{code}": str(code) for code in range(1, 1000)}
_MOBILE_MARKS = {"52": "1", "54": "9"}
_NATIONAL_DIGITS = 10  # of Mexico and Argentina, without the mark
_E164_DIGITS_MIN, _E164_DIGITS_MAX = 2, 15
_NOT_IN_PLAN = "phone_not_in_plan"
_SEPARATORS = str.maketrans("", "", " \u00a0-.()/\t")


def read_contact(holder: dict[str, Any], reading: Reading) -> Contact | None:
    """The contact in `holder`, the object that has the two fields; None when it has neither."""
    code_sent, cell_sent = holder.get("country_code"), holder.get("cellphone")
    if type(code_sent) is str and type(cell_sent) is str and cell_sent.isdecimal() and cell_sent.isascii():
        code = _PLUS_CODES.get(code_sent)
        if code is not None and len(code) + len(cell_sent) <= _E164_DIGITS_MAX:
            if len(cell_sent) > _NATIONAL_DIGITS or code in _MOBILE_MARKS:
                return _contact(code, cell_sent, reading)
            if not in_plan(code, cell_sent):
                reading.note(_NOT_IN_PLAN)
            return Contact(f"+{code}{cell_sent}", code, cell_sent)
    return _read_unusual(code_sent, cell_sent, reading)


def _contact(code: str, national: str, reading: Reading) -> Contact:
    if len(national) > _NATIONAL_DIGITS and national.startswith(code):
        reading.note("cellphone_may_have_country_code")
    return Contact(f"+{code}{national}", code, national, _variants(code, national, reading))


def _variants(code: str, national: str, reading: Reading) -> tuple[str, ...]:
    """The other spellings; a number that no plan has in any of them is noted."""
    variants = _other_spellings(code, national)
    # Plans know only one of the two spellings of a mobile number in Mexico.
    if not in_plan(code, national) and not any(in_plan("", number[1:]) for number in variants):
        reading.note(_NOT_IN_PLAN)
    return variants


def _other_spellings(code: str, national: str) -> tuple[str, ...]:
    mark = _MOBILE_MARKS.get(code)
    if mark is None:
        return ()
    if len(national) == _NATIONAL_DIGITS:
        return (f"+{code}{mark}{national}",)
    if len(national) == _NATIONAL_DIGITS + 1 and national[0] == mark:
        return (f"+{code}{national[1:]}",)
    return ()


def _read_unusual(code_sent: Any, cell_sent: Any, reading: Reading) -> Contact | None:
    code, _ = _digits(code_sent, "country_code", reading)
    national, international = _digits(cell_sent, "cellphone", reading)
    if code is not None and code.startswith("00"):
        reading.note("country_code_had_00")
        code = code[2:] or None
    if national is None:
        return None if code is None else Contact(country_code=code)
    if international and (code is None or national.startswith(code)):
        # A plus of its own says that the number is complete: putting the code in front again would make another one.
        reading.note("cellphone_was_international")
        whole: str | None = national
    else:
        whole = None if code is None else code + national
    if whole is None:
        return Contact(national_number=national)
    if whole[0] == "0" or not _E164_DIGITS_MIN <= len(whole) <= _E164_DIGITS_MAX:
        reading.note("phone_not_e164")
        return Contact(None, code, national)
    if code is None or whole is national:
        # No code begins with another one, so the first digits tell Mexico and Argentina, whoever has the code.
        marked = next((known for known in _MOBILE_MARKS if whole.startswith(known)), "")
        return Contact(f"+{whole}", code, national, _variants(marked, whole[len(marked) :], reading))
    return _contact(code, national, reading)


def _digits(value: Any, field: str, reading: Reading) -> tuple[str | None, bool]:
    """The digits of a part, and whether it began with a plus."""
    if value is None:
        return None, False
    if not isinstance(value, str):
        number = number_text(value) if isinstance(value, int | float) and not isinstance(value, bool) else None
        if number is None or not number.isdecimal():
            reading.note(f"unreadable:{field}")
            return None, False
        reading.note(f"{field}_was_{sent_as(value)}")
        return number, False
    bare = value.translate(_SEPARATORS)
    digits = bare.removeprefix("+")
    if digits.isdecimal() and digits.isascii():
        if bare != value:
            reading.note(f"{field}_had_separators")
        return digits, bare != digits
    reading.note(f"unreadable:{field}" if bare else f"empty:{field}")
    return None, False
