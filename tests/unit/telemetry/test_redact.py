"""What must never be in a log is found wherever it stands in a text."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.telemetry.redact import Redactor, mask_phone, redact_text

MASKED = [
    ("+573176477608", "+57******08"),
    ("3176477608", "31******08"),
    ("call +57 317 647-7608 now", "call +57******08 now"),
    ("(317) 6477608", "(31******08"),
    ("cellphone3176477608x", "cellphone31******08x"),
    ("%2B573176477608", "%2B57******08"),
    ('{"cellphone": "3176477608"}', '{"cellphone": "31******08"}'),
    ("٣١٧٦٤٧٧٦٠٨", "٣١******٠٨"),
    ("/webhooks/treble?token=geheim&a=b", "/webhooks/treble?token=***&a=***"),
    ("https://user:geheim@host/path", "https://***@host/path"),
    ("Authorization: Bearer geheim.geheim", "Authorization: Bearer ***"),
    ("authorization: basic dXNlcjpnZWhlaW0=", "authorization: basic ***"),
]
KEPT = [
    "12345678-1234-1234-1234-123456789012",
    "2026-06-22 15:19:08.104",
    "2026-06-22T15:19:09Z",
    "10.200.100.200:9092",
    "1234567 entries",
    "treble-bridge-0d9f8a52-86f3-4d2b-8d0a-5a1f0c6b7e21",
    "expected a duration, such as 250ms",
]


@pytest.mark.parametrize(("text", "masked"), MASKED)
def test_phones_and_secrets_are_hidden_wherever_they_stand(text: str, masked: str) -> None:
    assert redact_text(text) == masked


@pytest.mark.parametrize("text", KEPT)
def test_what_only_looks_like_a_phone_is_kept(text: str) -> None:
    assert redact_text(text) == text


@given(st.from_regex(r"\+?[1-9][0-9]{7,14}", fullmatch=True), st.text(max_size=20), st.text(max_size=20))
def test_no_phone_survives_any_surroundings(phone: str, before: str, after: str) -> None:
    assert phone.lstrip("+") not in redact_text(f"{before}{phone}{after}")


@given(st.from_regex(r"\+?[0-9]{1,15}", fullmatch=True))
def test_a_masked_phone_shows_neither_its_length_nor_its_middle(phone: str) -> None:
    assert len(mask_phone(phone)) <= len("+57******08")


def test_known_secrets_are_hidden_as_they_are_and_as_urls_carry_them() -> None:
    redact = Redactor(["tok/en+1", "tok/en+12"])
    assert redact("a tok/en+12 b tok%2Fen%2B1 c tok/en+1") == "a *** b *** c ***"


def test_a_secret_too_short_to_hide_does_not_blot_out_the_log() -> None:
    assert Redactor(["a"])("a plain line") == "a plain line"


@given(st.text())
def test_masking_never_fails_and_is_stable(text: str) -> None:
    once = redact_text(text)
    assert redact_text(once) == once
