"""Text → the same text without phone numbers and secrets. Pure.

A log line is built from words of this code, so none of this should ever find anything; it is the second fence, for
text that comes from elsewhere: an exception of a library, a URL, a line in someone else's log.
"""

import re
from collections.abc import Iterable
from urllib.parse import quote

HIDDEN = "***"
SECRET_CHARS_MIN = 4  # a shorter secret would blot out half of every line

# What looks like a phone number and is none is matched first, and kept: a UUID, a date with or without a time.
_UUID = r"[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}"
_DATE = r"(?<!\d)\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:[.,]\d+)?)?)?(?!\d)"
_PHONE = re.compile(rf"(?P<kept>{_UUID}|{_DATE})|(?P<phone>\+?\d(?:[ ()\-]{{0,2}}\d){{7,}})")
_QUERY = re.compile(r"([?&;][^=&;?#\s\"'<>]{1,200})=[^&;#\s\"'<>]*")
_USERINFO = re.compile(r"(://)[^/@\s\"'<>]+@")
_AUTHORIZATION = re.compile(r"\b(Bearer|Basic)(\s+|%20)[^\s\"',;]+", re.IGNORECASE)


def mask_phone(text: str) -> str:
    """One phone number → `+57******08`: the first two and last two digits; the length does not show."""
    digits = [character for character in text if character.isdigit()]
    plus = "+" if text.lstrip().startswith("+") else ""
    if len(digits) < 6:
        return plus + "******"
    return f"{plus}{''.join(digits[:2])}******{''.join(digits[-2:])}"


def mask_phones(text: str) -> str:
    """Every run of eight or more digits, blanks, dashes and brackets between them included, masked as a phone."""
    return _PHONE.sub(lambda match: match["kept"] or mask_phone(match["phone"]), text)


class Redactor:
    """Hides phone numbers, values of URL queries, credentials in URLs and headers, and the secrets it knows."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        known = {secret for secret in secrets if len(secret) >= SECRET_CHARS_MIN}
        known |= {quote(secret, safe="") for secret in known}
        longest_first = sorted(known, key=lambda secret: (-len(secret), secret))
        self._secrets = re.compile("|".join(map(re.escape, longest_first))) if known else None

    def __call__(self, text: str) -> str:
        """`text` with everything hidden that must not be in a log."""
        if self._secrets is not None:
            text = self._secrets.sub(HIDDEN, text)
        text = _QUERY.sub(rf"\1={HIDDEN}", text)
        text = _USERINFO.sub(rf"\1{HIDDEN}@", text)
        text = _AUTHORIZATION.sub(rf"\1 {HIDDEN}", text)
        return mask_phones(text)


redact_text = Redactor()
"""Without known secrets: phones, query values and credentials."""
