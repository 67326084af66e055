"""NOTES.txt: what to paste into Treble, and what is missing."""

import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from bridge.catalogue import HINTS
from tests.chart.rendering import CHART, CI, helm

Notes = Callable[..., str]


@pytest.fixture(scope="module")
def notes(tmp_path_factory: pytest.TempPathFactory) -> Notes:
    """Renders the notes as an object of a copy of the chart: `helm template` shows objects only."""
    chart = tmp_path_factory.mktemp("chart") / CHART.name
    shutil.copytree(CHART, chart)
    shown = 'notes: {{ include (print .Template.BasePath "/NOTES.txt") . | toJson }}\n'
    (chart / "templates" / "notes.yaml").write_text(shown, encoding="utf-8")
    return lambda name, overrides="": rendered(chart, name, overrides)


def rendered(chart: Path, name: str, overrides: str) -> str:
    done = helm(
        *("template", "tb", str(chart), "--show-only", "templates/notes.yaml"),
        *("--values", str(CI[name]), "--values", "-"),
        stdin=overrides,
    )
    assert done.returncode == 0, done.stderr
    return str(yaml.safe_load(done.stdout)["notes"])


def test_there_is_a_url_for_every_kind_of_webhook(notes: Notes) -> None:
    text = notes("production")
    base = "https://hooks.example.com/webhooks/treble"
    pasted = set(re.findall(rf"{base}/?([a-z-]*)$", text, re.MULTILINE))
    assert pasted == {"", *HINTS} - {"hsm-status", "session-close", "deployment-failure"}
    assert "Worth a look" not in text


def test_sources_with_paths_and_secrets_of_their_own_have_urls_that_fit(notes: Notes) -> None:
    text = notes("ingress-tls")
    assert "https://hooks.example.com/hooks/treble/co/read\n" in text
    assert "https://hooks.example.com/webhooks/mexico/read?token=SECRET\n" in text
    assert "https://hooks.example.com/webhooks/treble/read" in notes("gateway")


def test_what_is_missing_is_said(notes: Notes) -> None:
    text = notes("minimal", "{replicaCount: 1, persistence: {enabled: false}, config: {sources: {open: {auth: none}}}}")
    assert "https://YOUR-HOST/webhooks/treble" in text
    for words in ("Nothing publishes", "everybody", "With one replica", "persistence is off", "networkPolicy is off"):
        assert words in text
    assert "no hook drains" in notes("autoscaling")
    assert "whenScaled is Delete" in notes("minimal", "persistence: {retentionPolicy: {whenScaled: Delete}}")
