"""How many connections the process can have open."""

import resource

import pytest

from bridge.ingress.listener import connections_that_fit


@pytest.mark.parametrize(
    ("soft", "hard", "raised", "fit"),
    [
        (1024, 4096, 2128, 2000),
        (1024, 1024, None, 896),
        (1024, 1500, 1500, 1372),
        (1024, -1, 2128, 2000),
        (65536, 65536, None, 2000),
        (64, 64, None, 32),
        (-1, -1, None, 2000),
    ],
)
def test_connections_leave_descriptors_for_the_journal_and_kafka(
    monkeypatch: pytest.MonkeyPatch, soft: int, hard: int, raised: int | None, fit: int
) -> None:
    set_to: list[tuple[int, int]] = []
    monkeypatch.setattr(resource, "getrlimit", lambda _: (soft, hard))
    monkeypatch.setattr(resource, "setrlimit", lambda _, limits: set_to.append(limits))
    assert connections_that_fit(2000) == fit
    assert set_to == ([] if raised is None else [(raised, hard)])
