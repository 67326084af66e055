"""Who a webhook is about: a phone, made of `country_code` and `cellphone`, and WhatsApp's ids of the person.

The phone is E.164 with its parts, nothing guessed. A number that its country's numbering plan does not have is noted,
and passed on as it is: plans change, and metadata ages. National quirks are not rewritten. Mobile numbers are spelt in
two ways in Mexico (with and without a 1 after 52), Argentina (a 9 after 54) and Brazil (a 9 after the area code). The
other spelling is in `phone_variants`, so that consumers can match.

Since 2026 WhatsApp may name a person without the phone: by an id that each business has of its own for that person
(BSUID, `CO.1349120865531`), by its parent (`CO.ENT.…`), and by a user name.
"""

import re
import unicodedata
from functools import lru_cache
from typing import Any

import phonenumbers

from bridge.catalogue.reading import Reading, sent_as
from bridge.catalogue.shapes import number_text
from bridge.model import Contact

BSUID_FIELDS = ("business_scope_id", "user_id")
CONTACT_FIELDS = ("country_code", "cellphone", *BSUID_FIELDS, "username")

_BSUID = re.compile(r"[A-Z]{2}\.(ENT\.)?[A-Za-z0-9]{1,128}")
_PLUS_CODES = {f"+{code}": str(code) for code in range(1, 1000)}
_E164_DIGITS_MIN, _E164_DIGITS_MAX = 2, 15
_NATIONAL_DIGITS = 10  # longer ones may have the country code in front
_NOT_IN_PLAN = "phone_not_in_plan"
_NUMBERS_REMEMBERED = 10_000

# Country code, and the two spellings of its mobile numbers: what stands between the code and the mark, the mark that
# may be left out, and what stands behind it. No code begins with another one, so two digits tell these three.
_SPELLINGS = {
    "52": re.compile(r"(\+52)(1?)(\d{10})", re.ASCII),
    "54": re.compile(r"(\+54)(9?)(\d{10})", re.ASCII),
    "55": re.compile(r"(\+55\d\d)(9?)([6-9]\d{7})", re.ASCII),
}
_MARKS = {"52": "1", "54": "9", "55": "9"}


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


def read_contact(holder: dict[str, Any], reading: Reading, place: str = "") -> Contact | None:
    """The contact in `holder`, the object at `place` of the body that may have these fields; None when it has none."""
    code_sent, cell_sent = holder.get("country_code"), holder.get("cellphone")
    contact = _read_plain(code_sent, cell_sent, reading)
    under = f"{place}." if place else ""  # notes name the path in the body
    if contact is None:
        contact = _read_unusual(code_sent, cell_sent, reading, under)
    if "business_scope_id" in holder or "user_id" in holder or "username" in holder:
        contact = _named(contact or Contact(), holder, reading, under)
    return contact if contact is not None and any(contact) else None


def _read_plain(code_sent: Any, cell_sent: Any, reading: Reading) -> Contact | None:
    """The contact of the usual spelling: `+57` and digits."""
    if type(code_sent) is str and type(cell_sent) is str and cell_sent.isdecimal() and cell_sent.isascii():
        code = _PLUS_CODES.get(code_sent)
        if code is not None and len(code) + len(cell_sent) <= _E164_DIGITS_MAX:
            return _contact(code, cell_sent, reading)
    return None


def _contact(code: str, national: str, reading: Reading) -> Contact:
    if len(national) > _NATIONAL_DIGITS and national.startswith(code):
        reading.note("cellphone_may_have_country_code")
    phone = f"+{code}{national}"
    return Contact(phone, code, national, _variants(phone, reading))


def _variants(phone: str, reading: Reading) -> tuple[str, ...]:
    """The other spelling, if there is one; a number that no plan has in either of them is noted."""
    variants: tuple[str, ...] = ()
    spelling = _SPELLINGS.get(phone[1:3])
    if spelling is not None and (parts := spelling.fullmatch(phone)) is not None:
        head, mark, tail = parts.groups()
        variants = (f"{head}{tail}" if mark else f"{head}{_MARKS[phone[1:3]]}{tail}",)
    # Plans know only one of the two spellings of a mobile number.
    if not in_plan(phone) and not any(in_plan(other) for other in variants):
        reading.note(_NOT_IN_PLAN)
    return variants


def _read_unusual(code_sent: Any, cell_sent: Any, reading: Reading, under: str) -> Contact | None:
    code, _ = _digits(code_sent, f"{under}country_code", reading)
    if (known := _bsuid(cell_sent)) is not None:
        reading.note("cellphone_was_bsuid")
        return Contact(country_code=code)._replace(**known)
    national, international = _digits(cell_sent, f"{under}cellphone", reading)
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


def _named(contact: Contact, holder: dict[str, Any], reading: Reading, under: str) -> Contact:
    """The contact with WhatsApp's ids and user name. What was found in `cellphone` stays."""
    found: dict[str, Any] = {}
    for name in BSUID_FIELDS:
        sent = holder.get(name)
        if (known := _bsuid(sent)) is not None:
            found = known | found
        elif name == "user_id" and sent is not None:
            reading.unknown_fields((name,), under)  # an id of somebody else's making
        elif sent is not None:
            reading.note(f"unreadable:{under}{name}")
    username = holder.get("username")
    if isinstance(username, str) and (visible := _visible(username)):
        found["username"] = visible
    elif username is not None:
        reading.note(f"{'empty' if isinstance(username, str) else 'unreadable'}:{under}username")
    return contact._replace(**{name: text for name, text in found.items() if getattr(contact, name) is None})


def _bsuid(sent: Any) -> dict[str, Any] | None:
    """A BSUID as the part of a contact that it is; None for anything else."""
    form = _BSUID.fullmatch(_visible(sent)) if isinstance(sent, str) else None
    return None if form is None else {"parent_bsuid" if form[1] else "bsuid": form[0]}


def _visible(text: str) -> str:
    """A text without what nobody sees: marks of direction, joiners, line breaks, blanks around it."""
    return "".join(mark for mark in text if unicodedata.category(mark) not in {"Cc", "Cf", "Zl", "Zp"}).strip()


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
    bare = "".join(mark for mark in _visible(value) if not _separates(mark))
    digits = bare.removeprefix("+")
    if digits.isdecimal() and digits.isascii():
        if bare != value:
            reading.note(f"{field}_had_separators")
        return digits, bare != digits
    reading.note(f"unreadable:{field}" if bare else f"empty:{field}")
    return None, False


def _separates(mark: str) -> bool:
    """Whether people put this between the digits of a phone: blanks, hyphens and dashes, dots, slashes, brackets."""
    return mark in ".()/\u2212" or unicodedata.category(mark) in {"Zs", "Pd"}
