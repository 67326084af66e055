"""Credentials for Kafka are changed while webhooks come in: no restart, no failed answer, each event exactly once."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.e2e.bridge_process import Bridge, until
from tests.e2e.delivered import assert_exactly_once, delivered
from tests.e2e.load import Load, webhook
from tests.flow.mounted_volume import MountedVolume
from tests.kafka_broker import artifacts
from tests.kafka_broker.secured import LIMITED_USER, SUPER_USER, SecuredBroker, password_of, start_secured

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(180)]

READS = "message.read"
SESSIONS = 4
PAUSE_S = 0.01
PATIENCE_S = 30.0
NEW_PASSWORD = "the-password-from-now-on"
COMMITTED = 'transactions_total{outcome="committed"}'


@pytest.fixture(scope="module")
def secured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecuredBroker]:
    """A broker of our own: its passwords change, and it is killed."""
    if problem := artifacts.obtainable():
        pytest.skip(f"a secured broker needs a process of this machine: {problem}")
    started = start_secured(tmp_path_factory.mktemp("secured"))
    yield started
    started.broker.close()


@asynccontextmanager
async def under_load(folder: Path, secured: SecuredBroker, protocol: str, **security: Any) -> AsyncIterator[Bridge]:
    """A bridge that is connected and gets webhooks all the time. At the end, all that is promised is looked at."""
    kafka = {
        "bootstrap_servers": [secured.broker.addresses[protocol]],
        "security": {"protocol": protocol, "ca_file": str(secured.authority.file), **security},
        "request_timeout": "1s",
        "call_timeout": "2s",
    }
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=10)) as http:
        bridge = Bridge(folder, secured.broker.bootstrap, http, kafka=kafka)
        try:
            await bridge.start()
            await bridge.connected()
            load, enough = Load(bridge.port), asyncio.Event()
            sending = asyncio.create_task(send_steadily(load, enough))
            yield bridge
            enough.set()
            await sending
            await bridge.drained()
            assert bridge.process.running
            assert load.statuses() == {200}
            assert_exactly_once(await delivered(bridge, READS), load.names())
            assert not bridge.said("kafka.fenced")
        finally:
            bridge.kill()
            print(bridge.tail())  # shown when the test failed


async def send_steadily(load: Load, enough: asyncio.Event) -> None:
    """Webhooks of some sessions at once, those of each in order."""
    for number in itertools.count():
        await load.in_order(*([webhook(f"s-{session}", number)] for session in range(SESSIONS)))
        if enough.is_set():
            break
        await asyncio.sleep(PAUSE_S)


async def says(bridge: Bridge, event: str, times: int = 1) -> dict[str, Any]:
    """Wait until it has said so often in its log that this happened; the last of these lines."""

    async def said() -> bool:
        return len(bridge.said(event)) >= times

    await until(said, f"{event}, {times} times", PATIENCE_S)
    return bridge.said(event)[times - 1]


async def forwards(bridge: Bridge) -> None:
    """Wait until more is committed than was when this was asked."""
    before = await bridge.metric(COMMITTED)

    async def more() -> bool:
        return await bridge.metric(COMMITTED) >= before + 3

    await until(more, "a commit", PATIENCE_S)


async def fails_with(bridge: Bridge, reason: str) -> None:
    """Wait until that is why there is no connection."""

    def says_so(status: Any) -> bool:
        forwarder = status["forwarder"]
        return not forwarder["connected"] and reason in forwarder["last_error"]

    await bridge.until(reason, says_so, PATIENCE_S)


async def test_a_scram_password_is_changed_on_the_broker_and_then_in_the_secret(
    secured: SecuredBroker, tmp_path: Path
) -> None:
    broker = secured.broker
    secret = MountedVolume(tmp_path / "secret", {"password": password_of(SUPER_USER)})
    login = {"mechanism": "SCRAM-SHA-512", "username": SUPER_USER, "password": f"${{file:{secret / 'password'}}}"}

    async with under_load(tmp_path / "bridge", secured, "SASL_SSL", **login) as bridge:
        user = ("--bootstrap-server", broker.bootstrap, "--entity-type", "users", "--entity-name", SUPER_USER)
        change = ("--alter", "--add-config", f"SCRAM-SHA-512=[password={NEW_PASSWORD}]")
        await asyncio.to_thread(broker.tool, "kafka-configs.sh", *user, *change)
        await forwards(bridge)  # by the connections that exist
        secret.project({"password": f"{NEW_PASSWORD}\n"})
        await says(bridge, "kafka.connected", 2)
        await forwards(bridge)
        assert (await says(bridge, "config.reloaded"))["changed"] == ["kafka.security.password"]
        assert not bridge.said("kafka.lost")
        assert (await bridge.status())["forwarder"]["producer_rebuilds"] == 0

        await asyncio.to_thread(broker.kill)
        secret.project({"password": password_of(SUPER_USER)})  # by mistake
        await says(bridge, "config.reloaded", 2)
        await asyncio.to_thread(broker.start)
        await fails_with(bridge, f"the login fails: is kafka.security.password that of user {SUPER_USER}")
        assert (await bridge.get("/readyz"))[0] == 200
        secret.project({"password": NEW_PASSWORD})
        await says(bridge, "kafka.connected", 3)
        await forwards(bridge)
    assert NEW_PASSWORD not in bridge.process.log.text


async def test_a_client_certificate_is_replaced_and_one_without_its_key_is_not_taken(
    secured: SecuredBroker, tmp_path: Path
) -> None:
    pairs = {user: secured.authority.issue(user) for user in (SUPER_USER, LIMITED_USER)}

    def files(certificate: str, key: str) -> dict[str, bytes]:
        return {"tls.crt": pairs[certificate][0].read_bytes(), "tls.key": pairs[key][1].read_bytes()}

    secret = MountedVolume(tmp_path / "secret", files(SUPER_USER, SUPER_USER))
    shown = {"certificate_file": str(secret / "tls.crt"), "key_file": str(secret / "tls.key")}
    async with under_load(tmp_path / "bridge", secured, "SSL", **shown) as bridge:
        secret.project(files(LIMITED_USER, SUPER_USER))
        refused = await says(bridge, "config.refused")
        assert "is not the key of kafka.security.certificate_file" in refused["error.message"]
        await forwards(bridge)
        assert len(bridge.said("kafka.connected")) == 1

        secret.project(files(LIMITED_USER, LIMITED_USER))  # who may do nothing: the new one is in use
        await fails_with(bridge, "Kafka denies it")
        secret.project(files(SUPER_USER, SUPER_USER))
        changed = ["kafka.security.certificate_file", "kafka.security.key_file"]
        assert (await says(bridge, "config.reloaded", 2))["changed"] == changed
        await forwards(bridge)
