"""The OpenAPI 3.1 document of the ingress: `python -m bridge.schemas.openapi` writes the one that is shipped.

Made from what the ingress answers (`answers`), what it listens to (the configuration's sources) and the catalogue's
samples. The shipped document is that of the smallest configuration; `treble-bridge schemas openapi --config` prints the
one of a configuration, in which no secret stands: only where each belongs.

A body may be any JSON: what is authentic is never refused for its content, so its schema allows everything, and the
examples show what Treble sends.
"""

import json
import re
from collections.abc import Iterator, Mapping
from http import HTTPStatus
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

import orjson

from bridge.catalogue import TABLE
from bridge.catalogue.samples import sample
from bridge.ingress import responses
from bridge.ingress.responses import Response
from bridge.settings.models import Alternative, HeaderCredential, Settings, Source
from bridge.version import VERSION

FILE: Final = Path(__file__).parent / "openapi.json"

PROBLEMS: Final[Mapping[str, tuple[Response, ...]]] = MappingProxyType(
    {
        "400": (responses.NOT_JSON, responses.MALFORMED),
        "401": (responses.unauthorized("Bearer"),),
        "404": (responses.NOT_FOUND,),
        "405": (responses.METHOD_NOT_ALLOWED,),
        "408": (responses.TIMED_OUT,),
        "413": (responses.TOO_LARGE,),
        "429": (responses.rate_limited(1),),
        "503": (responses.UNCONFIRMED,),
    }
)
"""Status → the problems that are told with it."""

_WHEN: Final[Mapping[str, str]] = MappingProxyType(
    {
        "400": "The body is not JSON in UTF-8 (it was kept all the same, for the quarantine); or it is not valid HTTP.",
        "401": "No credentials, or wrong ones. Nothing was kept.",
        "404": "No source has this path. A configured path never answers so, whatever hint follows it.",
        "405": "Webhooks are sent with POST.",
        "408": "The body did not arrive in time.",
        "413": "The body is larger than `server.max_body`.",
        "429": "Above the source's rate limit.",
        "503": "It can't be put on stable storage now, or was not in time.",
    }
)
_OF_A_PATH: Final = tuple(status for status in PROBLEMS if status not in {"404", "405"})
_SHOWN_HEADERS: Final = ("WWW-Authenticate", "Allow", "Retry-After")
_ACCEPTED: Final = {
    "description": "It is on stable storage.",
    "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Accepted"}}},
}


def document(settings: Settings) -> dict[str, Any]:
    """The document of a configuration's ingress, as a JSON value."""
    schemes: dict[str, Any] = {}
    paths: dict[str, Any] = {}
    for name, source in settings.sources.items():
        paths |= _paths(name, source, schemes)
    scheme = "https" if settings.server.tls else "http"
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "treble-bridge",
            "summary": "Takes Treble.ai webhooks and forwards each as one event to Kafka.",
            "version": VERSION,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [
            {
                "url": f"{scheme}://{{host}}",
                "variables": {"host": {"default": f"localhost:{settings.server.listen.port}"}},
            }
        ],
        "paths": paths,
        "components": {
            "responses": {_response_name(status): _response(status) for status in PROBLEMS},
            "schemas": {
                "Accepted": {
                    "type": "object",
                    "description": "What Treble merges into the conversation; empty: nothing.",
                    "properties": {"user_session_keys": {"type": "array", "items": {"type": "object"}}},
                },
                "Problem": _problem([one for told in PROBLEMS.values() for one in told]),
            },
            "securitySchemes": schemes,
        },
    }


def shipped() -> dict[str, Any]:
    """The document that comes with the package: that of the smallest configuration."""
    smallest = {"treble": {"auth": [{"bearer": "not in the document"}]}}
    return document(Settings.model_validate({"kafka": {"bootstrap_servers": ["localhost:9092"]}, "sources": smallest}))


def text(value: Mapping[str, Any]) -> str:
    """The document as the text of a file."""
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"


def _paths(name: str, source: Source, schemes: dict[str, Any]) -> dict[str, Any]:
    ways = () if source.auth == "none" else source.auth
    plain = [way for way in ways if way.path_secret is None]
    secret = [way for way in ways if way.path_secret is not None]
    made: dict[str, Any] = {}
    for base, alternatives in ((source.path_of(name), plain), (source.path_of(name) + "/{secret}", secret)):
        if not alternatives and source.auth != "none":
            continue
        if source.auth == "none" and base.endswith("/{secret}"):
            continue
        security = [_requirement(name, way, schemes) for way in alternatives]
        for path, operation in _operations(name, base):
            item: dict[str, Any] = {"post": {**operation, "security": security}}
            if "{secret}" in base:
                secret_parameter = {"name": "secret", "in": "path", "required": True, "schema": {"type": "string"}}
                item["parameters"] = [secret_parameter]
            made[path] = item
    return made


def _operations(source: str, base: str) -> Iterator[tuple[str, dict[str, Any]]]:
    prefix = f"{source}-secret" if base.endswith("/{secret}") else source
    for event_type, row in TABLE.items():
        for hint in row.hints:
            about = f"{row.fires} {row.configured}"
            yield f"{base}/{hint}", _operation(source, f"{prefix}-{hint}", event_type, about, _examples(event_type))
    every = {name: {"summary": name, "value": sample(name)} for name in TABLE}
    about = "Without a hint the body alone says what it is."
    yield base, _operation(source, prefix, "Any webhook", about, every)
    about = "Any other hint is taken too; then the body alone says what it is."
    other = _operation(source, f"{prefix}-other", "Any webhook, with a hint of one's own", about, every)
    named = {"name": "hint", "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}}
    yield f"{base}/{{hint}}", {**other, "parameters": [named]}


def _operation(source: str, name: str, title: str, about: str, examples: dict[str, Any]) -> dict[str, Any]:
    return {
        "operationId": re.sub(r"[^A-Za-z0-9]+", "_", name),
        "tags": [source],
        "summary": title,
        "description": about,
        "requestBody": {"required": True, "content": {"application/json": {"schema": {}, "examples": examples}}},
        "responses": {
            "200": _ACCEPTED,
            **{status: {"$ref": f"#/components/responses/{_response_name(status)}"} for status in _OF_A_PATH},
        },
    }


def _examples(event_type: str) -> dict[str, Any]:
    shapes = TABLE[event_type].samples
    return {
        re.sub(r"[^A-Za-z0-9._-]", "-", name): {"summary": name, "value": sample(event_type, variant=name)}
        for name in shapes
    }


def _requirement(source: str, way: Alternative, schemes: dict[str, Any]) -> dict[str, list[str]]:
    """What an alternative demands; its schemes go into `schemes`. An address or a path's segment is no scheme."""
    wanted: dict[str, list[str]] = {}

    def want(kind: str, scheme: dict[str, str]) -> None:
        key = re.sub(r"[^A-Za-z0-9._-]", "_", f"{source}.{kind}")
        schemes[key] = scheme
        wanted[key] = []

    if way.bearer is not None:
        want("bearer", {"type": "http", "scheme": "bearer"})
    if way.basic is not None:
        want("basic", {"type": "http", "scheme": "basic"})
    headers = (way.header,) if isinstance(way.header, HeaderCredential) else way.header or ()
    for header in headers:
        want(f"header.{header.name}", {"type": "apiKey", "in": "header", "name": header.name})
    if way.query is not None:
        want(f"query.{way.query.name}", {"type": "apiKey", "in": "query", "name": way.query.name})
    if way.hmac is not None:
        about = f"HMAC-{way.hmac.algorithm.upper()} of the body, in {way.hmac.encoding}"
        want("hmac", {"type": "apiKey", "in": "header", "name": way.hmac.header, "description": about})
    return wanted


def _response_name(status: str) -> str:
    return HTTPStatus(int(status)).phrase.replace(" ", "")


def _response(status: str) -> dict[str, Any]:
    told = PROBLEMS[status]
    names = [name for name, _ in told[0].headers if name in _SHOWN_HEADERS]
    kind = "integer" if "Retry-After" in names else "string"
    schema = {"allOf": [{"$ref": "#/components/schemas/Problem"}, _problem(told)]}
    made: dict[str, Any] = {
        "description": _WHEN[status],
        "content": {"application/problem+json": {"schema": schema}},
    }
    if names:
        made["headers"] = {name: {"required": True, "schema": {"type": kind}} for name in names}
    return made


def _problem(told: "list[Response] | tuple[Response, ...]") -> dict[str, Any]:
    bodies = [orjson.loads(one.body) for one in told]
    return {
        "type": "object",
        "required": ["type", "title", "status"],
        "properties": {
            "type": {"enum": sorted({body["type"] for body in bodies})},
            "title": {"type": "string"},
            "status": {"enum": sorted({body["status"] for body in bodies})},
        },
        "additionalProperties": False,
    }


def main() -> None:
    """Write the shipped document into the package."""
    FILE.write_text(text(shipped()), encoding="utf-8")


if __name__ == "__main__":
    main()
