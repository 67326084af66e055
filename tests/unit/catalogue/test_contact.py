"""Phones come out in E.164 with their parts, and nothing is guessed."""

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.catalogue.contact import read_contact
from bridge.catalogue.reading import Reading
from bridge.catalogue.samples import sample
from bridge.model import Contact
from bridge.transform.cloudevents import envelope
from tests.unit.webhooks import event

AT = "2026-06-22 15:19:08"


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


# people without a phone


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"business_scope_id": "CO.134"}, {"bsuid": "CO.134"}),
        ({"user": {"business_scope_id": "CO.134"}}, {"bsuid": "CO.134"}),
        ({"user": {"user_id": "CO.134", "username": "ana.c"}}, {"bsuid": "CO.134", "username": "ana.c"}),
        ({"user_id": "MX.ENT.9z", "business_scope_id": "MX.8y"}, {"bsuid": "MX.8y", "parent_bsuid": "MX.ENT.9z"}),
        ({"country_code": "+57", "cellphone": "CO.134"}, {"country_code": "57", "bsuid": "CO.134"}),
        ({"cellphone": "\u202aBR.ENT.118\u202c"}, {"parent_bsuid": "BR.ENT.118"}),
        ({"username": "ana.c"}, {"username": "ana.c"}),
        ({"business_scope_id": "AR.134", "user": {"username": "ana.c"}}, {"bsuid": "AR.134", "username": "ana.c"}),
    ],
)
@pytest.mark.parametrize("kind", [{"session_id": "s1", "read_at": AT}, {"event_type": "x", "event_id": "e1"}])
def test_a_person_without_a_phone_is_known_by_whatsapp_s_ids(
    kind: dict[str, Any], body: dict[str, Any], expected: dict[str, str]
) -> None:
    assert envelope(event({**kind, **body}))["contact"] == expected


@pytest.mark.parametrize("sent", ["co.134", "CO.", "CO134", "CO.1-2", "CO." + "1" * 129, "", 134, None, ["CO.134"]])
def test_what_is_no_bsuid_is_no_contact_and_stays_in_the_body(sent: Any) -> None:
    body = {"session_id": "s1", "read_at": AT, "business_scope_id": sent}
    found = event(body)
    assert found.contact is None
    assert orjson.loads(found.raw) == body


def test_a_phone_of_the_same_body_stays_as_it_is() -> None:
    body = {**sample("message.read"), "business_scope_id": "AR.11"}
    assert event(body).contact == event(sample("message.read")).contact._replace(bsuid="AR.11")  # type: ignore[union-attr]


def test_an_id_of_somebody_else_s_making_is_an_unknown_field() -> None:
    assert event({**sample("deployment.failed"), "user": {"user_id": 7}}).notes == ("unknown_field:user.user_id",)


def test_a_failure_without_event_id_or_phone_is_told_from_others_by_the_person() -> None:
    body = {"event_type": "deployment.failure", "failed_at": "2026-06-22T15:19:08Z"}
    ids = [
        event({**body, "user": user}).id
        for user in (
            {"business_scope_id": "CO.134"},
            {"business_scope_id": "CO.134", "username": "ana.c"},
            {"country_code": None, "cellphone": "CO.134"},
            {"business_scope_id": "CO.135"},
            {"business_scope_id": "CO.134", "country_code": "+57", "cellphone": "3005550134"},
            {"country_code": "+57", "cellphone": "3005550134"},
        )
    ]
    assert ids[0] == ids[1] == ids[2]
    assert ids[4] == ids[5]
    assert len(set(ids)) == 3


# what stands between digits


@pytest.mark.parametrize(
    "mark",
    [
        "\u202a",
        "\u200e",
        "\u2060",
        "\ufeff",
        "\u2011",
        "\u2013",
        "\u2212",
        "\u00a0",
        "\u2009",
        "\n",
        "\r\n",
        "\t",
        "\u2028",
        "\u00ad",
    ],
)
def test_invisible_marks_hyphens_and_line_breaks_are_no_part_of_a_phone(mark: str) -> None:
    found, notes = contact(f"+57{mark}", f"{mark}300{mark}555 0134{mark}")
    assert found == Contact("+573005550134", "57", "3005550134")
    assert notes == ["country_code_had_separators", "cellphone_had_separators"]


# the two spellings of a mobile number


@pytest.mark.parametrize(
    ("code", "cell", "phone", "other"),
    [
        ("+52", "15512345670", "+5215512345670", "+525512345670"),
        ("+521", "5512345670", "+5215512345670", "+525512345670"),
        ("+5215", "512345670", "+5215512345670", "+525512345670"),
        ("+52", "5512345670", "+525512345670", "+5215512345670"),
        ("+54", "91123456789", "+5491123456789", "+541123456789"),
        ("+549", "1123456789", "+5491123456789", "+541123456789"),
        ("+54", "1123456789", "+541123456789", "+5491123456789"),
        ("+55", "1187654320", "+551187654320", "+5511987654320"),
        ("+55", "11987654320", "+5511987654320", "+551187654320"),
        ("+5511", "987654320", "+5511987654320", "+551187654320"),
        ("+5", "511987654320", "+5511987654320", "+551187654320"),
        ("55", "11 98765-4320", "+5511987654320", "+551187654320"),
        ("+55", "1134567890", "+551134567890", None),  # a landline has no ninth digit
        ("+57", "3005550134", "+573005550134", None),
    ],
)
def test_variants_go_by_the_number_however_its_parts_were_cut(
    code: str, cell: str, phone: str, other: str | None
) -> None:
    found, notes = contact(code, cell)
    assert found is not None
    assert (found.phone, found.phone_variants) == (phone, (other,) if other else ())
    assert "phone_not_in_plan" not in notes


def test_notes_name_the_path_of_the_body() -> None:
    user = {"country_code": "", "cellphone": "300-555", "business_scope_id": 7, "username": " "}
    found = event({**sample("deployment.failed"), "user": user}).notes
    assert found == (
        "empty:user.country_code",
        "user.cellphone_had_separators",
        "unreadable:user.business_scope_id",
        "empty:user.username",
    )
