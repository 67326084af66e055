"""The demo's configuration is one that the bridge takes."""

from pathlib import Path

import pytest

from bridge.catalogue import TABLE
from bridge.demo.plan import Plan
from bridge.demo.stage import topic_prefix
from bridge.settings.load import load
from bridge.telemetry.redact import mask_phones
from bridge.transform.prepare import Preparer


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


def test_no_topic_of_a_run_is_taken_for_a_phone_number() -> None:
    prefixes = [topic_prefix() for _ in range(1000)]
    assert [mask_phones(prefix) for prefix in prefixes] == prefixes
