"""A changed file takes effect without dropping a request; a wrong one changes nothing, and is reported."""

import os
import signal
from pathlib import Path
from typing import Any

import aiohttp
import yaml

from tests.fakes.sink import ScriptedSink
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


async def test_sighup_without_a_change_says_that_nothing_changed(start_inside: StartInside) -> None:
    bridge = await start_inside()
    os.kill(os.getpid(), signal.SIGHUP)
    (line,) = await until(lambda: bridge.log.lines("config.unchanged"), "a line")
    assert line["log.level"] == "info"
    assert not bridge.log.lines("config.reloaded")


async def test_a_wrong_file_leaves_the_running_configuration_in_force_and_is_reported_everywhere(
    start_inside: StartInside, http: aiohttp.ClientSession
) -> None:
    bridge = await start_inside()
    change(bridge.config, sources={"treble": {"auth": [{"bearer": []}]}, "other": {"path": "/x"}})
    os.kill(os.getpid(), signal.SIGHUP)
    (refused,) = await until(lambda: bridge.log.lines("config.refused"), "the refusal")
    assert "sources.other.auth" in refused["error.message"]
    assert len(refused["problems"]) == 2
    assert all(problem.startswith(f"{bridge.config}:") and "\n" not in problem for problem in refused["problems"])
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


async def test_a_source_that_is_renamed_while_its_webhooks_wait_does_not_shift_their_times(
    start_inside: StartInside, http: aiohttp.ClientSession
) -> None:
    auth = [{"bearer": [TOKEN]}]
    source = {"auth": auth, "path": "/webhooks/treble", "timezone": "America/Bogota"}
    sink = ScriptedSink(up=False)
    bridge = await start_inside(sink=sink, sources={"treble": source}, kafka={"backoff": "20ms", "backoff_max": "20ms"})
    assert await bridge.post(http) == 200
    document = yaml.safe_load(bridge.config.read_text())
    document["sources"] = {"colombia": {**source, "timezone": "UTC"}}
    bridge.config.write_text(yaml.safe_dump(document))
    os.kill(os.getpid(), signal.SIGHUP)
    await until(lambda: bridge.log.lines("config.reloaded"), "the reload")
    sink.up = True
    await bridge.all_forwarded(http)
    (record,) = sink.taken
    assert dict(record.headers)["ce_time"] == b"2026-06-22T20:19:08.000000Z"
    assert dict(record.headers)["ce_source"] == b"/treble/treble"
