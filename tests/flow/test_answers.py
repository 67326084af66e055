"""The answers of the ingress on the whole service, and what each leaves behind."""

import aiohttp
import pytest

from tests.fakes.sink import ScriptedSink
from tests.flow.conftest import StartInside
from tests.flow.running import PATH, authorized

GOOD = b'{"session_id": "s", "read_at": "2026-06-22 15:19:08"}'


@pytest.mark.parametrize(
    ("method", "path", "token", "body", "status", "topics"),
    [
        ("POST", PATH, None, GOOD, 200, ["treble.message.read"]),
        ("POST", "/webhooks/treble", None, GOOD, 200, ["treble.message.read"]),
        ("POST", "/webhooks/treble/misspelt", None, GOOD, 200, ["treble.message.read"]),
        ("POST", PATH, None, b"{broken", 400, ["treble.quarantine"]),
        ("POST", PATH, None, b'"text"', 200, ["treble.quarantine"]),
        ("POST", PATH, "wrong-token", GOOD, 401, []),
        ("POST", "/elsewhere", None, GOOD, 404, []),
        ("GET", PATH, None, None, 405, []),
        ("POST", PATH, None, b"x" * 70_000, 413, []),
    ],
)
async def test_each_answer_and_what_it_leaves(  # noqa: PLR0917 - a row of the table
    start_inside: StartInside,
    http: aiohttp.ClientSession,
    method: str,
    path: str,
    token: str | None,
    body: bytes | None,
    status: int,
    topics: list[str],
) -> None:
    sink = ScriptedSink()
    bridge = await start_inside(sink=sink, server={"max_body": "64KiB"})
    headers = authorized() if token is None else authorized(token)
    async with http.request(method, bridge.url + path, data=body, headers=headers) as answer:
        assert answer.status == status
        if status == 200:
            assert answer.content_type == "application/json"
            assert await answer.json() == {}
        else:
            assert answer.content_type == "application/problem+json"
            assert (await answer.json())["status"] == status
    await bridge.all_forwarded(http)
    assert [record.topic for record in sink.taken] == topics


async def test_a_type_may_have_an_answer_of_its_own(start_inside: StartInside, http: aiohttp.ClientSession) -> None:
    keys = {"user_session_keys": [{"key": "seen", "value": "yes"}]}
    source = {"auth": "none", "responses": {"message.responded": keys}}
    bridge = await start_inside(sink=ScriptedSink(), sources={"treble": source})
    body = {"session_id": "s", "responded_at": "2026-06-22 15:19:08", "actual_response": "yes"}
    async with http.post(f"{bridge.url}/webhooks/treble/response", json=body) as answer:
        assert await answer.json() == keys
    async with http.post(bridge.url + PATH, data=GOOD) as answer:
        assert await answer.json() == {}
