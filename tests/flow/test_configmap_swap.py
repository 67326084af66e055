"""Mounted configuration, credentials and certificates are swapped under load: no request fails, none is dropped."""

import asyncio
import contextlib
import ssl
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import aiohttp
import orjson
import yaml

from tests.flow.conftest import Configure, StartProcess
from tests.flow.ingress.certificates import Authority
from tests.flow.ingress.harness import Client, request
from tests.flow.mounted_volume import MountedVolume
from tests.flow.running import PATH, TOKEN, BridgeProcess, authorized, until, webhook

IN_FORCE_S = 10.0  # two looks, a second apart; the rest is for a machine that is busy
CLIENTS = 4
PAUSE_S = 0.005


@contextlib.asynccontextmanager
async def constant_load(call: Callable[[], Awaitable[Any]]) -> AsyncIterator[Counter[Any]]:
    """Clients that `call` again and again; what came back, counted. An exception fails the test."""
    seen: Counter[Any] = Counter()
    enough = asyncio.Event()

    async def client() -> None:
        while not enough.is_set():
            seen[await call()] += 1
            await asyncio.sleep(PAUSE_S)

    async with asyncio.TaskGroup() as group:
        for _ in range(CLIENTS):
            group.create_task(client())
        try:
            yield seen
        finally:
            enough.set()


async def in_force(holds: Callable[[], Awaitable[bool]], what: str) -> None:
    """Wait until it holds, for as long as a change may take."""
    end_s = time.monotonic() + IN_FORCE_S
    while not await holds():
        assert time.monotonic() < end_s, f"{what}: not within {IN_FORCE_S} s"
        await asyncio.sleep(0.02)


async def test_a_swapped_config_map_is_in_force_in_seconds_and_a_wrong_one_changes_nothing_under_load(
    start_process: StartProcess, configure: Configure, http: aiohttp.ClientSession, tmp_path: Path
) -> None:
    document = yaml.safe_load(configure().read_text())
    volume = MountedVolume(tmp_path / "etc", {"bridge.yaml": yaml.safe_dump(document)})

    def swap(**sections: dict[str, Any]) -> None:
        volume.project({"bridge.yaml": yaml.safe_dump({**document, **sections})})

    bridge: BridgeProcess = start_process(volume / "bridge.yaml")
    await bridge.started()
    more = {**document["sources"], "more": {"auth": [{"bearer": [TOKEN]}]}}

    async def answers(path: str, status: int) -> bool:
        return await bridge.post(http, path=path) == status

    async with constant_load(lambda: bridge.post(http)) as seen:
        assert await answers("/webhooks/more/read", 404)
        before = (await bridge.get(http, "/status"))[1]["config"]["hash"]
        swap(sources=more)
        await in_force(lambda: answers("/webhooks/more/read", 200), "another source")
        assert (await bridge.get(http, "/status"))[1]["config"]["hash"] != before

        swap(sources=more, server={**document["server"], "max_bdy": "1MiB"})
        await until(lambda: bridge.log.lines("config.refused"), "the refusal", IN_FORCE_S)
        status, ready = await bridge.get(http, "/readyz")
        assert (status, ready["checks"]["config"]["status"]) == (200, "degraded")
        assert "did you mean max_body?" in ready["checks"]["config"]["error"]
        assert await bridge.metric(http, "config_reload_failed") == 1
        assert await answers("/webhooks/more/read", 200)

        swap()
        await in_force(lambda: answers("/webhooks/more/read", 404), "the source gone again")
        assert await bridge.metric(http, "config_reload_failed") == 0
        swapped = seen.total()
        await until(lambda: seen.total() > swapped + 50, "load after the last swap")
    assert set(seen) == {200}
    assert len(list((tmp_path / "etc").glob("..2*"))) == 1
    assert bridge.running


async def test_a_token_in_a_swapped_secret_is_changed_and_with_two_values_for_a_while_nobody_is_refused(
    start_process: StartProcess, configure: Configure, http: aiohttp.ClientSession, tmp_path: Path
) -> None:
    first, second, third = (f"token-number-{count}-of-this-test" for count in range(3))
    secret = MountedVolume(tmp_path / "secret", {"token": f"{first}\n", "former": f"{first}\n"})
    values = [f"${{file:{secret / 'token'}}}", f"${{file:{secret / 'former'}}}"]
    bridge: BridgeProcess = start_process(configure(sources={"treble": {"auth": [{"bearer": values}]}}))
    await bridge.started()
    panel = first  # what Treble's panel sends

    async def answers(token: str, status: int) -> bool:
        return await bridge.post(http, token=token) == status

    async with constant_load(lambda: bridge.post(http, token=panel)) as seen:
        assert await answers(second, 401)
        secret.project({"token": second, "former": first})
        await in_force(lambda: answers(second, 200), "the new value")
        assert await answers(first, 200)
        panel = second
        await asyncio.sleep(PAUSE_S)
        secret.project({"token": second, "former": third})
        await in_force(lambda: answers(first, 401), "the end of the old value")
    assert set(seen) == {200}
    assert not any(token in bridge.log.text for token in (first, second, third))


async def test_certificate_and_key_are_swapped_together_without_a_failed_handshake_or_a_lost_connection(
    start_process: StartProcess, configure: Configure, tmp_path: Path
) -> None:
    authority = Authority("the CA of this test")
    names = ("first", "second", "third", "fourth")
    pairs = {name: authority.pair(name) for name in names}
    trusting = ssl.create_default_context(cadata=authority.certificate.decode())

    def files(certificate: str, key: str) -> dict[str, bytes]:
        return {"tls.crt": pairs[certificate].certificate, "tls.key": pairs[key].key}

    secret = MountedVolume(tmp_path / "tls", files("first", "first"))
    tls = {"certificate": str(secret / "tls.crt"), "key": str(secret / "tls.key")}
    bridge: BridgeProcess = start_process(configure(server={"tls": tls, "listen": "127.0.0.1:0"}))
    await bridge.started()

    @contextlib.asynccontextmanager
    async def connection() -> AsyncIterator[Client]:
        client = Client(*await asyncio.open_connection("127.0.0.1", bridge.port, ssl=trusting))
        try:
            yield client
        finally:
            client.close()
            with contextlib.suppress(OSError):
                await client.writer.wait_closed()

    async def new_connection() -> str:
        """A handshake and a webhook; the name on the certificate."""
        async with connection() as client:
            assert await answered(client) == 200
            return shown(client)

    async def shows(name: str) -> bool:
        return await new_connection() == name

    async with connection() as kept, constant_load(new_connection) as seen:
        assert await shows("first")
        for name in ("second", "third"):
            secret.project(files(name, name))
            await in_force(lambda: shows(name), f"the certificate {name}")  # noqa: B023 - waited for here
            assert await answered(kept) == 200

        secret.project(files("fourth", "third"))  # as where a certificate is written before its key
        (refused,) = await until(lambda: bridge.log.lines("tls.certificate_refused"), "the refusal", IN_FORCE_S)
        assert "key values mismatch" in refused["error.message"]
        assert await shows("third")
        secret.project(files("fourth", "fourth"))
        await in_force(lambda: shows("fourth"), "the whole pair")
        assert (await answered(kept), shown(kept)) == (200, "first")
        await until(lambda: seen["fourth"], "a call of the load on the whole pair", IN_FORCE_S)
    assert set(seen) == set(names)
    assert bridge.running


def shown(client: Client) -> str:
    """The name on the certificate that the connection was opened with."""
    return str(client.writer.get_extra_info("peercert")["subject"][0][0][1])


async def answered(client: Client) -> int:
    """Send one webhook; the status."""
    await client.send(request(PATH, orjson.dumps(webhook()), authorized()))
    return (await client.reply()).status
