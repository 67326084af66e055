"""What is in the image, and what is said about it."""

import json
from pathlib import Path
from typing import Any

import pytest

from bridge.version import VERSION as PROGRAM_VERSION
from tests.container.building import BASE_IMAGE, CREATED, REVISION, VERSION, build, copy_context
from tests.container.engine import SESSION, DockerError, docker, inspect

pytestmark = pytest.mark.timeout(600)  # the first one waits for the build

BYTES_ON_TOP_OF_THE_BASE_MAX = 70_000_000


def in_image(image: str, script: str) -> str:
    """What a shell script prints in a container as hardened as can be, as the image's user."""
    options = ("--rm", "--read-only", "--cap-drop", "ALL", "--network", "none", "--entrypoint", "sh")
    return docker("run", *options, image, "-c", script)


def base() -> Any:
    """`docker inspect` of the base. A build uses it without putting it where that looks."""
    try:
        return inspect("image", BASE_IMAGE)
    except DockerError as error:
        pytest.fail(f"the base is not in Docker's store; get it there with `docker pull {BASE_IMAGE}`: {error}")


def test_it_adds_less_than_70_mb_to_its_base(image: str) -> None:
    added = inspect("image", image)["Size"] - base()["Size"]
    print(f"{added / 1e6:.1f} MB on top of {BASE_IMAGE}")
    assert added < BYTES_ON_TOP_OF_THE_BASE_MAX


def test_no_compiler_no_pip_and_no_cache_is_in_what_it_adds(image: str) -> None:
    for tool in ("cc", "gcc", "g++", "clang", "ld", "make", "strip"):
        assert in_image(image, f"command -v {tool} || true") == "", f"{tool} is in the image"
    assert in_image(image, "ls -d /build /layer ~root/.cache/pip /etc/pip.conf 2>/dev/null || true") == ""
    commands = in_image(image, "ls /opt/treble-bridge/bin").split()
    assert [name for name in commands if not name.startswith("python")] == ["treble-bridge"]
    packages = in_image(image, "ls /opt/treble-bridge/lib/python3*/site-packages").split()
    assert not {"pip", "setuptools", "wheel", "pytest"} & set(packages)


def test_every_module_loads_and_opentelemetry_is_there(image: str) -> None:
    script = """
import importlib, json, pkgutil, bridge
import opentelemetry.exporter.otlp.proto.http.trace_exporter, opentelemetry.sdk.trace
missing = set()
for module in pkgutil.walk_packages(bridge.__path__, "bridge."):
    try:
        importlib.import_module(module.name) if not module.name.endswith("__main__") else None
    except ImportError as error:
        missing.add(error.name)
print(json.dumps(sorted(missing)))
"""
    loaded = docker("run", "--rm", "--read-only", "--entrypoint", "python", image, "-W", "error", "-c", script)
    assert set(json.loads(loaded)) <= {"confluent_kafka"}, "only the extra `demo` is left out"
    assert docker("run", "--rm", image, "--version") == f"treble-bridge, version {PROGRAM_VERSION}"


def test_its_user_is_a_number_without_rights_who_can_write_to_the_volume_only(image: str) -> None:
    assert inspect("image", image)["Config"]["User"] == "65532:65532"
    # Not read-only here: that would hide what the user may do.
    script = "find / -xdev -writable ! -type l ! -path '/proc/*' ! -path '/sys/*' ! -path '/dev/*' 2>/dev/null; true"
    writable = docker("run", "--rm", "--entrypoint", "sh", image, "-c", script).split()
    assert set(writable) - {"/tmp", "/var/tmp", "/run/lock"} <= {"/var/lib/treble-bridge"}
    assert in_image(image, "touch /var/lib/treble-bridge/here && echo written") == "written"
    assert in_image(image, "touch /opt/treble-bridge/here 2>/dev/null || echo refused") == "refused"
    assert in_image(image, "find /opt /var/lib/treble-bridge -perm /6000") == ""


def test_what_docker_is_told_about_it(image: str) -> None:
    config = inspect("image", image)["Config"]
    labels = {name.removeprefix("org.opencontainers.image."): value for name, value in config["Labels"].items()}
    assert labels["title"] == "treble-bridge"
    assert labels["licenses"] == "Apache-2.0"
    assert (labels["version"], labels["revision"], labels["created"]) == (VERSION, REVISION, CREATED)
    assert labels["base.name"] == BASE_IMAGE
    assert config["StopSignal"] == "SIGTERM"
    assert set(config["Volumes"]) == {"/var/lib/treble-bridge"}
    assert set(config["ExposedPorts"]) == {"8080/tcp", "8081/tcp"}
    assert (config["Entrypoint"], config["Cmd"]) == (["treble-bridge"], ["run"])
    assert config["Healthcheck"]["Test"] == ["CMD", "treble-bridge", "health", "--live"]


def test_the_same_input_makes_the_same_layers(image: str, tmp_path: Path) -> None:
    # Other times and other modes of the files than at the first build; nothing of its cache.
    again = f"{SESSION}:again"
    build(copy_context(tmp_path / "context", mode=0o600), again, "--no-cache")
    first, second = inspect("image", image), inspect("image", again)
    assert second["RootFS"]["Layers"] == first["RootFS"]["Layers"]
    assert second["Created"] == first["Created"] == CREATED
    assert second["Id"] == first["Id"], "the layers are the same, what is said about them differs"
