"""Disks whose VFS goes with their test."""

import itertools
from collections.abc import Iterator

import pytest

from tests.fakes.disk import Disk

_numbers = itertools.count()


@pytest.fixture
def disk() -> Iterator[Disk]:
    """A disk that fails by script."""
    made = Disk(f"scripted-{next(_numbers)}")
    yield made
    made.unregister()
