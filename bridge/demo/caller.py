"""HTTP to the bridge under demonstration: webhooks to its public port, questions to its admin port."""

import time
from collections.abc import Mapping
from typing import Any, Final, NamedTuple, Self

import aiohttp
from prometheus_client.parser import text_string_to_metric_families

from bridge.demo.plan import PATH, Plan
from bridge.demo.traffic import Webhook

ANSWER_S: Final = 10.0
NO_ANSWER: Final = 0
_PREFIX: Final = "treble_bridge_"


class Answer(NamedTuple):
    """An answer's status (NO_ANSWER without one), how long it took, and when its request left."""

    status: int
    ms: float
    at_s: float


class Caller:
    """One client of one bridge. `url` and `admin_url` are its two ports."""

    def __init__(self, plan: Plan, url: str, admin_url: str) -> None:
        self._headers = {"Content-Type": "application/json", **plan.headers()}
        self._url, self._admin_url = url, admin_url
        self._http = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=ANSWER_S))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._http.close()

    async def post(self, webhook: Webhook) -> Answer:
        """Post a webhook as Treble would; with a wrong token if it is to be refused."""
        headers = dict(self._headers)
        if webhook.fate == "refused":
            headers["Authorization"] = "Bearer not-the-token"
        at_s = time.monotonic()
        try:
            async with self._http.post(
                f"{self._url}{PATH}/{webhook.hint}", data=webhook.body, headers=headers
            ) as answer:
                await answer.read()
                status = answer.status
        except (aiohttp.ClientError, TimeoutError):
            status = NO_ANSWER
        return Answer(status, (time.monotonic() - at_s) * 1000, at_s)

    async def status(self) -> dict[str, Any]:
        """The admin port's /status. Raises aiohttp.ClientError or TimeoutError."""
        async with self._http.get(f"{self._admin_url}/status") as answer:
            status: dict[str, Any] = await answer.json()
            return status

    async def tallies(self) -> Mapping[str, float]:
        """The admin port's /metrics, added up: by name, and by name and outcome (`requests_total/accepted`)."""
        async with self._http.get(f"{self._admin_url}/metrics") as answer:
            text = await answer.text()
        sums: dict[str, float] = {}
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                name = sample.name.removeprefix(_PREFIX)
                for key in {name, f"{name}/{sample.labels.get('outcome', '')}"}:
                    sums[key] = sums.get(key, 0) + sample.value
        return sums

    async def counts(self) -> Mapping[str, float]:
        """The counts of a run as the bridge's own metrics have them. Raises as `status`."""
        sums = await self.tallies()
        return {
            "acknowledged": sums.get("requests_total/accepted", 0),
            "refused": sums.get("requests_total/unauthorized", 0) + sums.get("requests_total/not_json", 0),
            "forwarded": sums.get("events_total/forwarded", 0),
            "duplicates": sums.get("duplicates_total", 0),
            "quarantined": sums.get("quarantined_total", 0),
            "pending": sums.get("journal_pending_entries", 0),
        }
