"""Helm as a function: values in, objects out."""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, Final, NoReturn

import pytest
import yaml

ROOT: Final = Path(__file__).parent.parent.parent
CHART: Final = ROOT / "helm" / "treble-bridge"
CI: Final = {path.name.removesuffix("-values.yaml"): path for path in sorted((CHART / "ci").glob("*-values.yaml"))}
"""Name → values file; `chart-testing` looks for them there, too."""

KUBE_VERSION: Final = "1.35.0"
REQUIRE: Final = "REQUIRE_TOOLCHAINS"
RUN_S_MAX: Final = 60

every_values_file = pytest.mark.parametrize("name", CI)

Object = Mapping[str, Any]


class RefusedError(AssertionError):
    """Helm rendered nothing; the text is what it says to its user."""


def tool(name: str) -> str:
    """The path of a program. Without it: skipped, or failed where it is required."""
    found = shutil.which(name)
    return found if found is not None else left_out(f"no {name} on PATH")


def left_out(reason: str) -> NoReturn:
    """Skip what can't be tested here, or fail where it must be."""
    reason = f"LEFT OUT, the chart: {reason}"
    if os.environ.get(REQUIRE):
        pytest.fail(f"{reason}, and {REQUIRE} is set", pytrace=False)
    pytest.skip(reason)


def helm(*arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    """One call of Helm, which must end by itself."""
    return subprocess.run(
        [tool("helm"), *arguments], input=stdin, capture_output=True, text=True, timeout=RUN_S_MAX, check=False
    )


@lru_cache(maxsize=64)
def template(
    name: str,
    overrides: str = "",
    *,
    kube_version: str = KUBE_VERSION,
    release: str = "tb",
    namespace: str = "bridges",
    chart: Path = CHART,
) -> str:
    """The rendered text of a values file of ci/ ("": of none), with `overrides` as YAML on top.

    RefusedError with Helm's message.
    """
    done = helm(
        *("template", release, str(chart), "--namespace", namespace, "--kube-version", kube_version),
        *(("--values", str(CI[name])) if name else ()),
        *("--values", "-"),
        stdin=overrides,
    )
    if done.returncode != 0:
        raise RefusedError(done.stderr)
    return done.stdout


def template_on(kubeconfig: Path, name: str, overrides: str = "", *, release: str = "tb", chart: Path = CHART) -> str:
    """The same on a cluster, in which `lookup` finds what is there."""
    done = helm(
        *("template", release, str(chart), "--namespace", "bridges", "--dry-run=server"),
        *("--kubeconfig", str(kubeconfig), *(("--values", str(CI[name])) if name else ()), "--values", "-"),
        stdin=overrides,
    )
    if done.returncode != 0:
        raise RefusedError(done.stderr)
    return done.stdout


@lru_cache(maxsize=64)
def objects(name: str, overrides: str = "") -> list[Object]:
    """The rendered objects, in Helm's order. They are shared: look, and change nothing."""
    return parsed(template(name, overrides))


def parsed(text: str) -> list[Object]:
    """The objects of a rendered text."""
    return [document for document in yaml.load_all(text, yaml.CSafeLoader) if document]


def of_kind(kind: str, name: str, overrides: str = "") -> list[Object]:
    """The rendered objects of one kind."""
    return [document for document in objects(name, overrides) if document["kind"] == kind]


def only(kind: str, name: str, overrides: str = "") -> Object:
    """The rendered object of a kind that there is one of."""
    (found,) = of_kind(kind, name, overrides)
    return found


def refusal(name: str, overrides: str) -> str:
    """What Helm says instead of rendering."""
    with pytest.raises(RefusedError) as caught:
        template(name, overrides)
    return re.sub(r"\s+", " ", str(caught.value))


def bridge_of(name: str, overrides: str = "") -> dict[str, Any]:
    """The bridge's container."""
    (found,) = (
        each
        for each in only("StatefulSet", name, overrides)["spec"]["template"]["spec"]["containers"]
        if each["name"] == "bridge"
    )
    assert isinstance(found, dict)
    return found


def grace_s(overrides: str = "", name: str = "minimal") -> int:
    """How long a pod of the bridge may take to end."""
    spec = only("StatefulSet", name, overrides)["spec"]["template"]["spec"]
    return int(spec["terminationGracePeriodSeconds"])


OTHERS_KINDS: Final = ("BackendTLSPolicy", "Certificate", "ExternalSecret", "HTTPRoute")
"""Of projects whose schemas are not at hand; an API server that has them judges in tests/cluster."""


def kubernetes_knows(text: str) -> str:
    """Hold every field of what is rendered against Kubernetes' schemas; returns the summary."""
    schemas = os.environ.get("K8S_SCHEMAS")
    if schemas is None:  # even where toolchains are required: the schemas are not to be had from a package registry
        pytest.skip("LEFT OUT, the chart: K8S_SCHEMAS names no folder with kubeconform's schemas")
    location = f"{schemas}/{{{{.ResourceKind}}}}{{{{.KindSuffix}}}}.json"
    done = subprocess.run(
        [
            *(tool("kubeconform"), "-strict", "-summary", "-schema-location", location),
            *("-skip", ",".join(OTHERS_KINDS)),
        ],
        input=text,
        capture_output=True,
        text=True,
        timeout=RUN_S_MAX,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def pods(documents: list[Object]) -> Iterator[tuple[str, dict[str, Any], dict[str, Any]]]:
    """Each pod that the objects make: where it comes from, its labels, its spec."""
    for document in documents:
        where = f"{document['kind']} {document['metadata']['name']}"
        if document["kind"] == "Pod":
            yield where, document["metadata"]["labels"], document["spec"]
        elif document["kind"] in {"StatefulSet", "Job"}:
            inner = document["spec"]["template"]
            yield where, inner["metadata"]["labels"], inner["spec"]
