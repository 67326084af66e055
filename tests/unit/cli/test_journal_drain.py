"""`treble-bridge journal drain`: what it refuses, what it leaves alone, what it says."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import orjson
import pytest
import yaml
from click.testing import CliRunner, Result

from bridge.cli import cli
from bridge.cli.journal_changes import drained_as_json, drained_text
from bridge.errors import ExitCode
from bridge.forward import ForwarderStatus
from bridge.journal.lock import take_lock
from bridge.journal.offline.inspect import read_state
from bridge.model import JournalUsage, PinnedEntries, Positions
from bridge.service.drain import Drained, Left, why_left
from tests.unit.journal.making import storage_in, submission

Call = Callable[..., Result]


@pytest.fixture
def call(tmp_path: Path) -> Call:
    """Run the command, with a Kafka that nobody can reach."""
    config = tmp_path / "bridge.yaml"
    config.write_text(
        yaml.safe_dump(
            {
                "journal": {"path": str(tmp_path / "not-this-one")},
                "kafka": {"bootstrap_servers": ["127.0.0.1:1"]},
                "sources": {"treble": {"auth": [{"bearer": ["cli-token-0123456789"]}]}},
                "topics": {"create": "off"},
            }
        )
    )
    return lambda *arguments: CliRunner().invoke(
        cli, ["journal", "drain", *map(str, arguments), "--config", str(config)]
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A journal with three entries to forward."""
    with storage_in(tmp_path / "journal") as storage:
        storage.append([submission() for _ in range(3)])
    return tmp_path / "journal"


@pytest.mark.parametrize("content", [None, b""])
def test_without_a_journal_it_says_so_and_makes_none(tmp_path: Path, call: Call, content: bytes | None) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    if content is not None:
        (empty / "journal.db").write_bytes(content)
    before = sorted(empty.iterdir())
    result = call(empty)
    assert (result.exit_code, result.stdout) == (
        0,
        f"there is no journal in {empty}: nothing to forward, the volume can be removed\n",
    )
    assert orjson.loads(call(empty, "--json").stdout)["journal_id"] is None
    assert sorted(empty.iterdir()) == before
    assert not (tmp_path / "not-this-one").exists()


def test_a_path_that_is_not_there_is_a_usage_error(tmp_path: Path, call: Call) -> None:
    result = call(tmp_path / "mistyped")
    assert result.exit_code == ExitCode.USAGE
    assert f"there is no folder {tmp_path}/mistyped" in result.stderr
    assert not (tmp_path / "mistyped").exists()


def test_what_is_no_journal_is_refused(tmp_path: Path, call: Call) -> None:
    (tmp_path / "journal.db").write_bytes(b"not a database at all, but long enough to look like something\n" * 200)
    assert call(tmp_path).exit_code == ExitCode.JOURNAL_CORRUPT


def test_a_journal_with_an_owner_is_refused_and_the_owner_named(folder: Path, call: Call) -> None:
    with take_lock(folder):
        for wait in ("0", "300ms"):
            result = call(folder, "--wait", wait)
            assert result.exit_code == ExitCode.JOURNAL_LOCKED
            assert "belongs to process" in result.stderr
    assert read_state(folder).positions == Positions(1)


def test_a_journal_with_nothing_left_needs_no_kafka(folder: Path, call: Call) -> None:
    with storage_in(folder) as storage:
        storage.advance(Positions(4), None)
    result = call(folder / "journal.db", "--deadline", "0")
    assert result.exit_code == 0
    assert result.stdout.endswith("nothing is left to forward: the volume can be removed\n")
    assert sorted(file.name for file in folder.iterdir()) == ["journal.db", "owner.lock"]


def test_at_the_deadline_it_says_how_many_are_left_and_why(folder: Path, call: Call) -> None:
    with storage_in(folder) as storage:
        storage.defer([(1, "crm.reads", "message.read")])
        storage.advance(Positions(2, {"crm.reads": 1}), None)
    result = call(folder, "--deadline", "200ms", "--json")
    assert result.exit_code == ExitCode.UNREACHABLE
    said = orjson.loads(result.stdout)
    assert (said["cause"], said["pending"], said["left"]["entries"], said["removable"]) == ("deadline", 3, 3, False)
    assert [(queue["topic"], queue["entries"], queue["state"]) for queue in said["left"]["paused_topics"]] == [
        ("crm.reads", 1, "kafka"),
        (None, 2, "kafka"),
    ]
    assert read_state(folder).positions == Positions(2, {"crm.reads": 1})


def usage(pending: int, deferred: dict[str, int] | None = None) -> JournalUsage:
    """A journal with so much to forward."""
    return JournalUsage(9, pending, 0, 0, None, deferred or {}, PinnedEntries(), 0.0, "ok")


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (
            {"connected": True, "topics_behind": [{"topic": "a", "state": "missing", "cause": "a is missing"}]},
            [Left("a", 2, "missing", "a is missing"), Left("b", 1, "time", "it was still being forwarded")],
        ),
        (
            {"connected": False, "topics_behind": [{"topic": "a", "state": "missing", "cause": "a is missing"}]},
            [Left("a", 2, "kafka", "refused"), Left("b", 1, "kafka", "refused"), Left(None, 4, "kafka", "refused")],
        ),
    ],
)
def test_a_paused_topic_is_the_reason_only_while_kafka_works(status: dict[str, object], expected: list[Left]) -> None:
    pending = 7 if expected[-1].topic is None else 3
    forwarder = cast("ForwarderStatus", {"last_error": "refused", **status})
    assert list(why_left(usage(pending, {"b": 1, "a": 2}), forwarder)) == expected


def drained(**changes: object) -> Drained:
    """The account of 10 entries, all done."""
    counts = {"pending": 10, "forwarded": 5, "quarantined": 1, "dropped": 1, "duplicates": 2}
    rest = {"journal_id": "j", "left": (), "kept": 9, "pinned": 0, "seconds": 1.0, "cause": "nothing left"}
    return Drained(**cast("Any", counts | rest | changes))


def test_what_kafka_had_already_is_counted_as_such() -> None:
    assert drained().known == 1
    assert "known       1 were on Kafka already" in drained_text(drained(), Path("j"))


def test_a_journal_that_has_the_only_whole_copy_is_not_called_removable() -> None:
    pinned = drained(pinned=2)
    assert pinned.exit_code is ExitCode.OK
    assert drained_as_json(pinned, Path("j"))["removable"] is False
    assert "of 2 pinned entries the quarantine has only a part" in drained_text(pinned, Path("j"))
