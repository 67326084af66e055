"""Docker for these tests: the image, built once, and the Kafka of compose.yaml, started once."""

import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import aiohttp
import pytest

from tests.container.building import build, copy_context
from tests.container.compose import Compose
from tests.container.engine import SESSION, problem, start_sweeper

_LEFT_OUT = "LEFT OUT, the tests of the image and of compose.yaml"


@pytest.fixture(scope="session", autouse=True)
def _docker() -> Iterator[None]:
    """Docker answers, or the tests are left out; what they made is swept."""
    if why := problem():
        if os.environ.get("REQUIRE_DOCKER", "") not in ("", "0"):
            pytest.fail(f"REQUIRE_DOCKER is set, but {why}", pytrace=False)
        pytest.skip(f"{_LEFT_OUT}: {why}")
    sweeper = start_sweeper()
    yield
    sweeper.communicate(timeout=120)


@pytest.fixture(scope="session")
def image(_docker: None, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The image, built from this checkout (Docker's cache may help); its name."""
    tag = f"{SESSION}:first"
    build(copy_context(tmp_path_factory.mktemp("first") / "context", mode=0o644), tag)
    return tag


@pytest.fixture(scope="session")
def compose(_docker: None, image: str) -> Compose:
    """The project of compose.yaml, on ports of its own, with its Kafka running."""
    project = Compose(SESSION, image)
    project("up", "--detach", "--wait", "kafka", timeout_s=120)
    return project


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    """A client."""
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=10)) as session:
        yield session


@pytest.fixture
def config_folder(tmp_path: Path) -> Path:
    """A folder to mount; every user may read it."""
    folder = tmp_path / "etc"
    folder.mkdir(mode=0o755)
    return folder
