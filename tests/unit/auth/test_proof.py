"""What a request shows so that a source takes it, held against the bridge's own check."""

import datetime as dt
from typing import Any

import pytest
from multidict import CIMultiDict

from bridge.auth import Credentials, Denied, Facts
from bridge.auth.proof import recipient
from bridge.errors import ConfigError
from bridge.settings.models import Settings
from bridge.settings.sources import Alternative

AT = dt.datetime(2026, 6, 1, tzinfo=dt.UTC)
OLD = {"value": "old-secret", "not_after": "2026-01-01"}


@pytest.mark.parametrize(
    "alternative",
    [
        {"bearer": [OLD, "s3cret-ä"]},
        {"header": {"name": "X-API-Key", "value": "k"}},
        {"header": [{"name": "X-A", "value": "a"}, {"name": "X-B", "value": [OLD, "b"]}], "bearer": "t"},
        {"basic": {"username": "ü", "password": "p:w"}},
        {"query": {"name": "to ken", "value": "a&b=c/ä"}},
        {"path_secret": "s3gment"},
        {"hmac": {"header": "X-Sig", "secret": "k", "prefix": "sha256="}},
        {"hmac": {"header": "X-Sig", "secret": "k", "algorithm": "sha512", "encoding": "base64",
                  "timestamp_header": "X-Time"}, "bearer": "t"},
    ],
    ids="+".join,
)  # fmt: skip
def test_what_send_shows_is_what_the_bridge_takes(alternative: dict[str, Any]) -> None:
    settings = Settings.model_validate(
        {"kafka": {"bootstrap_servers": "k:1"}, "sources": {"treble": {"auth": [alternative]}}}
    )
    body = b'{"a": 1}'
    proof = recipient(settings, None).prove(body, AT)
    facts = Facts(CIMultiDict(proof.headers), proof.query, proof.segment or None, "127.0.0.1")
    taken = Credentials((Alternative.model_validate(alternative),), ()).decide(facts, body, int(AT.timestamp() * 1000))
    assert not isinstance(taken, Denied), taken
    assert "s3" not in repr(proof)


def test_the_recipient_is_where_this_machines_bridge_listens() -> None:
    def settings(**server: Any) -> Settings:
        sources = {"treble": {"auth": "none"}, "other": {"auth": "none", "path": "/x"}}
        return Settings.model_validate({"kafka": {"bootstrap_servers": "k:1"}, "sources": sources, "server": server})

    assert recipient(settings(), "treble").base == "http://127.0.0.1:8080/webhooks/treble"
    assert recipient(settings(listen="[::]:9"), "other").base == "http://[::1]:9/x"
    for source, complaint in ((None, "several sources"), ("nobody", "no source nobody")):
        with pytest.raises(ConfigError, match=complaint):
            recipient(settings(), source)
