"""A person's phone out of `country_code` and `cellphone`: E.164 with its parts, nothing guessed.

A number that its country's numbering plan does not have is noted, and passed on as it is: plans change, and metadata
ages. National quirks are not rewritten: Mexico's mobile numbers travel with and without a 1 after 52, Argentina's with
and without a 9 after 54. For those, the other spelling is in `phone_variants`, so that consumers can match.
"""

from functools import lru_cache
from typing import Any

import phonenumbers

from bridge.catalogue.reading import Reading, sent_as
from bridge.catalogue.shapes import number_text
from bridge.model import Contact

CONTACT_FIELDS = ("country_code", "cellphone")

_PLUS_CODES = {f"+{code}": str(code) for code in range(1, 1000)}
_MOBILE_MARKS = {"52": "1", "54": "9"}
_NATIONAL_DIGITS = 10  # of Mexico and Argentina, without the mark
_E164_DIGITS_MIN, _E164_DIGITS_MAX = 2, 15
_NOT_IN_PLAN = "phone_not_in_plan"
_SEPARATORS = str.maketrans("", "", " \u00a0-.()/\t")
_NUMBERS_REMEMBERED = 10_000


# The library takes some 25 µs for a number, more than all else that is done for an event. But a conversation is several
# events of one person, so most numbers were looked up a moment ago.
@lru_cache(maxsize=_NUMBERS_REMEMBERED)
def in_plan(phone: str) -> bool:
    """Whether its country's numbering plan has this number: a plus, the country code, and what is dialled after it."""
    try:
        number = phonenumbers.parse(phone)
    except phonenumbers.NumberParseException:
        return False
    if not phonenumbers.is_valid_number(number):
        return False
    # The library's parser leaves out a trunk prefix, such as the 0 after +44, with which the number can't be called.
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164) == phone


def read_contact(holder: dict[str, Any], reading: Reading) -> Contact | None:
    """The contact in `holder`, the object that has the two fields; None when it has neither."""
    code_sent, cell_sent = holder.get("country_code"), holder.get("cellphone")
    if type(code_sent) is str and type(cell_sent) is str and cell_sent.isdecimal() and cell_sent.isascii():
        code = _PLUS_CODES.get(code_sent)
        if code is not None and len(code) + len(cell_sent) <= _E164_DIGITS_MAX:
            if len(cell_sent) > _NATIONAL_DIGITS or code in _MOBILE_MARKS:
                return _contact(code, cell_sent, reading)
            phone = f"+{code}{cell_sent}"
            if not in_plan(phone):
                reading.note(_NOT_IN_PLAN)
            return Contact(phone, code, cell_sent)
    return _read_unusual(code_sent, cell_sent, reading)


def _contact(code: str, national: str, reading: Reading) -> Contact:
    if len(national) > _NATIONAL_DIGITS and national.startswith(code):
        reading.note("cellphone_may_have_country_code")
    phone = f"+{code}{national}"
    return Contact(phone, code, national, _variants(phone, reading))


def _variants(phone: str, reading: Reading) -> tuple[str, ...]:
    """The other spelling, if there is one; a number that no plan has in either of them is noted."""
    code, national = phone[1:3], phone[3:]  # no code begins with another one, so two digits tell Mexico and Argentina
    mark = _MOBILE_MARKS.get(code)
    variants: tuple[str, ...] = ()
    if mark is not None and len(national) == _NATIONAL_DIGITS:
        variants = (f"+{code}{mark}{national}",)
    elif mark is not None and len(national) == _NATIONAL_DIGITS + 1 and national[0] == mark:
        variants = (f"+{code}{national[1:]}",)
    # Plans know only one of the two spellings of a mobile number in Mexico.
    if not any(in_plan(number) for number in (phone, *variants)):
        reading.note(_NOT_IN_PLAN)
    return variants


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
        return Contact(f"+{whole}", code, national, _variants(f"+{whole}", reading))
    return _contact(code, national, reading)


def _digits(value: Any, field: str, reading: Reading) -> tuple[str | None, bool]:
    """The digits of a part, and whether it began with a plus."""
    if value is None:
        return None, False
    if not isinstance(value, str):
        number = number_text(value)
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
