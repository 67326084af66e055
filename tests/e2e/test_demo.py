"""`treble-bridge demo`, called as a newcomer calls it."""

import json
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from aiokafka.admin import AIOKafkaAdminClient

from bridge.catalogue import TABLE, UNKNOWN
from bridge.errors import ExitCode
from tests.kafka_broker import Broker

WAIT_S = 40.0
OUTAGE_S = 2.0
UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f-]*")
"""Whole or cut short. One in 43 begins with eight digits, as a phone does."""
NINE_TYPES = sorted(name for name in TABLE if name != UNKNOWN)


class Demo:
    """One run. Its temporary folder is in a place of its own, so that what it leaves behind shows."""

    def __init__(self, folder: Path, *arguments: str) -> None:
        self._temporary = folder / "tmp"
        self._temporary.mkdir()
        self._out, self._err = folder / "out", folder / "err"
        with self._out.open("wb") as out, self._err.open("wb") as err:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "bridge", "demo", *arguments],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                env={**os.environ, "TMPDIR": str(self._temporary), "PYTHONUNBUFFERED": "1"},
            )

    @property
    def out(self) -> str:
        """What it printed so far."""
        return self._out.read_text()

    @property
    def err(self) -> str:
        """What it printed on stderr so far."""
        return self._err.read_text()

    def shows(self, pattern: str) -> re.Match[str]:
        """Wait until it has printed this."""
        end_s = time.monotonic() + WAIT_S
        while not (found := re.search(pattern, self.out, re.MULTILINE)):
            assert self.process.poll() is None, f"it ended with {self.process.returncode}:\n{self.out}\n{self.err}"
            assert time.monotonic() < end_s, f"{pattern!r} did not appear:\n{self.out}\n{self.err}"
            time.sleep(0.02)
        return found

    def ended(self) -> int:
        """Its exit code."""
        return self.process.wait(WAIT_S + 20)

    def sum(self) -> dict[str, Any]:
        """The JSON that it ended with."""
        found: dict[str, Any] = json.loads(self.out)
        return found

    def children(self) -> set[int]:
        """The processes that it started, and theirs."""
        parents = {}
        for status in Path("/proc").glob("[0-9]*/stat"):
            try:
                parents[int(status.parent.name)] = int(status.read_text().rpartition(")")[2].split()[1])
            except (OSError, ValueError):
                continue
        found = {self.process.pid}
        while more := {pid for pid, parent in parents.items() if parent in found} - found:
            found |= more
        return found - {self.process.pid}

    def assert_nothing_left(self, children: set[int]) -> None:
        """Neither processes nor files."""
        self.assert_ended(children)
        assert list(self._temporary.iterdir()) == []

    def assert_ended(self, children: set[int]) -> None:
        end_s = time.monotonic() + WAIT_S
        while left := [pid for pid in children if _runs(pid)]:
            assert time.monotonic() < end_s, f"still there: {left}"
            time.sleep(0.02)


def _runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.fixture
def demos(tmp_path: Path) -> Iterator[list[Demo]]:
    """What a test starts, ended in any case."""
    started: list[Demo] = []
    yield started
    for demo in started:
        if demo.process.poll() is None:
            demo.process.kill()
            demo.process.wait()


def start(demos: list[Demo], folder: Path, *arguments: str) -> Demo:
    demo = Demo(folder, *arguments)
    demos.append(demo)
    return demo


def assert_counts(found: dict[str, Any], outage_webhooks: int) -> None:
    forwarded = 14 + outage_webhooks
    assert found["problems"] == []
    assert found["adds_up"] is True
    assert found["counts"] == {
        "sent": forwarded + 4,
        "acknowledged": forwarded + 1,
        "refused": 3,
        "forwarded": forwarded,
        "duplicates": 1,
        "quarantined": 1,
        "lost": 0,
    }
    own = {name: found["counts"][name] for name in found["bridge"] if name != "pending"}
    assert found["bridge"] == {**own, "pending": 0}
    assert sorted(found["forwarded_by_type"]) == NINE_TYPES


def test_the_demo_ends_by_itself_in_under_a_minute_with_counts_that_add_up(tmp_path: Path, demos: list[Demo]) -> None:
    began_s = time.monotonic()
    demo = start(demos, tmp_path, "--json")
    children: set[int] = set()
    while demo.process.poll() is None and time.monotonic() - began_s < 60:
        children |= demo.children()
        time.sleep(0.2)
    assert demo.ended() == ExitCode.OK, demo.err
    assert time.monotonic() - began_s < 60
    found = demo.sum()
    outage = found["outage"]
    assert (outage["shown"], outage["kept"]) == (True, outage["webhooks"])
    assert outage["webhooks"] >= 10
    assert outage["slowest_ack_ms"] < 1000
    assert found["delivery"] == "at_least_once"
    assert_counts(found, outage["webhooks"])
    assert len(children) == 2, "an embedded Kafka, a bridge"
    demo.assert_nothing_left(children)


def test_piped_output_is_plain_text_without_phones(tmp_path: Path, demos: list[Demo]) -> None:
    demo = start(demos, tmp_path, "--seconds-outage", str(OUTAGE_S))
    assert demo.ended() == ExitCode.OK, demo.err
    text = demo.out
    assert "\x1b" not in text
    assert demo.err == ""
    for said in ("at_least_once", 'bearer: "${TREBLE_TOKEN}"', "401 in ", "400 in ", "Kafka is back.", "It adds up."):
        assert said in text
    for name in NINE_TYPES:
        assert f"← treble.{name}[" in text
    assert "← treble.quarantine[" in text
    assert "ce_type=ai.treble.message.read.v1" in text
    assert re.search(r'"phone": "\+\d\d\*{6}\d\d"', text)
    assert re.findall(r"(?<![0-9a-f*])\+?\d{8,}(?![0-9a-f…])", UUID.sub("", text)) == []


def test_it_stays_up_with_serve_and_shows_what_the_printed_curl_line_posts_until_ctrl_c(
    tmp_path: Path, demos: list[Demo]
) -> None:
    demo = start(demos, tmp_path, "--serve")
    words = shlex.split(demo.shows(r"^curl .*$").group())
    children = demo.children()
    posted = subprocess.run([*words, "-sS"], capture_output=True, text=True, check=True, timeout=20)
    assert posted.stdout.startswith("HTTP/1.1 200 ")
    demo.shows(r"← treble\.message\.read\[\d\]@0")
    wrong = [word.replace("Bearer demo-", "Bearer other-") for word in words]
    refused = subprocess.run([*wrong, "-sS"], capture_output=True, text=True, check=True, timeout=20)
    assert refused.stdout.startswith("HTTP/1.1 401 ")
    demo.process.send_signal(signal.SIGINT)
    assert demo.ended() == ExitCode.OK
    assert demo.err == ""
    demo.assert_nothing_left(children)


def test_a_bridge_that_dies_ends_the_demo_with_the_end_of_its_log(tmp_path: Path, demos: list[Demo]) -> None:
    demo = start(demos, tmp_path)
    bridge = int(demo.shows(r"^Bridge +process (\d+)").group(1))
    children = demo.children()
    demo.shows(r"← treble\.message\.delivered")
    os.kill(bridge, signal.SIGKILL)
    assert demo.ended() == ExitCode.FAILURE
    assert "treble-bridge: the bridge ended by itself, with exit code -9" in demo.err
    assert "the bridge's log ends with:" in demo.err
    assert '"service.started"' in demo.err
    demo.assert_nothing_left(children)


def while_kafka_is_away(demos: list[Demo], folder: Path) -> tuple[Demo, set[int]]:
    """A demo in its last act, and its children."""
    demo = start(demos, folder, "--seconds-outage", "15")
    demo.shows(r"^5\. Kafka goes away")
    children = demo.children()
    assert len(children) == 2
    return demo, children


@pytest.mark.parametrize("sigint", [signal.SIG_DFL, signal.SIG_IGN], ids=["from-a-terminal", "in-the-background"])
def test_a_demo_that_is_ended_while_kafka_is_away_leaves_nothing_behind(
    tmp_path: Path, demos: list[Demo], sigint: signal.Handlers
) -> None:
    before = signal.signal(signal.SIGINT, sigint)  # a script's `&` starts a command with SIGINT ignored
    try:
        demo, children = while_kafka_is_away(demos, tmp_path)
    finally:
        signal.signal(signal.SIGINT, before)
    demo.process.send_signal(signal.SIGTERM)
    assert demo.ended() == 130
    demo.assert_nothing_left(children)


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere nobody ends the children of a killed process")
def test_the_processes_of_a_demo_that_is_killed_end_with_it(tmp_path: Path, demos: list[Demo]) -> None:
    demo, children = while_kafka_is_away(demos, tmp_path)
    demo.process.kill()
    demo.ended()
    demo.assert_ended(children)


def test_the_outage_can_be_left_out(tmp_path: Path, demos: list[Demo]) -> None:
    demo = start(demos, tmp_path, "--json", "--seconds-outage", "0")
    assert demo.ended() == ExitCode.OK, demo.err
    assert_counts(demo.sum(), 0)
    assert demo.sum()["outage"]["shown"] is False


def test_a_kafka_that_is_not_there_is_exit_code_7_with_the_reason(tmp_path: Path, demos: list[Demo]) -> None:
    demo = start(demos, tmp_path, "--kafka", "127.0.0.1:1")
    assert demo.ended() == ExitCode.UNREACHABLE
    assert "127.0.0.1:1: nothing listens there (connection refused)" in demo.err
    demo.assert_nothing_left(set())


async def topics_of_demos(broker: Broker) -> set[str]:
    admin = AIOKafkaAdminClient(bootstrap_servers=broker.bootstrap)
    await admin.start()
    try:
        return {name for name in await admin.list_topics() if name.startswith("demo-")}
    finally:
        await admin.close()


async def test_on_a_real_kafka_it_is_exactly_once_and_the_topics_are_removed(
    kafka: Broker, tmp_path: Path, demos: list[Demo]
) -> None:
    before = await topics_of_demos(kafka)
    demo = start(demos, tmp_path, "--kafka", kafka.bootstrap, "--json")
    assert demo.ended() == ExitCode.OK, demo.err
    found = demo.sum()
    assert_counts(found, 0)
    assert (found["delivery"], found["repeated"], found["outage"]["shown"]) == ("exactly_once", 0, False)
    assert found["seconds"] < 60
    demo.assert_nothing_left(set())
    assert await topics_of_demos(kafka) == before
