"""Text → the same text without phone numbers and secrets. Pure.

A log line is built from words of this code, so none of this should ever find anything; it is the second fence, for
text that comes from elsewhere: an exception of a library, a URL, a line in someone else's log.
"""

import re
from collections.abc import Iterable
from urllib.parse import quote

HIDDEN = "***"
SECRET_CHARS_MIN = 4  # a shorter secret would blot out half of every line

# What looks like a phone number and is none: a UUID, a date, a time, an address, a host name that is made of one.
_OCTET = "(?:25[0-5]|2[0-4]\\d|1?\\d?\\d)"
_NO_PHONES = (
    r"[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}",
    r"(?<![\d+])(?<!\d[-./_])(?:19|20)\d\d(?:-\d\d-\d\d|/\d\d/\d\d|\.\d\d\.\d\d|_\d\d_\d\d)(?![-./_]?\d)",
    r"(?<![\d:])\d\d:\d\d:\d\d(?:[.,]\d{1,9})?(?!\d)",
    rf"(?<![\d.+]){_OCTET}(?:\.{_OCTET}){{3}}(?::\d{{1,5}})?(?![\d]|\.\d)",
    rf"(?<![A-Za-z0-9])ip-{_OCTET}(?:-{_OCTET}){{3}}(?![\d]|-\d)",
)
# Between two digits of one number: what people and programs put there. Hyphens and blanks of all kinds, marks that are
# not seen, brackets, dots, slashes, underscores; and each of them as an escape of a URL, of JSON or of Python.
_BETWEEN = (
    r"(?:[\s()+\-./_~\x00-\x1f\x7f-\x9f\u00ad\u00b7\u034f\u061c\u115f\u1160\u17b4\u17b5\u180e\u200b-\u200f\u2010-\u2015"
    r"\u2022\u2027\u202a-\u202e\u2043\u2044\u2060-\u206f\u2212\u2215\u3002\u3164\ufe00-\ufe0f\ufe58\ufe63\ufeff\uff0d\uff0e\uff0f]"
    r"|%[0-9A-Fa-f]{2}|\\u[0-9A-Fa-f]{4}|\\x[0-9A-Fa-f]{2}|\\[nrt/]|&#?\w{2,6};){0,6}"
)
_PHONE = re.compile(rf"[+\uff0b]?\d(?:{_BETWEEN}\d){{7,}}")
# WhatsApp's id of a person, with a digit in it: two letters and a word are too common in text.
_BSUID = re.compile(r"(?<![A-Za-z0-9])([A-Z]{2}\.(?:ENT\.)?)(?=[A-Za-z]*\d)[A-Za-z0-9]{6,128}(?![A-Za-z0-9])")
_NAME = re.compile(rf"{_PHONE.pattern}|[^\W\d]\D*\d|\d\D*[^\W\d]")
"""A name that a mask might touch: one without a letter must not stand in the way of a number of which it is a part."""
_QUERY = re.compile(r"([?&;][^=&;?#\s\"'<>]{1,200})=[^&;#\s\"'<>]*")
_USERINFO = re.compile(r"(://)[^/@\s\"'<>]+@")
_AUTHORIZATION = re.compile(r"\b(Bearer|Basic)(\s+|%20)[^\s\"',;]+", re.IGNORECASE)


def mask_phone(text: str) -> str:
    """One phone number → `+57******08`: the first two and last two digits; the length does not show."""
    digits = [character for character in text if character.isdigit()]
    plus = "+" if text.lstrip().startswith(("+", "\uff0b")) else ""
    if len(digits) < 6:
        return plus + "******"
    return f"{plus}{''.join(digits[:2])}******{''.join(digits[-2:])}"


def _kept(names: Iterable[str] = ()) -> re.Pattern[str]:
    """What is shown whole: `names`, the longest first, and what is no phone number by its form."""
    known = sorted({name for name in names if _NAME.search(name)}, key=lambda name: (-len(name), name))
    return re.compile("|".join([f"(?<!\\d){re.escape(name)}(?!\\d)" for name in known] + [*_NO_PHONES]).join("()"))


_KEPT = _kept()


def mask_phones(text: str, kept: re.Pattern[str] = _KEPT) -> str:
    """Every run of eight or more digits masked as a phone, whatever separates them, and WhatsApp's ids of people; what
    is `kept` stays.
    """
    if _PHONE.search(text) is None and _BSUID.search(text) is None:
        return text
    parts = kept.split(text)
    ids_masked = [_BSUID.sub(rf"\1{HIDDEN}", part) for part in parts[::2]]
    parts[::2] = [_PHONE.sub(lambda match: mask_phone(match[0]), part) for part in ids_masked]
    return "".join(parts)


class Redactor:
    """Hides phone numbers, values of URL queries, credentials in URLs and headers, and the secrets it knows.

    `names` are the operator's own (brokers, topics, paths): they are shown whole, whatever they look like.
    """

    def __init__(self, secrets: Iterable[str] = (), names: Iterable[str] = ()) -> None:
        known = {secret for secret in secrets if len(secret) >= SECRET_CHARS_MIN}
        known |= {quote(secret, safe="") for secret in known}
        longest_first = sorted(known, key=lambda secret: (-len(secret), secret))
        self._secrets = re.compile("|".join(map(re.escape, longest_first))) if known else None
        self._kept = _kept(names)

    def __call__(self, text: str) -> str:
        """`text` with everything hidden that must not be in a log."""
        return mask_phones(self.own(text), self._kept)

    def own(self, text: str) -> str:
        """The same for text that is the operator's: it has no phones, and numbers that he needs."""
        if self._secrets is not None:
            text = self._secrets.sub(HIDDEN, text)
        text = _QUERY.sub(rf"\1={HIDDEN}", text)
        text = _USERINFO.sub(rf"\1{HIDDEN}@", text)
        return _AUTHORIZATION.sub(rf"\1 {HIDDEN}", text)


redact_text = Redactor()
"""Without known secrets: phones, query values and credentials."""
