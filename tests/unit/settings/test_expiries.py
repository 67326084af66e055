"""When the values of credentials are over, by source, alternative and value."""

import datetime as dt
from typing import Any

from bridge.settings.sources import Source, credential_ends

NOON = dt.datetime(2026, 12, 31, 12, tzinfo=dt.UTC).timestamp()
MIDNIGHT = dt.datetime(2027, 1, 1, tzinfo=dt.UTC).timestamp()


def ends(*auth: dict[str, Any]) -> dict[tuple[str, int, int], float]:
    return credential_ends({"treble": Source.model_validate({"auth": list(auth)})})


def until(moment: str, value: str = "a-secret-of-old") -> dict[str, str]:
    return {"value": value, "not_after": moment}


def test_a_value_without_a_not_after_has_no_end() -> None:
    assert ends({"bearer": "a-secret-for-ever"}, {"client_ip": ["10.0.0.0/8"]}) == {}
    assert credential_ends({"open": Source.model_validate({"auth": "none"})}) == {}


def test_each_value_is_told_by_its_alternative_and_its_place_in_the_list() -> None:
    found = ends(
        {"bearer": ["a-new-secret", until("2026-12-31T12:00:00Z")]},
        {"query": {"name": "token", "value": until("2026-12-31")}},
    )
    assert found == {("treble", 0, 1): NOON, ("treble", 1, 0): MIDNIGHT}


def test_of_several_secrets_in_one_alternative_the_first_that_is_over_counts() -> None:
    found = ends(
        {
            "bearer": ["a-new-secret", until("2026-12-31")],
            "header": {"name": "X-API-Key", "value": ["another-secret", until("2026-12-31T12:00:00Z")]},
            "hmac": {"header": "X-Signature", "secret": "a-signing-secret"},
        }
    )
    assert found == {("treble", 0, 1): NOON}
