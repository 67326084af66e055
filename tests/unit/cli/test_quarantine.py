"""`treble-bridge quarantine redrive`: which records its arguments mean, and its exit codes. Kafka is scripted."""

from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from bridge.cli import cli
from bridge.errors import ExitCode
from bridge.forward.redrive import DeadLetter, Redriven
from bridge.model import Entry
from bridge.transform.dead_letter import Returned

IDS = ["aa11" * 16, "2bcd" * 16, "aa11" * 3 + "0" * 52]

NO_NAMES = ["", " ", "2", "aa11", "2bcd2bc", "unclassified", "2@", "@17", "2@17@", "-1@2", "%%%%%%%%"]


def letter(partition: int, offset: int, record_id: str) -> DeadLetter:
    """A record of the quarantine."""
    entry = Entry(offset, 0, "treble", "", b"", b"")
    returned = Returned(record_id, entry, "unclassified", (), None, "j1", 0, True, "")
    return DeadLetter((partition, offset), b"", b"", returned, marked=False)


RECORDS = [letter(0, 1, IDS[0]), letter(1, 2, IDS[1]), letter(2, 17, IDS[2]), letter(2, 18, IDS[1])]


class Scripted:
    """In place of a redrive: every record that is meant goes out."""

    def __init__(
        self,
        _settings: object,
        _preparer: object,
        wanted: Callable[[DeadLetter], bool],
        *,
        dry_run: bool,
        hint: str | None,
    ) -> None:
        assert isinstance(dry_run, bool)
        assert hint in {None, "read", "delivered"}
        self._wanted = wanted

    async def run(self) -> AsyncIterator[Redriven]:
        """Say what became of each."""
        for one in RECORDS:
            if self._wanted(one):
                yield Redriven(one.place, one.returned.id, "redriven", "a-topic", "message.read")


@pytest.fixture
def redrive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """Runs `quarantine redrive` with arguments, on the records above."""

    async def records(*_: Any) -> AsyncIterator[DeadLetter]:
        for one in RECORDS:
            yield one

    monkeypatch.setattr("bridge.cli.quarantine.Redrive", Scripted)
    monkeypatch.setattr("bridge.cli.quarantine.dead_letters", records)
    config = tmp_path / "bridge.yaml"
    config.write_text("kafka: {bootstrap_servers: ['127.0.0.1:1']}\nsources: {treble: {auth: none}}\n")
    return lambda *names: CliRunner().invoke(cli, ["quarantine", "redrive", "--config", str(config), *names])


def places(result: Result) -> list[str]:
    """Which records went out."""
    return [line.partition(":")[0] for line in result.stdout.splitlines()]


def test_a_place_means_one_record_and_an_id_all_that_have_it(redrive: Callable[..., Result]) -> None:
    for names, meant in (
        (["2@17"], ["2@17"]),
        ([IDS[1]], ["1@2", "2@18"]),
        ([IDS[1][:8].upper()], ["1@2", "2@18"]),
        (["00@01", IDS[2][:14]], ["0@1", "2@17"]),
    ):
        result = redrive(*names)
        assert (result.exit_code, places(result)) == (ExitCode.OK, meant), names


@pytest.mark.parametrize("name", NO_NAMES)
def test_what_names_no_record_is_refused_and_nothing_goes_out(redrive: Callable[..., Result], name: str) -> None:
    for names in (["--", name], ["--", "2@17", name]):
        result = redrive(*names)
        assert (result.exit_code, result.stdout) == (ExitCode.USAGE, ""), names
        assert "names no record" in result.stderr


def test_the_beginning_of_several_ids_is_refused_and_nothing_goes_out(redrive: Callable[..., Result]) -> None:
    result = redrive("2@17", IDS[0][:12])
    assert (result.exit_code, result.stdout) == (ExitCode.USAGE, "")
    assert "the beginning of 2 ids" in result.stderr


def test_what_is_not_there_is_said_and_the_rest_goes_out(redrive: Callable[..., Result]) -> None:
    result = redrive("2@17", "2@9999", "ffffffff")
    assert (result.exit_code, places(result)) == (ExitCode.MISMATCH, ["2@17"])
    assert "no record 2@9999" in result.stderr
    assert "no record ffffffff" in result.stderr


def test_a_dry_run_says_what_would_be_done_and_not_that_it_was(redrive: Callable[..., Result]) -> None:
    result = redrive("2@17", "--dry-run")
    assert result.stdout == "2@17: would be forwarded: a-topic\n"
    assert result.stderr.splitlines()[-1] == "1 would be forwarded"
    assert redrive("2@17").stderr.splitlines()[-1] == "1 forwarded"


def test_a_hint_says_what_each_record_becomes_also_where_the_body_knows_better(redrive: Callable[..., Result]) -> None:
    assert redrive("2@17", "--hint", "read").stdout.endswith("a-topic, as message.read\n")
    assert (
        "a-topic, as message.read: its body tells that, whatever the hint"
        in redrive("--all", "--hint", "delivered").stdout
    )
    assert " as " not in redrive("2@17").stdout


@pytest.mark.parametrize("hint", ["", "message.read", "reed"])
def test_a_hint_that_nobody_knows_is_refused_with_those_that_are_known(
    redrive: Callable[..., Result], hint: str
) -> None:
    result = redrive("2@17", "--hint", hint)
    assert (result.exit_code, result.stdout) == (ExitCode.USAGE, "")
    assert "is no hint: expected one of" in result.stderr
    assert "delivered, read, response, timeout" in result.stderr
