"""`treble-bridge journal`: what it prints, and its exit codes."""

from pathlib import Path
from typing import Any

import orjson
import pytest
from click.testing import CliRunner, Result

from bridge.cli import cli
from bridge.errors import ExitCode
from bridge.journal.database import transaction
from bridge.journal.lock import take_lock
from bridge.model import Entry, Positions
from tests.unit.journal.making import NOON_MS, storage_in, submission
from tests.unit.journal.offline.test_offline import TOPIC, fill
from tests.unit.journal.test_opening import damage


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A journal of 20 entries: 5 pending, 2 deferred, 1 pinned."""
    with storage_in(tmp_path / "journal") as storage:
        fill(storage)
    return tmp_path / "journal"


def call(*arguments: object) -> Result:
    """Run a command of `treble-bridge journal`."""
    return CliRunner().invoke(cli, ["journal", *map(str, arguments)])


def lines(result: Result) -> list[Any]:
    """What a command printed with --json."""
    assert result.exit_code in {0, 8}, result.output
    return [orjson.loads(line) for line in result.stdout.splitlines()]


def test_ls_lists_and_chooses(folder: Path) -> None:
    everything = lines(call("ls", folder, "--json"))
    assert [entry["id"] for entry in everything] == list(range(1, 21))
    assert everything[2] == {
        "id": 3,
        "received_at": "2025-06-15T15:06:43.000Z",
        "source": "s1",
        "hint": "",
        "state": "deferred",
        "topic": TOPIC,
        "pinned": False,
        "headers_bytes": 0,
        "body_bytes": 50,
    }
    assert [e["id"] for e in lines(call("ls", folder, "--state", "pending", "--limit", 2, "--json"))] == [19, 20]
    assert [e["id"] for e in lines(call("ls", folder, "--hint", "", "--source", "s0", "--json"))] == [6, 12, 18]
    assert [e["id"] for e in lines(call("ls", folder, "--since", "2025-06-15T15:06:58", "--json"))] == [18, 19, 20]
    assert lines(call("ls", folder, "--since", "1h", "--json")) == []
    table = call("ls", folder / "journal.db", "--state", "deferred")
    assert f"deferred for {TOPIC}" in table.stdout
    assert "next to forward: 16" in table.stderr


def test_show_prints_the_body_for_people_for_programs_and_for_pipes(folder: Path) -> None:
    text = call("show", folder, 7)
    assert "entry     7 (forwarded, pinned)" in text.stdout
    assert text.stdout.endswith("7\n")
    (shown,) = lines(call("show", folder, 7, "--json"))
    assert (shown["body"], shown["headers"]) == (f"{7:050}", {})
    assert call("show", folder, 7, "--raw").stdout_bytes == f"{7:050}".encode()
    gone = call("show", folder, 77)
    assert gone.exit_code == ExitCode.MISMATCH
    assert "no entry 77" in gone.stderr


def test_verify_tells_three_states_apart(folder: Path) -> None:
    whole = call("verify", folder)
    assert (whole.exit_code, whole.stdout.splitlines()[-1]) == (0, "all is well")
    (report,) = lines(call("verify", folder, "--json"))
    assert (report["entries"], report["pending"], report["findings"]) == (20, 7, [])
    with storage_in(folder) as storage:
        storage.connection.execute("DELETE FROM entries WHERE id = 18")
    contradicting = call("verify", folder)
    assert contradicting.exit_code == ExitCode.MISMATCH
    assert "1 entries that were never forwarded are missing" in contradicting.stdout
    damage(folder / "journal.db", [3])
    damaged = call("verify", folder)
    assert damaged.exit_code == ExitCode.JOURNAL_CORRUPT
    assert "journal salvage" in damaged.output


def test_replay_by_ids_by_range_and_in_rehearsal(folder: Path) -> None:
    rehearsed = lines(call("replay", folder, "--from", 1, "--to", 6, "--source", "s0", "--dry-run", "--json"))
    assert [(one["id"], one["outcome"], one["dry_run"]) for one in rehearsed] == [
        (2, "copied", True),
        (6, "copied", True),
    ]
    assert call("replay", folder, "--from", "2025-06-15T15:06:50Z", "--to", "2025-06-15T15:06:52Z").stdout == (
        "3 copied: they go out when the bridge runs, "
        "but those forwarded within duplicates.window (--again sends these, too)\n"
    )
    named = call("replay", folder, 3, 5, 99, "--again")
    assert named.exit_code == ExitCode.MISMATCH
    assert named.stdout.splitlines() == [
        "3: still waits to be forwarded: left alone",
        "99: there is no such entry (any more)",
        "1 copied: they go out when the bridge runs",
    ]
    (shown,) = lines(call("show", folder, 24, "--json"))
    assert shown["headers"] == {
        "x-treble-bridge-replay": "5 again",
        "x-treble-bridge-received-at": "2025-06-15T15:06:45.000000Z",
    }


def test_a_replay_under_another_hint_says_what_each_entry_becomes_and_copies_it_under_that_hint(tmp_path: Path) -> None:
    folder = tmp_path / "journal"
    bodies = [
        '{"session_id": "s-1"}',
        '{"session_id": "s-2", "delivered_at": "2026-06-22 15:19:08"}',
        '{"cellphone": "3005550134"}',
        "oops",
    ]
    with storage_in(folder) as storage, transaction(storage.connection):
        storage.append([submission(body, hint="delivered") for body in bodies])
        storage.advance(Positions(5, {}), 99)
    rehearsed = call("replay", folder, "--from", 1, "--hint", "delivered", "--hint-as", "read", "--dry-run")
    assert rehearsed.stdout.splitlines() == [
        "1: would become message.read",
        "2: would become message.delivered: its body tells that, whatever the hint",
        "3: would go to the quarantine: invalid",
        "4: would go to the quarantine: not_json",
        "4 would be copied",
    ]
    shown = lines(call("replay", folder, 1, 3, "--hint-as", "read", "--dry-run", "--json"))
    assert [(one["event_type"], one["reason"]) for one in shown] == [("message.read", None), (None, "invalid")]
    assert call("replay", folder, 1, 2, "--hint-as", "read").exit_code == ExitCode.OK
    copies = lines(call("ls", folder, "--hint", "read", "--json"))
    assert [one["id"] for one in copies] == [5, 6]
    assert lines(call("show", folder, 1, "--json"))[0]["hint"] == "delivered", "the original is as it was"


@pytest.mark.parametrize("hint", ["", "message.read", "reed"])
def test_a_replay_under_a_hint_that_nobody_knows_is_refused(folder: Path, hint: str) -> None:
    result = call("replay", folder, 1, "--hint-as", hint)
    assert result.exit_code == ExitCode.USAGE
    assert "is no hint: expected one of" in result.stderr


@pytest.mark.parametrize("arguments", [[], [5, "--from", 1], [5, "--hint", "read"], ["--from", "yesterday"], [0]])
def test_replay_wants_ids_or_a_range(folder: Path, arguments: list[object]) -> None:
    assert call("replay", folder, *arguments).exit_code == ExitCode.USAGE


def test_a_replay_that_has_no_room_says_where_to_go_on(folder: Path) -> None:
    result = call("replay", folder, 5, 6, "--max-bytes", "64KiB")
    assert result.exit_code == ExitCode.FAILURE
    assert "stopped before entry 5, with 0 copied" in result.stderr
    assert call("replay", folder, 5, "--max-bytes", "lots").exit_code == ExitCode.USAGE


def test_what_writes_is_refused_while_a_bridge_runs(folder: Path, tmp_path: Path) -> None:
    with take_lock(folder):
        for arguments in (
            ["replay", folder, 5],
            ["unpin", folder, 7],
            ["renew", folder],
            ["salvage", folder, tmp_path / "new"],
        ):
            refused = call(*arguments)
            assert refused.exit_code == ExitCode.JOURNAL_LOCKED
            assert "stop that one first" in refused.stderr
        assert call("ls", folder).exit_code == 0
        assert call("replay", folder, 5, "--dry-run").exit_code == 0


def test_renew_names_both_ids_and_what_is_left_to_forward(folder: Path) -> None:
    with storage_in(folder) as storage:
        former_id, pending = storage.journal_id, storage.pending
    result = call("renew", folder)
    assert result.exit_code == ExitCode.OK
    with storage_in(folder) as storage:
        assert storage.journal_id != former_id
        assert result.stdout == f"journal {former_id} is {storage.journal_id} now; {pending} entries to forward\n"


def test_unpin_lets_retention_have_it(folder: Path) -> None:
    assert call("unpin", folder, 7).exit_code == 0
    assert not any(entry["pinned"] for entry in lines(call("ls", folder, "--json")))


def test_salvage_says_what_was_lost(folder: Path, tmp_path: Path) -> None:
    whole = call("salvage", folder, tmp_path / "one")
    assert (whole.exit_code, "20 entries rescued" in whole.stdout) == (0, True)
    with storage_in(tmp_path / "large") as storage:
        fill(storage, 1000, 500)
    damage(tmp_path / "large" / "journal.db", [50])
    partly = call("salvage", tmp_path / "large", tmp_path / "two")
    assert partly.exit_code == ExitCode.MISMATCH
    assert "lost: entries" in partly.stdout
    assert f"set journal.path to {tmp_path / 'two'}" in partly.stdout


@pytest.mark.parametrize("command", ["ls", "verify", "show", "replay", "unpin", "renew", "salvage"])
def test_a_path_without_a_journal_is_a_usage_error(tmp_path: Path, command: str) -> None:
    more: dict[str, list[object]] = {"show": [1], "replay": [1], "unpin": [1], "salvage": ["new"]}
    result = call(command, tmp_path, *more.get(command, []))
    assert result.exit_code == ExitCode.USAGE
    assert "there is no journal in" in result.output


def test_bodies_that_are_no_text_are_shown_as_what_they_are(tmp_path: Path) -> None:
    with storage_in(tmp_path / "journal") as storage:
        storage.append([Entry(0, NOON_MS, "s", "", b"not json", b"\xff\x00 no text"), Entry(0, -1, "s", "", b"", b"")])
    (shown,) = lines(call("show", tmp_path / "journal", 1, "--json"))
    assert (shown["body_base64"], shown["headers"]) == ("/wAgbm8gdGV4dA==", {})
    assert "\\xff" in call("show", tmp_path / "journal", 1).stdout
    assert call("show", tmp_path / "journal", 2).exit_code == 0


BEYOND = [1 << 63, 99999999999999999999, "9" * 5000]


@pytest.mark.parametrize("number", BEYOND, ids=["2^63", "twenty digits", "5000 digits"])
@pytest.mark.parametrize(
    "arguments",
    [["show"], ["replay"], ["replay", "--from"], ["replay", "--to"], ["unpin"], ["ls", "--limit"], ["ls", "--since"]],
)
def test_a_number_beyond_every_journal_is_a_wrong_option(folder: Path, arguments: list[str], number: object) -> None:
    command, *option = arguments
    result = call(command, folder, *option, number)
    assert result.exit_code == ExitCode.USAGE, result.output
    assert "unforeseen" not in result.output


def test_the_largest_number_is_an_entry_that_is_not_there(folder: Path) -> None:
    largest = (1 << 63) - 1
    assert call("show", folder, largest).exit_code == ExitCode.MISMATCH
    assert call("replay", folder, largest).exit_code == ExitCode.MISMATCH
    assert call("unpin", folder, largest).exit_code == ExitCode.OK
    assert len(lines(call("replay", folder, "--to", largest, "--dry-run", "--json"))) == 13
    assert lines(call("replay", folder, "--from", largest, "--dry-run", "--json")) == []
    assert len(lines(call("ls", folder, "--limit", 1_000_000_000, "--json"))) == 20
