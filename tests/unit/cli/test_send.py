"""`send` against a server that records what comes."""

import asyncio
import datetime as dt
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from click.testing import CliRunner, Result

from bridge.catalogue import TABLE, classify
from bridge.cli import cli
from bridge.cli.send import Summary
from bridge.errors import ExitCode

Invoke = Callable[..., Awaitable[Result]]


class Server:
    """Answers what it is told to, and remembers each request."""

    def __init__(self) -> None:
        self.url = ""
        self.status = 200
        self.seen: list[tuple[str, dict[str, str], Any]] = []

    async def handle(self, request: web.Request) -> web.Response:
        self.seen.append((request.path_qs, dict(request.headers), await request.json()))
        return web.json_response({}, status=self.status)


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    recorder = Server()
    app = web.Application()
    app.router.add_post("/{path:.*}", recorder.handle)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    recorder.url = "http://{}:{}".format(*runner.addresses[0][:2])
    yield recorder
    await runner.cleanup()


async def send(*arguments: str) -> Result:
    return await asyncio.to_thread(CliRunner().invoke, cli, ["send", *arguments])


@pytest.mark.parametrize(
    ("text", "sent"),
    [("99999999999999999999", 1e20), ("-1e400", "-1e400"), ("[" * 5000, "[" * 5000)],
    ids=["large", "beyond a double", "deep"],
)
async def test_a_field_may_be_set_to_anything(server: Server, text: str, sent: object) -> None:
    result = await send("--url", f"{server.url}/hook", "--set", f"n={text}")
    assert result.exit_code == 0, result.output
    assert server.seen[0][2]["n"] == sent


async def test_one_webhook_is_posted_as_treble_would_and_its_answer_shown(server: Server) -> None:
    result = await send("--url", f"{server.url}/hook/", "--type", "message.responded", "--session", "s1",
                        "--header", "X-API-Key: k", "--set", "session.n=5", "--set", "note=text")  # fmt: skip
    assert result.exit_code == 0, result.output
    ((path, headers, body),) = server.seen
    assert path == "/hook/response"
    assert headers["Content-Type"] == "application/json"
    assert headers["X-API-Key"] == "k"
    assert classify(body, "").event_type == "message.responded"
    assert body["session"]["n"] == 5
    assert body["note"] == "text"
    assert result.stdout.startswith("200 in ")
    assert "message.responded  session s1" in result.stdout


async def test_all_types_take_turns_and_the_same_seed_sends_the_same(server: Server) -> None:
    known = len(TABLE) - ("unknown" in TABLE)
    for _ in range(2):
        result = await send("--url", server.url, "--type", "all", "--count", str(known), "--seed", "7", "--json")
        assert result.exit_code == 0, result.output
    first, second = server.seen[:known], server.seen[known:]
    assert [body for _, _, body in first] == [body for _, _, body in second]
    lines = [json.loads(line) for line in result.stdout.splitlines()]
    assert len({line["type"] for line in lines[:-1]}) == known
    assert all(line["status"] == 200 and line["ms"] > 0 for line in lines[:-1])
    assert lines[-1]["answers"] == {"200": known}


async def test_a_stream_keeps_its_rate_and_is_summed_up(server: Server) -> None:
    loop = asyncio.get_running_loop()
    started = loop.time()
    result = await send("--url", server.url, "--count", "60", "--rate", "200/s", "--json")
    assert loop.time() - started >= 59 / 200
    assert result.exit_code == 0, result.output
    (summary,) = [json.loads(line) for line in result.stdout.splitlines()]
    assert (summary["sent"], summary["answers"]) == (60, {"200": 60})
    assert summary["ms"]["p50"] <= summary["ms"]["p99"] <= summary["ms"]["max"]
    assert len({json.dumps(body) for _, _, body in server.seen}) == 60


async def test_an_answer_that_is_not_200_and_none_at_all_have_exit_codes_of_their_own(server: Server) -> None:
    server.status = 503
    result = await send("--url", server.url)
    assert result.exit_code == ExitCode.MISMATCH
    assert result.stdout.startswith("503 in ")
    result = await send("--url", "http://127.0.0.1:1/hook")
    assert result.exit_code == ExitCode.UNREACHABLE
    assert "no connection" in result.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ["--url", "localhost:8080"],
        ["--url", "http://h/x?token=1"],
        [],
        ["--url", "http://h", "--type", "message.fled"],
        ["--url", "http://h", "--header", "no colon"],
        ["--url", "http://h", "--set", "novalue"],
        ["--url", "http://h", "--rate", "fast"],
    ],
)
async def test_wrong_options_are_usage_errors_and_nothing_is_sent(arguments: list[str]) -> None:
    result = await send(*arguments)
    assert result.exit_code == ExitCode.USAGE, result.output


async def test_the_credentials_of_the_configuration_are_sent_and_never_printed(server: Server, tmp_path: Path) -> None:
    file = tmp_path / "bridge.yaml"
    file.write_text(f"""
server: {{listen: "{server.url.removeprefix("http://")}"}}
kafka: {{bootstrap_servers: ["k:1"]}}
sources: {{treble: {{auth: [{{bearer: t0ken-value, query: {{name: q, value: qu3ry-value}}}}]}}}}
""")
    result = await send("--config", str(file))
    assert result.exit_code == 0, result.output
    ((path, headers, _),) = server.seen
    assert path == "/webhooks/treble/read?q=qu3ry-value"
    assert headers["Authorization"] == "Bearer t0ken-value"
    assert "-value" not in result.output


async def test_a_bridge_on_another_host_gets_what_its_configuration_asks_for(server: Server, tmp_path: Path) -> None:
    file = tmp_path / "bridge.yaml"
    file.write_text("{kafka: {bootstrap_servers: ['k:1']}, sources: {crm: {path: /hook, auth: [{bearer: t0ken}]}}}")
    result = await send("--config", str(file), "--address", server.url.removeprefix("http://"))
    assert result.exit_code == 0, result.output
    ((path, headers, _),) = server.seen
    assert (path, headers["Authorization"]) == ("/hook/read", "Bearer t0ken")
    refused = await send("--config", str(file), "--address", "nowhere")
    assert refused.exit_code == ExitCode.USAGE
    assert "expected host:port" in refused.output


async def test_times_are_of_now_and_in_the_past_unless_a_seed_asks_for_the_same_bodies_again(server: Server) -> None:
    for arguments in (["--type", "all", "--count", "9"], ["--scenario", "conversation"], ["--scenario", "campaign"]):
        server.seen.clear()
        assert (await send("--url", server.url, *arguments)).exit_code == 0
        now = dt.datetime.now(dt.UTC)
        times = {
            dt.datetime.fromisoformat(text).replace(tzinfo=dt.UTC)
            for _, _, body in server.seen
            for name, text in body.items()
            if name.endswith("_at") or name == "timestamp"
        }
        assert times
        assert all(now - dt.timedelta(minutes=5) < moment < now for moment in times), arguments


async def test_a_session_is_shown_only_of_a_webhook_that_has_one(server: Server) -> None:
    for event_type, has_one in (("message.read", True), ("hsm.status_changed", False), ("deployment.failed", False)):
        arguments = ("--url", server.url, "--type", event_type, "--session", "s1")
        assert ("session" in (await send(*arguments)).stdout) == has_one
        assert json.loads((await send(*arguments, "--json")).stdout)["session"] == ("s1" if has_one else None)


def test_quantiles_of_nothing_are_nothing() -> None:
    assert Summary().quantile_ms(0.5) is None
