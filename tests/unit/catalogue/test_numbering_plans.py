"""A number as it travels is in the plan where the library holds the number that it stands for to be valid."""

from random import Random

import phonenumbers
import pytest
from phonenumbers import PhoneNumber

from bridge.catalogue.contact import in_plan

CODES = sorted(phonenumbers.COUNTRY_CODE_TO_REGION_CODE)


def numbers(code: int, chance: Random) -> set[str]:
    """Numbers of a country that are valid, nearly so, and any."""
    made = {"".join(chance.choices("0123456789", k=chance.randint(2, 13))) for _ in range(5)}
    for region in phonenumbers.COUNTRY_CODE_TO_REGION_CODE[code][:3]:
        example = phonenumbers.example_number(region)
        if example is not None:
            digits = phonenumbers.national_significant_number(example)
            made |= {digits, digits[:-1], f"{digits}0"}
            for kept in range(1, len(digits), 2):
                made.add(digits[:kept] + "".join(chance.choices("0123456789", k=len(digits) - kept)))
    return made


def judged_by_the_library(code: int, national: str) -> bool | None:
    """Whether it is valid; None where the library can't hold this text as it is."""
    zeros = len(national) - len(national.lstrip("0"))
    number = PhoneNumber(
        country_code=code,
        national_number=int(national),
        italian_leading_zero=zeros > 0 or None,
        number_of_leading_zeros=zeros if zeros > 1 else None,
    )
    same = phonenumbers.national_significant_number(number) == national
    return phonenumbers.is_valid_number(number) if same else None


@pytest.mark.parametrize("first", range(0, len(CODES), 50))
def test_every_country_s_plan_is_that_of_the_library(first: int) -> None:
    chance = Random(first)
    judged = {
        (code, national): judged_by_the_library(code, national)
        for code in CODES[first : first + 50]
        for national in numbers(code, chance)
    }
    assert {True, False} <= set(judged.values())
    for (code, national), valid in judged.items():
        if valid is not None:
            assert in_plan(f"+{code}{national}") == valid, (code, national)
