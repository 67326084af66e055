"""The section about traces: what it refuses, and what of it may be shown."""

import pytest

from bridge.settings.changes import is_reloadable
from bridge.settings.models import Settings
from bridge.settings.sources import secrets_of
from tests.unit.settings.given import KAFKA, SOURCES, error

TRACING = f"{KAFKA}{SOURCES}tracing: "


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("{endpoint: collector:4318}", "tracing.endpoint: expected the address of a collector"),
        ("{endpoint: 'http://user:secret-0123@collector'}", "credentials belong in headers"),
        ("{endpoint: 'http://collector/?token=secret-0123'}", "credentials belong in headers"),
        ("{sample: 1.5}", "tracing.sample: expected a share from 0 to 1"),
        ("{sample: 10%}", "tracing.sample: expected a share from 0 to 1"),
        ("{headers: {'a b': c}}", "expected a header's name"),
        ("{timeout: 0}", "tracing.timeout"),
    ],
)
def test_what_can_not_be_is_refused(text: str, complaint: str) -> None:
    said = error(f"{TRACING}{text}\n")
    assert complaint in said
    assert "secret-0123" not in said


def test_headers_are_secrets_and_all_of_it_needs_a_restart() -> None:
    settings = Settings.model_validate(
        {
            "kafka": {"bootstrap_servers": ["a:1"]},
            "sources": {"treble": {"auth": "none"}},
            "tracing": {"headers": {"Authorization": "Bearer secret-0123"}, "sample": "0.25"},
        }
    )
    assert settings.tracing.sample == 0.25
    assert "secret-0123" not in repr(settings)
    assert list(secrets_of(settings)) == [(("tracing", "headers", "Authorization"), "Bearer secret-0123")]
    assert not is_reloadable(("tracing", "enabled"))
