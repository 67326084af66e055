"""Samples are made-up bodies of real shapes: the same for the same seed, different for different ones."""

import datetime as dt

import orjson
import pytest

from bridge.catalogue import HINTS, TABLE, classify
from bridge.catalogue.samples import hint_for, sample, scene, set_field


@pytest.mark.parametrize("name", TABLE)
def test_a_seed_makes_the_same_body_again_and_another_one_differs(name: str) -> None:
    assert sample(name, 7) == sample(name, 7)
    assert sample(name, 7) != sample(name, 8)
    assert classify(sample(name, 7), hint_for(name)).event_type == name


def test_every_hint_is_that_of_its_type() -> None:
    assert {hint_for(name): name for name in TABLE if hint_for(name)} == dict(HINTS)
    assert hint_for("unknown") == ""


def test_facts_of_the_scene_and_fields_of_the_body_can_be_given() -> None:
    at = dt.datetime(2026, 1, 2, 3, 4, 5, tzinfo=dt.UTC)
    body = sample("message.read", session_id="mine", cellphone="5550000", at=at, plan="gold")
    assert (body["session_id"], body["cellphone"], body["read_at"]) == ("mine", "5550000", "2026-01-02 03:04:05")
    assert body["plan"] == "gold"
    assert sample("conversation.closed", session_id="mine")["session"]["external_id"] == "mine"


def test_a_field_can_be_set_at_a_path() -> None:
    body = {"user": {"name": "Ana"}, "text": "x"}
    set_field(body, "user.cellphone", "1")
    set_field(body, "text.message", "y")
    assert body == {"user": {"name": "Ana", "cellphone": "1"}, "text": {"message": "y"}}


def test_the_read_sample_has_the_size_that_benchmarks_count_on() -> None:
    assert abs(len(orjson.dumps(sample("message.read"))) - 558) <= 4


def test_an_answer_comes_after_its_question() -> None:
    assert all(scene(seed).at > scene(seed).sent_at for seed in range(200))
