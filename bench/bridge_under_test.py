"""The bridge as it runs in production, as its own process: configuration file, journal on disk, metrics over HTTP."""

import json
import sys
import time
import urllib.request
from pathlib import Path

import yaml

from bench.processes import Pinned, free_port

TOKEN = "bench-token-of-no-value"  # noqa: S105 - opens nothing
EVENT_TYPE = "message.read"
_ROOT = Path(__file__).parent.parent


class BridgeUnderTest:
    """One bridge process with a configuration of its own in `folder`."""

    def __init__(self, folder: Path, bootstrap: str, run_name: str, core: set[int], delivery: str) -> None:
        self.port, self.admin_port = free_port(), free_port()
        self.topic = f"{run_name}.{EVENT_TYPE}"
        self._prefix = run_name
        config = folder / "bridge.yaml"
        config.write_text(yaml.safe_dump(self._configuration(folder, bootstrap, delivery)))
        command = [sys.executable, "-m", "bridge", "run", "--config", str(config)]
        self.process = Pinned(command, core, folder / "bridge.log", cwd=_ROOT)
        self.process.wait_for_port(self.port)

    def _configuration(self, folder: Path, bootstrap: str, delivery: str) -> dict[str, object]:
        return {
            "server": {"listen": f"127.0.0.1:{self.port}"},
            "admin": {"listen": f"127.0.0.1:{self.admin_port}"},
            "journal": {"path": str(folder / "journal"), "max_bytes": "8GiB"},
            "kafka": {
                "bootstrap_servers": [bootstrap],
                "delivery": delivery,
                "positions_topic": f"{self._prefix}.positions",
            },
            "sources": {"treble": {"auth": [{"bearer": [TOKEN]}]}},
            "topics": {
                "create": "missing",
                "partitions": 6,
                "replication_factor": 1,
                "default": f"{self._prefix}.{{event_type}}",
                "quarantine": f"{self._prefix}.quarantine",
            },
            "log": {"format": "json"},
        }

    @property
    def headers(self) -> dict[str, str]:
        """What proves that a request is Treble's."""
        return {"Authorization": f"Bearer {TOKEN}"}

    def metrics(self) -> dict[str, float]:
        """Every series of /metrics."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.admin_port}/metrics", timeout=30) as answer:
            lines = answer.read().decode().splitlines()
        return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines if line[:1] != "#")}

    def status(self) -> dict[str, object]:
        """/status."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.admin_port}/status", timeout=30) as answer:
            return dict(json.load(answer))

    def forwarded(self) -> int:
        """Events that are on Kafka."""
        return int(self.metrics().get(f'treble_bridge_events_total{{outcome="forwarded",type="{EVENT_TYPE}"}}', 0))

    def pending(self) -> int:
        """Entries that are not on Kafka yet."""
        return int(self.metrics()["treble_bridge_journal_pending_entries"])

    def wait_drained(self, events: int, timeout_s: float = 600.0) -> None:
        """Return when `events` are on Kafka and nothing is pending."""
        until_s = time.monotonic() + timeout_s
        while self.forwarded() < events:  # pending falls to zero before that
            if time.monotonic() > until_s:
                raise RuntimeError(f"not drained within {timeout_s:.0f} s: {self.forwarded()} of {events} forwarded")
            time.sleep(0.05)
