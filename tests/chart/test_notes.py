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


def urls(text: str) -> set[str]:
    """Scheme and authority of every URL."""
    return set(re.findall(r"\b(https?://[^/\s]+)/webhooks", text))


@pytest.mark.parametrize(
    ("service", "base"),
    [
        ("{type: LoadBalancer}", "http://YOUR-HOST"),
        ("{type: LoadBalancer, port: 8000}", "http://YOUR-HOST:8000"),
        ("{type: NodePort}", "http://YOUR-HOST:NODE-PORT"),
        ("{type: NodePort, nodePort: 30080}", "http://YOUR-HOST:30080"),
    ],
)
def test_a_service_that_is_called_itself_is_called_as_the_bridge_speaks(notes: Notes, service: str, base: str) -> None:
    text = notes("minimal", f"service: {service}")
    assert urls(text) == {base}
    assert "get service tb-treble-bridge " in text
    assert "The Service takes plain text" in text
    encrypted = notes("minimal", f"{{service: {service}, tls: {{enabled: true, secretName: s}}}}")
    assert urls(encrypted) == {base.replace("http:", "https:")}
    assert "plain text" not in encrypted


def test_the_command_that_shows_the_address_is_only_said_where_the_service_has_one(notes: Notes) -> None:
    assert "get service" not in notes("minimal") + notes("production")


def test_each_host_of_an_ingress_has_its_own_scheme(notes: Notes) -> None:
    def of(hosts: str, tls: str) -> tuple[set[str], list[str]]:
        text = notes("minimal", f"ingress: {{enabled: true, hosts: {hosts}, tls: {tls}}}")
        return urls(text), re.findall(r"ingress.tls (?:has no ([^\s:]+)|is empty)", text)

    assert of("[a.b, c.d]", "[{hosts: [a.b]}]") == ({"https://a.b", "http://c.d"}, ["c.d"])
    assert of("[x.a.b]", '[{hosts: ["*.a.b"]}]') == ({"https://x.a.b"}, [])
    assert of("[x.y.a.b]", '[{hosts: ["*.a.b"]}]') == ({"http://x.y.a.b"}, ["x.y.a.b"])
    assert of("[a.b, c.d]", "[{secretName: s}]") == ({"https://a.b", "https://c.d"}, [])
    assert of("[]", "[{secretName: s}]") == ({"https://YOUR-HOST"}, [])
    assert of("[]", "[]") == ({"http://YOUR-HOST"}, [""])


def test_every_host_has_its_urls_and_a_wildcard_is_no_host(notes: Notes) -> None:
    text = notes("gateway", 'httpRoute: {hostnames: [a.example.com, "*.example.org"]}')
    assert urls(text) == {"https://a.example.com", "https://*.example.org"}
    for base in urls(text):
        assert f"{base}/webhooks/treble/read\n" in text
    assert "*.example.org stands for many hosts" in text
    assert "a.example.com stands" not in text
    wildcard = notes("minimal", 'ingress: {enabled: true, hosts: ["*.a.b"], tls: [{hosts: ["*.a.b"]}]}')
    assert "*.a.b stands for many hosts" in wildcard


@pytest.mark.parametrize(
    ("paths", "covered"),
    [("[]", True), ("[/]", True), ("[/webhooks/]", True), ("[/webhooks/treble]", True), ("[/web, /hooks]", False)],
)
def test_a_source_that_the_published_paths_leave_out_is_named(notes: Notes, paths: str, *, covered: bool) -> None:
    for name, section in (("minimal", "ingress"), ("gateway", "httpRoute")):
        text = notes(name, f"{section}: {{enabled: true, paths: {paths}}}")
        assert (f"{section}.paths doesn't cover /webhooks/treble" in text) != covered


def test_where_the_bridge_ends_tls_the_proxy_has_to_know(notes: Notes) -> None:
    words = "must speak TLS to the Service"
    assert words not in notes("gateway")
    assert f"the Gateway {words}" in notes("gateway", "httpRoute: {backendTLS: {enabled: false}}")
    assert words not in notes("ingress-tls")
    untold = "{ingress: {enabled: true}, tls: {enabled: true, secretName: s}}"
    assert f"the Ingress controller {words}" in notes("minimal", untold)
    own = "{ingress: {enabled: true}, config: {server: {tls: {certificate: /c, key: /k}}}}"
    assert f"the Ingress controller {words}" in notes("minimal", own)


def test_a_listener_of_one_family_is_named_where_services_may_have_both(notes: Notes) -> None:
    found = notes("minimal", "{service: {ipFamilyPolicy: PreferDualStack}, config: {server: {listen: ':8080'}}}")
    assert "config.admin.listen takes one family only: :8081 takes both" in found
    assert "config.server.listen takes" not in found
    assert "takes one family only" not in notes("minimal")


def needed(text: str) -> str:
    """What the notes say is needed, on one line."""
    return re.sub(r"\s+", " ", text.partition("\nNeeded\n")[2].partition("\n\n")[0]).strip()


@pytest.mark.parametrize("create", ["verify", '"off"'])
def test_topics_that_nobody_makes_are_needed_and_the_notes_say_what_happens_without_them(
    notes: Notes, create: str
) -> None:
    said = needed(notes("minimal", f"config: {{topics: {{create: {create}}}}}"))
    for words in (
        f"Topics: nothing makes them, config.topics.create is {create.strip(chr(34))}.",
        "webhooks are answered 200, and their events wait in the journal",
        "exec tb-treble-bridge-0 --container bridge -- treble-bridge topics create --config /etc/treble-bridge/",
        "config.topics.create: missing",
    ):
        assert words in said
    assert "nothing makes them" in needed(notes("production")), "the default is verify"


def test_topics_that_the_bridge_makes_need_as_many_brokers_as_replicas(notes: Notes) -> None:
    assert needed(notes("minimal")) == ""
    three = needed(notes("monitoring", "config: {topics: {create: missing}}"))
    assert three == (
        "- At least 3 brokers: topics are made with 3 replicas. With fewer, none is made: lower "
        "config.topics.replication_factor."
    )
    unsaid = '{config: {topics: {replication_factor: "${COPIES}"}}, env: [{name: COPIES, value: "1"}]}'
    assert needed(notes("minimal", unsaid)) == ""
    assert "At least 2 brokers" in needed(notes("minimal", "config: {topics: {replication_factor: 2}}"))


def test_a_way_of_making_topics_that_only_the_bridge_knows_is_left_to_it(notes: Notes) -> None:
    variables = "env: [{name: CREATE, value: missing}]"
    assert needed(notes("minimal", f'{{config: {{topics: {{create: "${{CREATE}}"}}}}, {variables}}}')) == ""


def test_what_is_missing_is_said(notes: Notes) -> None:
    text = notes("minimal", "{replicaCount: 1, persistence: {enabled: false}, config: {sources: {open: {auth: none}}}}")
    assert "https://YOUR-HOST/webhooks/treble" in text
    for words in ("Nothing publishes", "everybody", "With one replica", "persistence is off", "networkPolicy is off"):
        assert words in text
    assert "no hook drains" in notes("autoscaling")
    left = notes("minimal", "replicaCount: null")
    assert "no hook drains" in left
    assert " 2 replicas, release tb" in left
    assert "With one replica" not in left
    assert "With one replica" in notes("minimal", "replicaCount: 0")
    assert "whenScaled is Delete" in notes(
        "minimal", "{persistence: {retentionPolicy: {whenScaled: Delete}}, drain: {enabled: false}}"
    )
