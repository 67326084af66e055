"""What the API server itself says of every object that the chart renders."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.cluster.conftest import Say
from tests.cluster.kubernetes import Namespace, run
from tests.cluster.release import CHART

VALUES = sorted((CHART / "ci").glob("*.yaml"))


@pytest.fixture(scope="module")
def known(cluster: None) -> set[str]:
    """The kinds that the cluster knows."""
    lines = run("kubectl", "api-resources", "--no-headers").splitlines()
    return {line.split()[-1] for line in lines}


@pytest.fixture(scope="module")
def empty(cluster: None) -> Iterator[Namespace]:
    """A namespace in which nothing is made."""
    made = Namespace("treble-bridge-dry-run")
    yield made
    made.remove()


@pytest.mark.parametrize("values", VALUES, ids=lambda path: path.stem)
def test_the_api_server_takes_every_object(values: Path, empty: Namespace, known: set[str], say: Say) -> None:
    rendered: list[Any] = [
        one for one in yaml.safe_load_all(empty.helm("template", "tb", str(CHART), "-f", str(values))) if one
    ]
    foreign = sorted({one["kind"] for one in rendered} - known)
    if foreign:
        say(f"{values.stem}: left out, since the cluster doesn't know them: {', '.join(foreign)}")
    objects = [one for one in rendered if one["kind"] not in foreign]
    # Hooks are among the objects, too. A pod is only taken where its ServiceAccount is: those are made.
    needed = {one["spec"]["serviceAccountName"] for one in objects if one["kind"] == "Pod"} - {"default"}
    for name in needed:
        empty.apply({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name}})
    arguments = ("apply", "--dry-run=server", "--validate=strict", "--warnings-as-errors", "-f", "-")
    # As JSON: text that looks like a number would not stay text in every dialect of YAML.
    listed = {"apiVersion": "v1", "kind": "List", "items": objects}
    said = empty.kubectl(*arguments, stdin=json.dumps(listed))
    assert len(said.splitlines()) == len(objects)
