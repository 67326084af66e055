"""How the bridge is, from what its stages know: the answers of /livez, /readyz and /status."""

import asyncio
import datetime as dt
import platform
import time
from collections.abc import Mapping
from functools import cache
from importlib.metadata import version as version_of
from typing import Any

from bridge.service.admin import Check, State
from bridge.service.stages import Shutdown, Stages, paused_topics, wall_clock_ms
from bridge.telemetry import Telemetry
from bridge.version import VERSION

BEAT_S = 0.5
STUCK_AFTER_S = 10.0

_OF_FILL: Mapping[str, State] = {"ok": "ok", "nearly_full": "degraded"}


class ServiceHealth:
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
        stopping = Check("unready" if self._shutdown.requested else "ok", {"cause": self._shutdown.cause or None})
        checks = {
            "stopping": stopping,
            "journal": _journal_check(stages),
            "ingress": _ingress_check(stages),
            "kafka": _kafka_check(stages),
            "topics": _topics_check(stages),
        }
        if stages.reloader is not None:
            config = stages.reloader.status()
            checks["config"] = Check("degraded" if config["error"] else "ok", config, reported=True)
        return checks

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
        if stages.reloader is not None:
            status["config"] = stages.reloader.status()
        status["journal"] = _journal_status(stages)
        status["forwarder"] = forwarder = stages.forwarder.status()
        status["paused_topics"] = {topic: queue["state"] for topic, queue in paused_topics(forwarder).items()}
        status["topics"] = stages.topics.status()
        status["ingress"] = {
            "accepting": stages.ingress.accepting,
            "addresses": [str(address) for address in stages.ingress.addresses],
        }
        return status


def _journal_status(stages: Stages) -> Mapping[str, Any]:
    usage, journal = stages.journal.usage(), stages.journal
    oldest_ms = usage.oldest_pending_ms
    return {
        "id": journal.id,
        "path": str(journal.path),
        "state": journal.state,
        "fill": round(journal.fill, 4),
        "bytes": usage.bytes,
        "bytes_max": usage.bytes_max,
        "entries": usage.entries,
        "pending": usage.pending,
        "deferred": dict(usage.deferred),
        "pinned": usage.pinned._asdict(),
        "oldest_pending_seconds": None if oldest_ms is None else max(0, wall_clock_ms() - oldest_ms) / 1000,
        "last_id": journal.last_id,
    }


def _journal_check(stages: Stages) -> Check:
    journal = stages.journal
    if journal.failed.done():
        return Check("unready", {"state": "failed"})
    detail = {"state": journal.state, "fill": round(journal.fill, 4), "pending": journal.usage().pending}
    return Check(_OF_FILL.get(journal.state, "unready"), detail)


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
