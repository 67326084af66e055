"""The files of postman/: `python -m tests.postman_files` writes them, a test compares them.

Bodies are the catalogue's samples; what must be answered is checked by each request's own test, so that a run of the
collection is a check of a bridge. `run` is new in each run: whoever runs it twice gets new events, not duplicates.
"""

import json
import re
import uuid
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from bridge.catalogue import TABLE
from bridge.catalogue.samples import Wish, conversation, hint_for, sample
from bridge.ingress.responses import PROBLEM_PREFIX

FOLDER: Final = Path(__file__).parent.parent / "postman"
COLLECTION: Final = "treble-bridge.postman_collection.json"

_SCHEMA: Final = "https://schema.getpostman.com/json/collection/v2.1.0/collection.json"
_IDS: Final = uuid.uuid5(uuid.NAMESPACE_URL, "urn:treble-bridge:postman")
_NEW_RUN: Final = (
    "if (!pm.collectionVariables.get('run')) {",
    "    pm.collectionVariables.set('run', pm.variables.replaceIn('{{$randomUUID}}'));",
    "}",
)
_ABOUT: Final = (
    "Webhooks as Treble sends them, and what treble-bridge must answer. Choose an environment, set `token` in it, run."
)
_ENVIRONMENTS: Final[Mapping[str, tuple[str, str, str]]] = MappingProxyType(
    {
        "local": ("treble-bridge on this machine", "http://localhost:8080", ""),
        "demo": ("treble-bridge demo --serve --port 8080", "http://localhost:8080", "printed by the demo"),
        "production": ("treble-bridge behind HTTPS", "https://treble.example.com", ""),
    }
)


def collection() -> dict[str, Any]:
    """The collection, in Postman's format 2.1."""
    return {
        "info": {
            "_postman_id": str(_IDS),
            "name": "treble-bridge",
            "description": _ABOUT,
            "schema": _SCHEMA,
        },
        "auth": {"type": "bearer", "bearer": [{"key": "token", "value": "{{token}}", "type": "string"}]},
        "event": [_script("prerequest", _NEW_RUN)],
        "variable": [{"key": "run", "value": ""}],
        "item": [
            {"name": "Each type", "item": list(_each_type())},
            {"name": "A conversation", "item": list(_conversation())},
            {"name": "Duplicates", "item": list(_duplicates())},
            {"name": "Errors", "item": list(_errors())},
        ],
    }


def environment(name: str) -> dict[str, Any]:
    """One environment: where the bridge is, and the token."""
    title, url, token = _ENVIRONMENTS[name]
    values = {"url": url, "path": "/webhooks/treble", "token": token, "api_key": token}
    kinds = {"token": "secret", "api_key": "secret"}
    return {
        "id": str(uuid.uuid5(_IDS, name)),
        "name": title,
        "values": [
            {"key": key, "value": value, "type": kinds.get(key, "default"), "enabled": True}
            for key, value in values.items()
        ],
        "_postman_variable_scope": "environment",
    }


def files() -> dict[str, str]:
    """Name → text of every file."""
    made = {COLLECTION: collection()}
    made |= {f"{name}.postman_environment.json": environment(name) for name in _ENVIRONMENTS}
    return {name: json.dumps(value, indent=2, ensure_ascii=False) + "\n" for name, value in made.items()}


def _each_type() -> Iterator[dict[str, Any]]:
    for event_type, row in TABLE.items():
        for variant in row.samples:
            body = sample(event_type, variant=variant, session_id="{{run}}", event_id=f"{{{{run}}}}-{_slug(variant)}")
            yield _request(f"{event_type}: {variant}", hint_for(event_type), _pretty(body))


def _conversation() -> Iterator[dict[str, Any]]:
    wish = Wish(("message.read",), 1, 7, session="{{run}}-conversation")
    for number, posting in enumerate(conversation(wish), 1):
        body = {**json.loads(posting.body)}
        if "event_id" in body:
            body["event_id"] = "{{run}}-conversation"
        yield _request(f"{number}. {posting.event_type}", posting.hint, _pretty(body))


def _duplicates() -> Iterator[dict[str, Any]]:
    body = _pretty(sample("message.read", session_id="{{run}}-twice"))
    yield _request("message.read", "read", body)
    yield _request("the same once more: 200, and no second event", "read", body)


def _errors() -> Iterator[dict[str, Any]]:
    body = _pretty(sample("message.read", session_id="{{run}}-errors"))
    nobody = {"auth": {"type": "noauth"}}
    wrong = {"auth": {"type": "bearer", "bearer": [{"key": "token", "value": "wrong", "type": "string"}]}}
    # The demo wants both of its headers; without the right token, the other one must not be enough.
    yield _request("no credentials: 401", "read", body, 401, "unauthorized", **nobody)
    yield _request("a wrong token: 401", "read", body, 401, "unauthorized", **wrong)
    yield _request("cut off: 400, and kept for the quarantine", "read", body[: len(body) // 2], 400, "not-json")
    yield _request("no body: 400, and kept", "read", "", 400, "not-json")
    yield _request("JSON, but no webhook: 200, and in the quarantine", "", '["nobody", "knows"]')
    yield _request("an unknown last part of the URL: 200", "raed", body)
    yield _request("another path: 404", "read/again", body, 404, "not-found")
    yield _request("not POST: 405", "read", None, 405, "method-not-allowed")


def _request(
    name: str, hint: str, body: str | None, status: int = 200, problem: str = "", **more: Any
) -> dict[str, Any]:
    headers = [{"key": "Content-Type", "value": "application/json"}] if body is not None else []
    request: dict[str, Any] = {
        "method": "GET" if body is None else "POST",
        "header": [*headers, {"key": "X-API-Key", "value": "{{api_key}}"}],
        "url": "{{url}}{{path}}" + (f"/{hint}" if hint else ""),
        **more,
    }
    if body is not None:
        request["body"] = {"mode": "raw", "raw": body, "options": {"raw": {"language": "json"}}}
    return {"name": name, "event": [_script("test", _checks(status, problem))], "request": request, "response": []}


def _checks(status: int, problem: str) -> Iterator[str]:
    yield f"pm.test('answers {status}', () => pm.response.to.have.status({status}));"
    if problem:
        yield "pm.test('says what it is', () => {"
        yield "    pm.expect(pm.response.headers.get('Content-Type')).to.equal('application/problem+json');"
        yield f"    pm.expect(pm.response.json().type).to.equal('{PROBLEM_PREFIX}{problem}');"
        yield "});"
    else:
        yield "pm.test('answers in time', () => pm.expect(pm.response.responseTime).to.be.below(5000));"
        yield "pm.test('answers an object', () => pm.expect(pm.response.json()).to.be.an('object'));"


def _script(listen: str, lines: Iterable[str]) -> dict[str, Any]:
    return {"listen": listen, "script": {"type": "text/javascript", "exec": list(lines)}}


def _pretty(body: Mapping[str, Any]) -> str:
    return json.dumps(body, indent=2, ensure_ascii=False)


def _slug(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")


def main() -> None:
    """Write every file."""
    FOLDER.mkdir(exist_ok=True)
    for name, text in files().items():
        (FOLDER / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
