"""Phones come out in E.164 with their parts, and nothing is guessed."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.catalogue.contact import read_contact
from bridge.catalogue.reading import Reading
from bridge.model import Contact


def contact(code: Any, cell: Any) -> tuple[Contact | None, list[str]]:
    reading = Reading()
    return read_contact({"country_code": code, "cellphone": cell}, reading), reading.notes


@pytest.mark.parametrize(
    ("code", "cell", "notes"),
    [
        ("+57", "3005550134", []),
        ("57", "3005550134", []),
        (57, "3005550134", ["country_code_was_number"]),
        ("+57", 3005550134, ["cellphone_was_number"]),
        ("+57", 3005550134.0, ["cellphone_was_number"]),
        ("+57", "300 555-0134", ["cellphone_had_separators"]),
        (" +57", "(300) 555.0134", ["country_code_had_separators", "cellphone_had_separators"]),
        ("0057", "3005550134", ["country_code_had_00"]),
    ],
)
def test_a_number_in_any_of_its_spellings_is_the_same_phone(code: Any, cell: Any, notes: list[str]) -> None:
    assert contact(code, cell) == (Contact("+573005550134", "57", "3005550134"), notes)


@pytest.mark.parametrize(
    ("code", "cell", "phone", "variant"),
    [
        ("+52", "9993543628", "+529993543628", "+5219993543628"),
        ("+52", "19993543628", "+5219993543628", "+529993543628"),
        ("52", 19993543628, "+5219993543628", "+529993543628"),
        ("+54", "1155501234", "+541155501234", "+5491155501234"),
        ("+54", "91155501234", "+5491155501234", "+541155501234"),
    ],
)
def test_mexico_and_argentina_keep_what_was_sent_and_list_the_other_spelling(
    code: str, cell: Any, phone: str, variant: str
) -> None:
    found, _ = contact(code, cell)
    assert found is not None
    assert (found.phone, found.phone_variants) == (phone, (variant,))


@pytest.mark.parametrize(("code", "cell"), [("+57", "3005550134"), ("+52", "555123"), ("+54", "811555012345")])
def test_other_numbers_have_no_variants(code: str, cell: str) -> None:
    found, _ = contact(code, cell)
    assert found is not None
    assert found.phone_variants == ()


def test_a_number_that_may_have_its_country_code_in_it_is_only_noted() -> None:
    found, notes = contact("+57", "573005550134")
    assert (found and found.phone, notes) == (
        "+57573005550134",
        ["cellphone_may_have_country_code", "phone_not_in_plan"],
    )


@pytest.mark.parametrize("code", ["+57", None])
def test_a_number_with_a_plus_of_its_own_is_complete(code: str | None) -> None:
    found, notes = contact(code, "+573005550134")
    assert (found and found.phone, notes) == ("+573005550134", ["cellphone_was_international"])


@pytest.mark.parametrize("with_code", [True, False])
@pytest.mark.parametrize(
    ("code", "cell", "variant", "flagged"),
    [
        ("+52", "+5219993543628", "+529993543628", False),
        ("+52", "+529993543628", "+5219993543628", False),
        ("+54", "+5491155501234", "+541155501234", False),
        ("+54", "+541155501234", "+5491155501234", False),
        ("+52", "+520012345678", "+5210012345678", True),
    ],
)
def test_a_number_with_a_plus_of_its_own_has_its_other_spelling(
    with_code: bool, code: str, cell: str, variant: str, flagged: bool
) -> None:
    found, notes = contact(code if with_code else None, cell)
    assert found is not None
    assert (found.phone, found.phone_variants) == (cell, (variant,))
    assert ("phone_not_in_plan" in notes) == flagged


@pytest.mark.parametrize(
    ("code", "cell", "found", "notes"),
    [
        (None, None, None, []),
        ("+57", None, Contact(country_code="57"), []),
        (None, "3005550134", Contact(national_number="3005550134"), []),
        ("", "", None, ["empty:country_code", "empty:cellphone"]),
        ("+57", "no number", Contact(country_code="57"), ["unreadable:cellphone"]),
        ("+57", ["300"], Contact(country_code="57"), ["unreadable:cellphone"]),
        ("+57", True, Contact(country_code="57"), ["unreadable:cellphone"]),
        ("+57", -3005550134, Contact(country_code="57"), ["unreadable:cellphone"]),
        ("+57", 1e30, Contact(country_code="57"), ["unreadable:cellphone"]),
        ("+57", "٣٠٠", Contact(country_code="57"), ["unreadable:cellphone"]),
        ("+57", "3" * 14, Contact(None, "57", "3" * 14), ["phone_not_e164"]),
        (None, "+5", Contact(None, None, "5"), ["cellphone_was_international", "phone_not_e164"]),
        ("+5", "+5", Contact(None, "5", "5"), ["cellphone_was_international", "phone_not_e164"]),
        ("+0", "3005550134", Contact(None, "0", "3005550134"), ["phone_not_e164"]),
    ],
)
def test_what_makes_no_phone_leaves_it_out(code: Any, cell: Any, found: Contact | None, notes: list[str]) -> None:
    assert contact(code, cell) == (found, notes)


PART = st.none() | st.text(max_size=18) | st.text("+0123456789 -", max_size=18) | st.integers() | st.floats()


@given(PART, PART)
def test_any_two_parts_make_an_e164_number_or_none(code: Any, cell: Any) -> None:
    found, _ = contact(code, cell)
    if found is not None and found.phone is not None:
        assert found.phone[0] == "+"
        assert found.phone[1:].isdecimal()
        assert found.phone[1:].isascii()
        assert found.phone[1] != "0"
        assert 3 <= len(found.phone) <= 16


@pytest.mark.parametrize(
    ("code", "cell", "flagged"),
    [
        ("+57", "3005550134", False),
        ("+57", "1005550134", True),
        ("+57", "300555013", True),
        ("+44", "07911123456", True),  # the trunk prefix has no place after the country code
        ("+1809", "5550134", False),  # an area of country code 1
        ("+999", "3005550134", True),
        ("+52", "5512345678", False),
        ("+52", "15512345678", False),  # plans know one spelling, WhatsApp has the other
        ("+52", "0012345678", True),
        ("+54", "91123456789", False),
        ("+54", "1123456789", False),
    ],
)
def test_a_number_that_no_numbering_plan_has_is_flagged_and_passed_on(code: str, cell: str, flagged: bool) -> None:
    found, notes = contact(code, cell)
    assert found is not None
    assert found.phone == f"{code}{cell}"
    assert notes == (["phone_not_in_plan"] if flagged else [])
