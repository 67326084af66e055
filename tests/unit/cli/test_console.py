"""What is printed holds no phone number unless asked for."""

import orjson
import pytest

from bridge.catalogue import TABLE
from bridge.catalogue.samples import sample
from bridge.cli.console import masked


@pytest.mark.parametrize("event_type", sorted(TABLE))
@pytest.mark.parametrize("seed", range(5))
def test_no_phone_of_any_sample_survives_masking_and_ids_do(event_type: str, seed: int) -> None:
    body = sample(event_type, seed)
    shown = orjson.dumps(masked(body)).decode()
    for user in (body.get("user"), body):
        number = user.get("cellphone") if isinstance(user, dict) else None
        if number:
            assert str(number) not in shown
    if "event_id" in body:
        assert body["event_id"] in shown


def test_numbers_that_are_phones_are_masked_wherever_they_stand() -> None:
    value = {
        "contact": {"phone": "+573176477608", "phone_variants": ["+5213176477608"], "country_code": "57"},
        "session_id": "123456789012",
        "data": [{"text": "call +57 317 647 7608", "n": 3176477608, "small": 42, "flag": True, "none": None}],
    }
    assert masked(value) == {
        "contact": {"phone": "+57******08", "phone_variants": ["+52******08"], "country_code": "57"},
        "session_id": "123456789012",
        "data": [{"text": "call +57******08", "n": "31******08", "small": 42, "flag": True, "none": None}],
    }


def test_a_name_that_is_a_phone_is_masked_as_a_value_is() -> None:
    assert masked({"57.300.555.0177": 1, "plan": "_57_300_555_0177"}) == {"57******77": 1, "plan": "_57******77"}
