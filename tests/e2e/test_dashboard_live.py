"""Dashboard, rules and example queries in a real run: a bridge on a real Kafka, in trouble, and a real Prometheus."""

import asyncio
import re
import ssl
import time
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from observability import dashboard, rules
from observability.example_queries import GROUPS
from observability.metrics_page import series
from tests.e2e.bridge_process import Bridge
from tests.flow.running import TOKEN, authorized, webhook
from tests.kafka_broker import Broker, create_topics
from tests.kafka_broker.certificates import Authority
from tests.observability.programs import program
from tests.observability.prometheus import Prometheus

pytestmark = pytest.mark.kafka

OLD_TOKEN = "flow-token-that-is-replaced"
MISSING = "message.timed_out"
SHOWN_WITHIN_S = 60.0
ROUND_EVERY_S = 0.25
WINDOW = "15s"  # of rates: what a dashboard would choose for an interval of 1 s

MAY_BE_EMPTY = {
    "New producers": "none failed",
}
"""Panels without data in this run → why that is healthy. All others must show some."""

EXPECTED = {
    "TrebleBridgeQuarantineGrows",
    "TrebleBridgeSchemaDrift",
    "TrebleBridgeTopicPaused",
    "TrebleBridgeCredentialExpires",
    "TrebleBridgeCertificateNotRenewed",
    "TrebleBridgeUnauthorized",
}
"""Alerts that the troubles below lead to: most of them wait for some minutes first."""
OF_A_SLOW_MACHINE = {"TrebleBridgeLoopLate", "TrebleBridgeCommitsSlow", "TrebleBridgeKafkaAway"}


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=10)) as session:
        yield session


@pytest.fixture
async def bridge(tmp_path: Path, kafka: Broker, http: aiohttp.ClientSession) -> AsyncIterator[Bridge]:
    """A bridge with a certificate, a credential that is being replaced, and a topic that is missing."""
    program("prometheus")
    certificate, key = Authority(tmp_path, "authority").issue("bridge", "127.0.0.1", days=10)
    soon = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 86_400))
    made = Bridge(
        tmp_path / "bridge",
        kafka.bootstrap,
        http,
        sources={"treble": {"auth": [{"bearer": [TOKEN, {"value": OLD_TOKEN, "not_after": soon}]}]}},
        topics={"create": "off"},
    )
    made.configure(server={"tls": {"certificate": str(certificate), "key": str(key)}})
    await create_topics(kafka.bootstrap, made.positions_topic, config={"cleanup.policy": "compact"})
    await create_topics(kafka.bootstrap, *map(made.topic, ("message.read", "message.delivered", "quarantine")))
    await made.start()
    yield made
    made.kill()
    print(made.tail())


class Traffic:
    """Webhooks of every kind of trouble, a round of them at a time."""

    def __init__(self, bridge: Bridge, http: aiohttp.ClientSession) -> None:
        self._url, self._http = f"https://127.0.0.1:{bridge.port}/webhooks/treble", http
        self._tls = ssl.create_default_context()
        self._tls.check_hostname, self._tls.verify_mode = False, ssl.CERT_NONE
        self._round = 0

    async def round(self) -> None:
        """A good one twice, one with the old token, strangers, what is no JSON, drift, a wrong URL, a missing topic."""
        self._round += 1
        session = f"s-{self._round}"
        good = webhook(session)
        late = {key: value for key, value in good.items() if key != "read_at"} | {"timeout_at": good["read_at"]}
        other = {key: value for key, value in good.items() if key != "read_at"} | {"delivered_at": good["read_at"]}
        for expected, hint, token, body in (
            (200, "read", TOKEN, good),
            (200, "read", TOKEN, good),
            (200, "read", OLD_TOKEN, webhook(f"{session}-old")),
            (401, "read", "a-wrong-token", good),
            (401, "read", "", good),
            (400, "read", TOKEN, "no JSON"),
            (200, "read", TOKEN, webhook(f"{session}-drift", colour="green")),
            (200, "read", TOKEN, other),
            (200, "timeout", TOKEN, late),
        ):
            content = {"data": body} if isinstance(body, str) else {"json": body}
            headers = authorized(token) if token else {}
            answer = self._http.post(f"{self._url}/{hint}", headers=headers, ssl=self._tls, **content)
            async with answer as got:
                assert got.status == expected, (hint, body, got.status)


def panel_queries() -> dict[str, list[tuple[str, bool]]]:
    """Panel → its queries as Grafana would ask them, with all instances chosen, and whether only for now."""
    found: dict[str, list[tuple[str, bool]]] = {}
    for panel in dashboard.dashboard()["panels"]:
        for target in panel.get("targets", []):
            query = target["expr"].replace("$__rate_interval", WINDOW)
            found.setdefault(panel["title"], []).append((re.sub(r"\$\w+", ".*", query), target["instant"]))
    return found


async def without_data(prometheus: Prometheus, queries: dict[str, list[tuple[str, bool]]]) -> dict[str, list[str]]:
    """What shows nothing, by panel. A query that Prometheus refuses fails here."""
    empty: dict[str, list[str]] = {}
    for title, asked in queries.items():
        for query, instant in asked:
            if not await prometheus.values(query, instant=instant):
                empty.setdefault(title, []).append(query)
    return empty


async def active_alerts(prometheus: Prometheus) -> set[str]:
    """Those that wait or fire. Every rule must have been evaluated without an error."""
    groups = (await prometheus.get("rules"))["groups"]
    found = [rule for group in groups for rule in group["rules"]]
    assert len(found) == len(rules.rules("alert")) + len(rules.rules("record"))
    assert not [rule for rule in found if rule["health"] == "err"]
    assert all(rule["health"] == "ok" for rule in found)
    return {rule["name"] for rule in found if rule.get("state", "inactive") != "inactive"}


async def undocumented(prometheus: Prometheus) -> set[str]:
    """What the bridge exposes and docs/metrics.md does not have: names, and labels of them."""
    found = set()
    known = series()
    for labels in await prometheus.get("series", **{"match[]": '{job="treble-bridge"}'}):
        name = labels["__name__"]
        if name == "up" or name.startswith(("scrape_", "ALERTS")) or ":" in name:  # Prometheus' own
            continue
        extra = labels.keys() - {"__name__", "job", "instance", *known.get(name, ())}
        found |= {f"{name}{{{label}}}" for label in extra} if name in known else {name}
    return found


async def test_in_a_real_run_every_panel_shows_data_and_every_rule_works(
    bridge: Bridge, http: aiohttp.ClientSession, tmp_path: Path
) -> None:
    traffic, queries = Traffic(bridge, http), panel_queries()
    target = f"127.0.0.1:{bridge.admin_port}"
    async with Prometheus(tmp_path / "prometheus", target, rules.FILE, http) as prometheus:
        end_s = time.monotonic() + SHOWN_WITHIN_S
        bridge.reload()
        while (empty := await without_data(prometheus, queries)).keys() - MAY_BE_EMPTY.keys():
            assert time.monotonic() < end_s, f"panels without data: {empty}"
            await traffic.round()
            await asyncio.sleep(ROUND_EVERY_S)
        while not (active := await active_alerts(prometheus)) >= EXPECTED:
            assert time.monotonic() < end_s, f"alerts that don't come: {EXPECTED - active}"
            await traffic.round()
            await asyncio.sleep(ROUND_EVERY_S)
        assert active - EXPECTED <= OF_A_SLOW_MACHINE
        for record in rules.rules("record"):
            assert await prometheus.values(record["record"], instant=True), record
        for example in (example for group in GROUPS.values() for example in group.values()):
            await prometheus.get("query", query=example.query)
        assert await undocumented(prometheus) == set()
