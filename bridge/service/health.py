"""How the bridge is, from what its stages know: the answers of /livez, /readyz and /status.

All of them are immediate: nothing here asks a disk or a broker.
"""

import asyncio
import datetime as dt
import platform
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cache
from importlib.metadata import version as version_of
from typing import Any, Final, Literal

from bridge.journal import Journal
from bridge.service.stages import Shutdown, Stages, paused_topics, wall_clock_ms
from bridge.telemetry import Telemetry
from bridge.version import VERSION

BEAT_S = 0.5
STUCK_AFTER_S = 10.0

State = Literal["ok", "degraded", "unready"]
_OF_FILL: Final[Mapping[str, State]] = {"ok": "ok", "nearly_full": "degraded", "full": "unready"}


@dataclass(frozen=True, slots=True)
class Check:
    """One part of readiness. `state` "unready" makes the whole unready, unless the check is only `reported`."""

    state: State
    detail: Mapping[str, Any]
    reported: bool = False


class Health:
    """The health of one running service. `stages` is None until they are built."""

    def __init__(self, telemetry: Telemetry, shutdown: Shutdown) -> None:
        self.stages: Stages | None = None
        self._telemetry, self._shutdown = telemetry, shutdown
        self._started_s = self._beat_s = time.monotonic()
        self._started_at = dt.datetime.now(dt.UTC)

    async def beat(self) -> None:
        """Run for ever; that it goes on is what /livez says."""
        while True:
            before_s = time.monotonic()
            await asyncio.sleep(BEAT_S)
            self._beat_s = time.monotonic()
            self._telemetry.loop_beat(max(0.0, self._beat_s - before_s - BEAT_S))

    def alive(self) -> bool:
        """Whether the loop turns. Kafka and the disk do not count: a restart would not mend them."""
        return time.monotonic() - self._beat_s < STUCK_AFTER_S

    def checks(self) -> Mapping[str, Check]:
        """Whether a webhook can be taken durably now. Kafka, topics and configuration are shown, and decide nothing."""
        stages = self.stages
        if stages is None:
            return {"stages": Check("unready", {"reason": "starting"})}
        config = stages.reloader.status()
        return {
            "stopping": Check("unready" if self._shutdown.requested else "ok", {"cause": self._shutdown.cause or None}),
            "journal": _journal_check(stages.journal),
            "ingress": _ingress_check(stages),
            "kafka": _kafka_check(stages),
            "topics": _topics_check(stages),
            "config": Check("degraded" if config["error"] else "ok", config, reported=True),
        }

    def status(self) -> Mapping[str, Any]:
        """All there is to know, for a person who looks for a cause. Holds no secret."""
        status: dict[str, Any] = {
            "version": VERSION,
            "started_at": self._started_at.isoformat(timespec="seconds"),
            "uptime_seconds": round(time.monotonic() - self._started_s, 1),
            "stopping": self._shutdown.cause or None,
            "versions": _versions(),
        }
        stages = self.stages
        if stages is None:
            return status
        forwarder = stages.forwarder.status()
        return status | {
            "config": stages.reloader.status(),
            "journal": _journal_status(stages.journal),
            "forwarder": forwarder,
            "paused_topics": {topic: queue["state"] for topic, queue in paused_topics(forwarder).items()},
            "topics": stages.topics.status(),
            "ingress": {
                "accepting": stages.ingress.accepting,
                "addresses": [str(address) for address in stages.ingress.addresses],
            },
        }


def _journal_status(journal: Journal) -> Mapping[str, Any]:
    usage = asdict(journal.usage())
    oldest_ms, pinned = usage.pop("oldest_pending_ms"), usage.pop("pinned")
    return {
        "id": journal.id,
        "path": str(journal.path),
        **usage,
        "pinned": pinned._asdict(),
        "oldest_pending_seconds": None if oldest_ms is None else max(0, wall_clock_ms() - oldest_ms) / 1000,
        "last_id": journal.last_id,
    }


def _journal_check(journal: Journal) -> Check:
    if journal.failed.done():
        return Check("unready", {"state": "failed"})
    usage = journal.usage()
    detail = {"state": usage.state, "fill": usage.fill, "pending": usage.pending}
    return Check(_OF_FILL[usage.state], detail)


def _ingress_check(stages: Stages) -> Check:
    listening, accepting = bool(stages.ingress.addresses), stages.ingress.accepting
    return Check("ok" if listening and accepting else "unready", {"listening": listening, "accepting": accepting})


def _kafka_check(stages: Stages) -> Check:
    status = stages.forwarder.status()
    if status["connected"]:
        return Check("ok", {"connected": True}, reported=True)
    reasons = {"stopped": status["stopped"], "reason": "" if status["stopped"] else status["last_error"]}
    return Check("degraded", {"connected": False} | {k: v for k, v in reasons.items() if v}, reported=True)


def _topics_check(stages: Stages) -> Check:
    unusable = stages.topics.unusable
    paused = paused_topics(stages.forwarder.status())
    waiting = [*unusable.values(), *(queue["cause"] for topic, queue in paused.items() if topic not in unusable)]
    state: State = "ok" if stages.topics.fit and not waiting else "degraded"
    return Check(state, {**stages.topics.status(), "waiting": waiting}, reported=True)


@cache
def _versions() -> Mapping[str, str]:
    packages = {name: version_of(name) for name in ("aiohttp", "aiokafka", "apsw", "uvloop")}
    return {"python": platform.python_version(), **packages}
