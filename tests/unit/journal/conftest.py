"""Journals that are closed when their test ends."""

from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from bridge.journal import Journal
from tests.unit.journal.making import open_journal

Opens = Callable[..., Journal]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where the test's journal is."""
    return tmp_path / "journal"


@pytest.fixture
async def opened(folder: Path) -> AsyncIterator[Opens]:
    """Opens the test's journal with `open_journal`'s options; what is open at the end is closed."""
    journals: list[Journal] = []

    def opens(**options: object) -> Journal:
        journal = open_journal(folder, **options)
        journals.append(journal)
        return journal

    yield opens
    for journal in journals:
        await journal.close()
