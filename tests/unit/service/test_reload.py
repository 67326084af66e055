"""A changed configuration takes effect without a restart; a wrong one changes nothing and is said."""

import asyncio
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from bridge.catalogue import TABLE
from bridge.errors import ConfigError
from bridge.service.reload import Reloader, fingerprint
from bridge.settings.load import Loaded, load
from bridge.settings.models import Settings
from bridge.telemetry import Telemetry

KAFKA = "kafka: {bootstrap_servers: ['localhost:9092']}\n"
WAIT_S = 10.0


def a_source(token: str) -> str:
    return f"sources: {{treble: {{auth: [{{bearer: '{token}'}}]}}}}\n"


async def until(condition: Callable[[], bool]) -> None:
    """Wait for a condition; the caller bounds the time."""
    while not condition():  # noqa: ASYNC110 - what is waited for happens in another task and a thread
        await asyncio.sleep(0.001)


class Said(Telemetry):
    """Telemetry that also keeps what was said about the configuration."""

    def __init__(self) -> None:
        super().__init__()
        self.said: list[tuple[Any, ...]] = []

    def config_reloaded(self, changed: Any, needs_restart: Any, config_hash: str) -> None:
        super().config_reloaded(changed, needs_restart, config_hash)
        self.said.append(("reloaded", tuple(changed), tuple(needs_restart)))

    def config_unchanged(self) -> None:
        super().config_unchanged()
        self.said.append(("unchanged",))

    def config_refused(self, error: BaseException, problems: Sequence[str] = ()) -> None:
        super().config_refused(error, problems)
        self.said.append(("refused", str(error)))

    def config_warning(self, problem: str) -> None:
        super().config_warning(problem)
        self.said.append(("warning", problem))


class Running:
    """A configuration in force, its file, and the reloader that watches it."""

    def __init__(self, path: Path, **reloader: Any) -> None:
        self.path = path
        self.settings = load(path, TABLE).settings
        self.applied: list[Settings] = []
        self.changed: Sequence[str] = ()
        self.telemetry = Said()
        self.reloader = Reloader(path, self.settings, self.apply, self.telemetry, **reloader)

    def apply(self, settings: Settings, changed: Sequence[str]) -> None:
        self.settings = settings
        self.applied.append(settings)
        self.changed = changed

    async def looks(self, count: int = 2) -> list[tuple[Any, ...]]:
        """Look so often (two find a change at rest); returns what was said meanwhile."""
        before = len(self.telemetry.said)
        for _ in range(count):
            await self.reloader.look()
        return self.telemetry.said[before:]

    @property
    def token(self) -> str:
        auth = self.settings.sources["treble"].auth
        return auth[0].bearer.get_secret_value()  # type: ignore[union-attr]


@pytest.fixture
async def running(tmp_path: Path) -> Running:
    path = tmp_path / "bridge.yaml"
    path.write_text(KAFKA + a_source("first-token"), encoding="utf-8")
    running = Running(path)
    assert await running.looks(3) == []
    return running


async def test_a_changed_credential_is_in_force_once_the_file_came_to_rest(running: Running) -> None:
    running.path.write_text(KAFKA + a_source("second-token"), encoding="utf-8")
    assert await running.looks(1) == []
    assert running.token == "first-token"
    assert await running.looks(1) == [("reloaded", ("sources.treble.auth[0].bearer",), ())]
    assert running.token == "second-token"
    assert await running.looks(3) == []


async def test_a_file_that_is_still_being_written_is_not_taken(running: Running) -> None:
    text = KAFKA + a_source("second-token")
    for length in (0, 10, len(KAFKA), len(text)):
        running.path.write_text(text[:length], encoding="utf-8")
        assert await running.looks(1) == []
    assert [said[0] for said in await running.looks(1)] == ["reloaded"]


async def test_an_invalid_file_leaves_the_running_configuration_in_force_and_is_said_once(running: Running) -> None:
    running.path.write_text(f"{KAFKA}sources: {{treble: {{}}}}\nlgo: {{}}\n", encoding="utf-8")
    (said,) = await running.looks(5)
    assert said[0] == "refused"
    assert "2 errors" in said[1]
    assert running.applied == []
    assert "2 errors" in running.reloader.status()["error"]
    assert running.telemetry.metrics.registry.get_sample_value("treble_bridge_config_reload_failed") == 1

    running.path.write_text(KAFKA + a_source("first-token"), encoding="utf-8")
    assert await running.looks() == [("unchanged",)]
    assert running.reloader.status()["error"] is None
    assert running.telemetry.metrics.registry.get_sample_value("treble_bridge_config_reload_failed") == 0


async def test_a_file_that_is_gone_is_said_and_taken_again_when_it_is_back(running: Running) -> None:
    running.path.unlink()
    (said,) = await running.looks()
    assert said[0] == "refused"
    assert "No such file" in said[1]
    running.path.write_text(KAFKA + a_source("second-token"), encoding="utf-8")
    assert [said[0] for said in await running.looks()] == ["reloaded"]


async def test_what_needs_a_restart_is_named_and_stays_as_it_runs(running: Running) -> None:
    text = KAFKA + a_source("second-token") + "journal: {retain: 1h}\nlog: {level: debug, format: json}\n"
    running.path.write_text(text, encoding="utf-8")
    (said,) = await running.looks()
    restart = ("journal.retain", "log.format")
    assert said == ("reloaded", ("sources.treble.auth[0].bearer", "log.level"), restart)
    assert (running.token, running.settings.log.level) == ("second-token", "debug")
    assert (running.settings.journal.retain, running.settings.log.format) == (72 * 3600, "auto")
    assert running.reloader.status()["needs_restart"] == list(restart)

    running.path.write_text(KAFKA + a_source("second-token") + "log: {level: debug}\n", encoding="utf-8")
    assert await running.looks() == [("reloaded", (), ())]
    assert len(running.applied) == 1
    assert running.reloader.status()["needs_restart"] == []


async def test_a_change_that_means_the_same_applies_nothing(running: Running) -> None:
    hashed = running.reloader.status()["hash"]
    running.path.write_text("# a remark\n" + a_source("first-token") + KAFKA + "log: {level: info}\n", encoding="utf-8")
    assert await running.looks() == [("unchanged",)]
    assert running.applied == []
    assert running.reloader.status()["hash"] == hashed


async def test_the_hash_is_that_of_what_runs(running: Running) -> None:
    first = running.reloader.status()["hash"]
    running.path.write_text(KAFKA + a_source("second-token"), encoding="utf-8")
    await running.looks()
    assert running.reloader.status()["hash"] != first
    running.path.write_text(KAFKA + a_source("first-token"), encoding="utf-8")
    await running.looks()
    assert running.reloader.status()["hash"] == first


async def test_a_request_loads_at_once_and_answers_also_when_nothing_changed(running: Running) -> None:
    running.reloader.request()
    assert await running.looks(1) == [("unchanged",)]
    running.path.write_text(KAFKA + a_source("second-token"), encoding="utf-8")
    running.reloader.request()
    assert [said[0] for said in await running.looks(1)] == ["reloaded"]
    assert await running.looks(3) == []


async def test_content_that_changes_within_one_tick_of_the_clock_is_seen(running: Running) -> None:
    status = running.path.stat()
    running.path.write_text(KAFKA + a_source("other-token"), encoding="utf-8")
    os.utime(running.path, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert [said[0] for said in await running.looks()] == ["reloaded"]


async def test_a_secret_file_is_watched_from_the_start(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("first-token\n", encoding="utf-8")
    path = tmp_path / "bridge.yaml"
    path.write_text(KAFKA + a_source(f"${{file:{tmp_path}/token}}"), encoding="utf-8")
    running = Running(path)
    await running.looks(1)
    (tmp_path / "token").write_text("second-token\n", encoding="utf-8")
    assert [said[0] for said in await running.looks()] == ["reloaded"]
    assert running.token == "second-token"


async def test_a_file_that_the_change_itself_names_is_watched_also_when_it_is_missing(running: Running) -> None:
    token = running.path.parent / "token"
    running.path.write_text(KAFKA + a_source(f"${{file:{token}}}"), encoding="utf-8")
    (said,) = await running.looks()
    assert said[0] == "refused"
    assert f"{token} cannot be read" in said[1]
    token.write_text("from-the-file\n", encoding="utf-8")
    assert [said[0] for said in await running.looks()] == ["reloaded"]
    assert running.token == "from-the-file"


async def test_a_swap_of_a_configmaps_data_link_is_a_change(tmp_path: Path) -> None:
    """As the kubelet does it: files are links into ..data, which is a link to a folder, replaced by a rename."""

    def write(version: str, token: str) -> None:
        folder = tmp_path / version
        folder.mkdir()
        (folder / "bridge.yaml").write_text(KAFKA + a_source(f"${{file:{tmp_path}/token}}"), encoding="utf-8")
        (folder / "token").write_text(token, encoding="utf-8")
        (tmp_path / "..data_tmp").symlink_to(version)
        (tmp_path / "..data_tmp").rename(tmp_path / "..data")

    write("..2026_01", "first-token")
    for name in ("bridge.yaml", "token"):
        (tmp_path / name).symlink_to(f"..data/{name}")
    running = Running(tmp_path / "bridge.yaml")
    assert await running.looks() == []
    write("..2026_02", "second-token")
    assert [said[0] for said in await running.looks()] == ["reloaded"]
    assert running.token == "second-token"


def secured(tmp_path: Path, token: str) -> str:
    """A configuration whose connection to Kafka trusts the file `ca.pem`."""
    kafka = f"bootstrap_servers: ['localhost:9092'], security: {{protocol: SSL, ca_file: {tmp_path}/ca.pem}}"
    return f"kafka: {{{kafka}}}\n{a_source(token)}"


async def test_other_content_of_a_file_for_kafka_is_a_change_of_its_key_until_it_was_taken(tmp_path: Path) -> None:
    path, authority = tmp_path / "bridge.yaml", tmp_path / "ca.pem"
    authority.write_text("first", encoding="utf-8")
    path.write_text(secured(tmp_path, "first-token"), encoding="utf-8")
    running = Running(path)
    assert await running.looks(3) == []

    def refuse(settings: Settings, changed: Sequence[str]) -> None:
        raise ConfigError("no certificate in it")

    running.reloader._apply = refuse
    authority.write_text("second", encoding="utf-8")
    assert await running.looks(3) == [("refused", "no certificate in it")]
    running.reloader._apply = running.apply
    path.write_text(secured(tmp_path, "second-token"), encoding="utf-8")
    taken = ("sources.treble.auth[0].bearer", "kafka.security.ca_file")
    assert await running.looks(3) == [("reloaded", taken, ())]
    assert running.changed == taken
    assert await running.looks(3) == []

    authority.write_text("third", encoding="utf-8")
    assert await running.looks(3) == [("reloaded", ("kafka.security.ca_file",), ())]
    path.write_text(secured(tmp_path, "third-token"), encoding="utf-8")
    assert await running.looks(3) == [("reloaded", ("sources.treble.auth[0].bearer",), ())]


async def test_a_file_for_kafka_that_changes_before_the_first_look_is_not_missed(tmp_path: Path) -> None:
    path, authority = tmp_path / "bridge.yaml", tmp_path / "ca.pem"
    authority.write_text("first", encoding="utf-8")
    path.write_text(secured(tmp_path, "first-token"), encoding="utf-8")
    running = Running(path)
    authority.write_text("second", encoding="utf-8")
    assert await running.looks(1) == [("reloaded", ("kafka.security.ca_file",), ())]


async def test_a_change_between_the_start_and_the_first_look_is_not_missed(tmp_path: Path) -> None:
    path = tmp_path / "bridge.yaml"
    path.write_text(KAFKA + a_source("first-token"), encoding="utf-8")
    running = Running(path)
    path.write_text(KAFKA + a_source("second-token"), encoding="utf-8")
    assert [said[0] for said in await running.looks(1)] == ["reloaded"]


async def test_a_change_while_the_file_is_being_loaded_is_taken_afterwards(tmp_path: Path) -> None:
    path = tmp_path / "bridge.yaml"
    path.write_text(KAFKA + a_source("first-token"), encoding="utf-8")
    meanwhile: list[Callable[[], Any]] = []

    def load_and_change(path: Path, event_types: Any) -> Loaded:
        loaded = load(path, event_types)
        while meanwhile:
            meanwhile.pop()()
        return loaded

    running = Running(path, load_file=load_and_change)
    await running.looks()
    path.write_text(KAFKA + a_source("second-token"), encoding="utf-8")
    meanwhile.append(lambda: path.write_text(KAFKA + a_source("third-token"), encoding="utf-8"))
    await running.looks()
    assert running.token == "second-token"
    await running.looks()
    assert running.token == "third-token"


async def test_what_can_not_be_applied_is_refused_and_the_hash_stays(running: Running) -> None:
    def refuse(settings: Settings, changed: Sequence[str]) -> None:
        raise ConfigError("not now")

    running.reloader._apply = refuse
    hashed = running.reloader.status()["hash"]
    running.path.write_text(KAFKA + a_source("second-token"), encoding="utf-8")
    assert await running.looks() == [("refused", "not now")]
    assert running.reloader.status() == {
        "path": str(running.path),
        "hash": hashed,
        "error": "not now",
        "needs_restart": [],
    }


async def test_an_error_that_nobody_foresaw_while_applying_is_a_refused_configuration(running: Running) -> None:
    def failing(settings: Settings, changed: Sequence[str]) -> None:
        raise TypeError("what stands in a-new-token-0123 can't be")

    running.reloader._apply = failing
    await running.looks()
    before = running.reloader.status()["hash"]
    running.path.write_text(KAFKA + a_source("a-new-token-0123"), encoding="utf-8")
    assert await running.looks() == [("refused", "can't be put in force: TypeError")]
    assert running.reloader.status() == {
        "path": str(running.path), "hash": before, "error": "can't be put in force: TypeError", "needs_restart": [],
    }  # fmt: skip
    running.reloader._apply = running.apply
    running.path.write_text(KAFKA + a_source("another-token-0123"), encoding="utf-8")
    assert [said[0] for said in await running.looks()] == ["reloaded"]


async def test_doubts_are_said_at_the_start_and_after_a_change(tmp_path: Path) -> None:
    path = tmp_path / "bridge.yaml"
    path.write_text(KAFKA + "sources: {treble: {auth: none}}\n", encoding="utf-8")
    running = Running(path)
    (said,) = await running.looks()
    assert said == ("warning", f"{path}:2: sources.treble.auth: none: everyone who knows the URL may post")
    path.write_text(KAFKA + a_source("short"), encoding="utf-8")
    warning, reloaded = await running.looks()
    assert (warning[0], reloaded[0]) == ("warning", "reloaded")
    assert "short:" not in warning[1]


async def test_it_looks_once_an_interval_and_at_once_when_asked(tmp_path: Path) -> None:
    path = tmp_path / "bridge.yaml"
    path.write_text(KAFKA + a_source("first-token"), encoding="utf-8")
    often = Running(path, interval_s=0.001)
    asked = Running(path, interval_s=3600.0)
    tasks = [asyncio.create_task(each.reloader.run()) for each in (often, asked)]
    try:
        async with asyncio.timeout(WAIT_S):
            await until(lambda: asked.reloader._loaded is not None)
            path.write_text(KAFKA + a_source("second-token"), encoding="utf-8")
            asked.reloader.request()
            await until(lambda: often.token == asked.token == "second-token")
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def test_a_fingerprint_never_waits_for_a_file_that_is_none(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    found = fingerprint([str(tmp_path / "pipe"), str(tmp_path), str(tmp_path / "none")])
    assert list(found.values()) == ["not a regular file", "not a regular file", "errno 2"]
