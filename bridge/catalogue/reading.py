"""What a reader says while it reads one body: notes (it was lenient) and problems (it could not be).

A note is a bounded word, or `word:detail`. Words come from this package, with the names of documented fields in them;
details may come from the body, so they are cleaned and cut. `note_kind` is the word: the only part fit for a metric.

MEANINGS and ENDINGS say what notes mean: `note_kind` of any note is a key of the one, or ends in a key of the other.
"""

import datetime as dt
import re
from collections.abc import Iterable, Mapping

from bridge.model import Problem

NOTES_MAX = 10
MORE_NOTES = "more_notes"
_DETAIL_CHARACTERS_MAX = 40


class Reading:
    """The notes and problems of one body. `zone` is that of times without one; None is UTC."""

    __slots__ = ("notes", "problems", "zone")

    def __init__(self, zone: dt.tzinfo | None = None, notes: Iterable[str] = ()) -> None:
        self.zone = zone
        self.notes: list[str] = [*notes]
        self.problems: list[Problem] = []

    def note(self, note: str) -> None:
        """Say what was lenient; the same thing once, and no more than NOTES_MAX things."""
        notes = self.notes
        if note in notes:
            return
        if len(notes) < NOTES_MAX:
            notes.append(note)
        elif notes[-1] != MORE_NOTES:
            notes.append(MORE_NOTES)

    def problem(self, field: str, message: str) -> None:
        """Say what is wrong at `field`, a dotted path of documented names, which a JSON pointer need not escape."""
        self.problems.append(Problem("/" + field.replace(".", "/"), message))

    def unknown_fields(self, names: Iterable[str], under: str = "") -> None:
        """Note fields that nobody knows yet, in the body's own order: a set's order differs between processes."""
        for name in names:
            self.note(f"unknown_field:{under}{cleaned(name)}")


def note_kind(note: str) -> str:
    """The bounded word of a note: `unknown_field:plan` → `unknown_field`."""
    return note.partition(":")[0]


def cleaned(name: str) -> str:
    """A name out of a body, fit for a note: cut, and only letters, digits and . _ - in it."""
    shown = re.sub(r"[^A-Za-z0-9._-]", "_", name[:_DETAIL_CHARACTERS_MAX])
    # Half a phone number at the cut would not be known for one any more.
    return (re.sub(r"[0-9._-]+\Z", "", shown) if len(name) > _DETAIL_CHARACTERS_MAX else shown) or "_"


def sent_as(value: object) -> str:
    return _WORDS.get(type(value), "number")


_WORDS: dict[type, str] = {dict: "object", list: "array", str: "string", bool: "boolean", type(None): "null"}


MEANINGS: Mapping[str, str] = {
    "byte_order_mark": "the body began with a byte order mark, which `raw` leaves out",
    "lone_surrogate": "an escape was half a surrogate pair; U+FFFD is in its place, also in `raw`",
    "nul_character": "a text or a name had U+0000, which databases refuse; U+FFFD is in its place, also in `raw`",
    "number_out_of_range": "a number is beyond a double, Infinity or NaN; `raw` has the largest double in its place, "
    "or null for NaN",
    "unknown_field": "a field that Treble's documentation does not have; it is in `raw`",
    "unreadable": "a field's value is of a kind that can't be read; it is left out, and in `raw`",
    "empty": "a field was there without a value (of a time: 0, false, a date before 2000, `null` as text, too); it is "
    "left out",
    "occurred_at_is_received_at": "the body has no time of its own, so the time of arrival stands in",
    "time_24": "the hour was 24: the time is the next midnight",
    "time_60": "the second was 60: the time is the next second",
    "time_offset_and_z": "the time had an offset and a Z behind it; the offset counts",
    "time_twice": "the clocks were put back then, so this time happened twice; the first is taken",
    "time_skipped": "the clocks were put forward then, so this time never was; the old offset is taken",
    "event_id_was_hashed": "event_id is too long, or has control characters; the id is its SHA-256",
    "cellphone_may_have_country_code": "the number is long and begins with the country code; nothing was changed",
    "cellphone_was_bsuid": "WhatsApp's id of the person stood in the place of the phone",
    "cellphone_was_international": "the number had a plus of its own, so it is complete without country_code",
    "country_code_had_00": "the country code began with 00 in place of a plus",
    "phone_not_e164": "the parts make no E.164 number, so `phone` is left out",
    "phone_not_in_plan": "the numbering plan of the phone's country has no such number; nothing was changed",
    "user_session_keys_was_object": "session keys came as an object, not as a list of pairs",
    "session_key_without_name": "a session key had no name; it is left out",
    "session_key_without_value": "a session key had no value; it is left out",
    "session_key_repeated": "a session key came more than once; the last one counts",
    "session_key_location_unreadable": "a session key of type location holds no JSON object; its text is kept",
    "session_key_value_unreadable": "a session key's value is nested too deep; it is left out",
    "more_notes": f"there was more to note than {NOTES_MAX} things",
}

ENDINGS: Mapping[str, str] = {
    "_had_separators": "spaces or punctuation were taken out of the digits",
    "_was_epoch": "the time came as UNIX time",
    "_was_number": "a number came where text is documented; it was made text",
    "_was_boolean": "true or false came where text is documented; it was made text",
    "_was_string": "text came where an object is documented; it was taken as the value",
    "_was_object": "an object came where text is documented",
    "_was_array": "a list came where text is documented",
    "_was_null": "null came where an object is documented",
}
"""Before these stands the name of a documented field."""


def meaning(note: str) -> str:
    kind = note_kind(note)
    if kind in MEANINGS:
        return MEANINGS[kind]
    return next((text for ending, text in ENDINGS.items() if kind.endswith(ending)), "")
