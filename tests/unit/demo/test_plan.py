"""The demo's configuration is one that the bridge takes, and its traffic is what the catalogue says."""

import datetime as dt
import itertools
from pathlib import Path

import orjson
import pytest

from bridge.catalogue import TABLE, UNKNOWN, classify
from bridge.demo.plan import Plan
from bridge.demo.traffic import broken, conversations, reads
from bridge.settings.load import load
from bridge.transform.prepare import Preparer

NOW = dt.datetime(2026, 6, 22, 15, 0, tzinfo=dt.UTC)


def written(folder: Path, monkeypatch: pytest.MonkeyPatch, *, real: bool) -> Plan:
    servers = ("127.0.0.1:9092", "[::1]:9093")
    plan = Plan(
        folder,
        servers,
        real,
        "the-token-itself",
        "the-key-itself",
        prefix="demo-1." if real else "",
        replication_factor=3,
    )
    plan.config_file.write_text(plan.configuration())
    for name, value in plan.environment().items():
        monkeypatch.setenv(name, value)
    return plan


@pytest.mark.parametrize("real", [True, False])
def test_the_file_says_what_the_plan_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, real: bool) -> None:
    folder = tmp_path / 'a "$folder" with # all: kinds'
    folder.mkdir()
    plan = written(folder, monkeypatch, real=real)
    loaded = load(plan.config_file, TABLE)
    settings = loaded.settings
    assert loaded.warnings == ()
    assert settings.journal.path == str(folder / "journal")
    assert settings.kafka.bootstrap_servers == plan.servers
    assert settings.kafka.delivery == plan.delivery
    assert settings.topics.create == ("missing" if real else "off")
    assert set(Preparer(settings, "").topics()) == set(plan.topics())
    if real:
        assert settings.kafka.positions_topic == plan.positions == "demo-1.treble.bridge.positions"
        assert settings.topics.replication_factor == 3


def test_neither_the_file_nor_the_plan_shows_a_secret(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plan = written(tmp_path, monkeypatch, real=True)
    for text in (plan.configuration(), repr(plan)):
        assert "the-token-itself" not in text
        assert "the-key-itself" not in text


def test_the_conversations_have_each_of_the_nine_types_and_no_event_twice() -> None:
    made = conversations(5, NOW)
    assert {webhook.event_type for webhook in made} == set(TABLE) - {UNKNOWN}
    assert len({webhook.body for webhook in made}) == len(made)
    for webhook in made:
        assert classify(orjson.loads(webhook.body), webhook.hint).event_type == webhook.event_type
        assert not any(text in repr(webhook) for text in (webhook.who, "cellphone"))


@pytest.mark.parametrize("seed", range(20))
def test_a_broken_body_is_text_and_no_json(seed: int) -> None:
    for webhook in [*conversations(seed, NOW), *itertools.islice(reads(seed, NOW), 2)]:
        text = broken(webhook).body.decode()
        with pytest.raises(orjson.JSONDecodeError):
            orjson.loads(text)
