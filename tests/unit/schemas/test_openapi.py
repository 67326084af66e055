"""The OpenAPI document is written by hand: it must say what the ingress answers, and where it takes what."""

from types import MappingProxyType
from typing import Any, Final

import orjson
import pytest

from bridge import schemas
from bridge.catalogue import HINTS, TABLE
from bridge.catalogue.samples import sample
from bridge.ingress import responses
from bridge.version import VERSION

DOCUMENT: Final[dict[str, Any]] = orjson.loads(schemas.text(schemas.OPENAPI))
BASE: Final = "/webhooks/treble"
OF_NO_PATH: Final = {404, 405}
"""Statuses that no configured path answers a POST with."""
HEADERS: Final = MappingProxyType({401: "WWW-Authenticate", 405: "Allow", 429: "Retry-After", 503: "Retry-After"})


def answers() -> list[tuple[int, str, dict[str, str]]]:
    """Every problem that the ingress can tell: status, type, headers."""
    tables = [value for value in vars(responses).values() if isinstance(value, type(responses.NOT_JSON))]
    made = [*tables, responses.unauthorized("Bearer"), responses.rate_limited(1)]
    return [(one.status, orjson.loads(one.body)["type"], dict(one.headers)) for one in made if one.status != 200]


def named(status: str) -> dict[str, Any]:
    """The response that the document's operations call by this status."""
    (found,) = {
        operation["post"]["responses"][status]["$ref"].rpartition("/")[2]
        for operation in DOCUMENT["paths"].values()
        if status in operation["post"]["responses"]
    }
    response: dict[str, Any] = DOCUMENT["components"]["responses"][found]
    return response


def narrowed(response: dict[str, Any]) -> dict[str, Any]:
    """What a response says of its problem beyond the schema of all."""
    _, schema = response["content"]["application/problem+json"]["schema"]["allOf"]
    found: dict[str, Any] = schema
    return found


def told(schema: dict[str, Any]) -> tuple[set[int], set[str]]:
    return set(schema["properties"]["status"]["enum"]), set(schema["properties"]["type"]["enum"])


def test_it_knows_every_status_and_every_type_of_problem() -> None:
    statuses, types = told(DOCUMENT["components"]["schemas"]["Problem"])
    assert statuses == {status for status, _, _ in answers()}
    assert types == {problem for _, problem, _ in answers()}


def test_each_response_has_the_types_and_headers_of_its_status() -> None:
    found = {}
    for response in DOCUMENT["components"]["responses"].values():
        (schema,) = (
            part for part in response["content"]["application/problem+json"]["schema"]["allOf"] if "type" in part
        )
        (status,), types = told(schema)
        found[status] = types
        assert set(response.get("headers", {})) == ({HEADERS[status]} if status in HEADERS else set())
    assert found == {status: {kind for one, kind, _ in answers() if one == status} for status, _, _ in answers()}
    for status, _, headers in answers():
        assert status not in HEADERS or HEADERS[status] in headers


@pytest.mark.parametrize("path", DOCUMENT["paths"])
def test_a_path_answers_with_every_status_but_those_of_other_paths(path: str) -> None:
    statuses = {status for status, _, _ in answers()} - OF_NO_PATH
    assert DOCUMENT["paths"][path]["post"]["responses"].keys() == {"200", *(str(status) for status in statuses)}
    for status in statuses:
        assert told(narrowed(named(str(status))))[0] == {status}


def test_its_paths_are_those_of_a_source_with_every_hint() -> None:
    assert DOCUMENT["paths"].keys() == {BASE, f"{BASE}/{{hint}}", *(f"{BASE}/{hint}" for hint in HINTS)}


@pytest.mark.parametrize("name", TABLE)
def test_its_examples_are_the_catalogue_s_samples(name: str) -> None:
    for hint in TABLE[name].hints:
        media = DOCUMENT["paths"][f"{BASE}/{hint}"]["post"]["requestBody"]["content"]["application/json"]
        assert {example["summary"]: example["value"] for example in media["examples"].values()} == {
            variant: sample(name, variant=variant) for variant in TABLE[name].samples
        }
    for path in (BASE, f"{BASE}/{{hint}}"):
        media = DOCUMENT["paths"][path]["post"]["requestBody"]["content"]["application/json"]
        assert media["examples"][name]["value"] == sample(name)


def test_it_is_of_this_version() -> None:
    assert DOCUMENT["info"]["version"] == VERSION
