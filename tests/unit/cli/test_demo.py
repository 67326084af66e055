"""`demo`: what it refuses, and what its exit code says."""

import importlib.util
from typing import Any

import pytest
from click.testing import CliRunner

from bridge.cli import cli
from bridge.demo.plan import Verdict
from bridge.demo.play import Outage, Result
from bridge.errors import ExitCode


def test_without_the_embedded_kafka_it_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    there = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *rest: None if "confluent" in name else there(name))
    result = CliRunner().invoke(cli, ["demo"])
    assert result.exit_code == ExitCode.USAGE
    assert "pip install 'treble-bridge[demo]'" in result.stderr
    assert "--kafka host:port" in result.stderr


def test_counts_that_do_not_add_up_are_exit_code_8(monkeypatch: pytest.MonkeyPatch) -> None:
    async def play(*_: Any) -> Result:
        verdict = Verdict({"sent": 2, "lost": 1}, {}, {}, 0, {}, ["1 webhooks were acknowledged, and are nowhere"])
        return Result("a Kafka", "exactly_once", 1.0, Outage(shown=False), verdict)

    monkeypatch.setattr("bridge.cli.demo.play", play)
    result = CliRunner().invoke(cli, ["demo", "--json"])
    assert result.exit_code == ExitCode.MISMATCH
    assert '"adds_up":false' in result.stdout
    assert '"lost":1' in result.stdout


def test_wrong_options_are_usage_errors() -> None:
    for arguments, said in (
        (["--kafka", "nowhere"], "--kafka nowhere: expected host:port"),
        (["--seconds-outage", "99"], "0<=x<=15"),
    ):
        result = CliRunner().invoke(cli, ["demo", *arguments])
        assert result.exit_code == ExitCode.USAGE, result.output
        assert said in result.stderr
