"""A changed file takes effect without dropping a request; a wrong one changes nothing, and is reported."""

import os
import signal
from pathlib import Path
from typing import Any

import aiohttp
import yaml

from tests.flow.conftest import StartInside, StartProcess
from tests.flow.running import TOKEN, BridgeInside, until

NEW_TOKEN = "flow-token-of-tomorrow"


def change(path: Path, **sections: dict[str, Any]) -> None:
    """Rewrite parts of a configuration file."""
    document = yaml.safe_load(path.read_text())
    for name, section in sections.items():
        document[name] = {**document.get(name, {}), **section}
    path.write_text(yaml.safe_dump(document))


def with_token(token: str) -> dict[str, Any]:
    """The section of one source that is opened by `token`."""
    return {"treble": {"auth": [{"bearer": [token]}]}}


async def test_sighup_puts_a_new_token_in_force_and_keeps_the_connection(
    start_process: StartProcess,
) -> None:
    bridge = start_process()
    await bridge.started()
    made: list[str] = []
    trace = aiohttp.TraceConfig()

    async def note(*_: object) -> None:
        made.append("connection")

    trace.on_connection_create_end.append(note)
    async with aiohttp.ClientSession(trace_configs=[trace]) as client:
        assert await bridge.post(client) == 200
        change(bridge.config, sources=with_token(NEW_TOKEN))
        bridge.signal(signal.SIGHUP)
        await until(lambda: bridge.log.lines("config.reloaded"), "the reload")
        assert await bridge.post(client, token=TOKEN) == 401
        assert await bridge.post(client, token=NEW_TOKEN) == 200
    assert made == ["connection"]


async def test_a_wrong_file_leaves_the_running_configuration_in_force_and_is_reported_everywhere(
    start_inside: StartInside, http: aiohttp.ClientSession
) -> None:
    bridge = await start_inside()
    change(bridge.config, sources={"treble": {"auth": [{"bearer": []}]}, "other": {"path": "/x"}})
    os.kill(os.getpid(), signal.SIGHUP)
    (refused,) = await until(lambda: bridge.log.lines("config.refused"), "the refusal")
    assert "sources.other.auth" in refused["error.message"]
    assert await bridge.post(http) == 200
    assert await bridge.metric(http, "config_reload_failed") == 1
    assert await bridge.metric(http, 'config_reloads_total{outcome="refused"}') == 1
    status, ready = await bridge.get(http, "/readyz")
    assert (status, ready["checks"]["config"]["status"]) == (200, "degraded")
    assert "sources.other.auth" in (await bridge.get(http, "/status"))[1]["config"]["error"]

    change(bridge.config, sources={"other": {"path": "/x", "auth": "none"}, **with_token(NEW_TOKEN)})
    await until(lambda: bridge.log.lines("config.reloaded"), "the reload")
    assert await bridge.post(http, token=NEW_TOKEN) == 200
    assert await bridge.metric(http, "config_reload_failed") == 0
    assert (await bridge.get(http, "/status"))[1]["config"]["error"] is None


async def test_what_needs_a_restart_is_named_and_the_rest_is_in_force(
    start_inside: StartInside, http: aiohttp.ClientSession
) -> None:
    bridge = await start_inside()
    change(bridge.config, kafka={"client_id": "another"}, sources=with_token(NEW_TOKEN))
    (line,) = await until(lambda: bridge.log.lines("config.needs_restart"), "the reload")
    assert line["keys"] == ["kafka.client_id"]
    assert (await bridge.get(http, "/status"))[1]["config"]["needs_restart"] == ["kafka.client_id"]
    assert await bridge.post(http, token=NEW_TOKEN) == 200


async def test_the_log_level_and_its_secrets_change_at_a_reload(
    start_inside: StartInside, http: aiohttp.ClientSession
) -> None:
    bridge: BridgeInside = await start_inside()
    assert await bridge.post(http) == 200
    assert not bridge.log.lines("request.answered")
    change(bridge.config, log={"level": "debug"}, sources=with_token(NEW_TOKEN))
    await until(lambda: bridge.log.lines("config.reloaded"), "the reload")
    assert await bridge.post(http, token=NEW_TOKEN) == 200
    await until(lambda: bridge.log.lines("request.answered"), "the access log")
    bridge.service.telemetry.log.warning("test.line", value=f"{TOKEN} {NEW_TOKEN}")
    (line,) = await until(lambda: bridge.log.lines("test.line"), "the line")
    assert line["value"] == "*** ***"
