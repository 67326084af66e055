"""Memory with a large backlog: filled over HTTP while Kafka is away, then drained."""

import socket
import threading
import time
import uuid
from pathlib import Path
from typing import Any

from bench.bridge_under_test import BridgeUnderTest
from bench.load import Load
from bench.processes import free_port

CHUNK_REQUESTS = 50_000
MEMORY_GOAL_MIB = 150
DRAIN_TIMEOUT_S = 3600.0


class Door:
    """A port that leads to the broker once it is opened: until then Kafka is away for whoever starts there."""

    def __init__(self, bootstrap: str) -> None:
        host, _, port = bootstrap.rpartition(":")
        self._target = (host.strip("[]"), int(port))
        self.port = free_port()

    def open(self) -> None:
        """Lead to the broker from now on."""
        server = socket.create_server(("127.0.0.1", self.port))
        threading.Thread(target=self._accept, args=(server,), daemon=True).start()

    def _accept(self, server: socket.socket) -> None:
        while True:
            inside, _ = server.accept()
            outside = socket.create_connection(self._target)
            for source, sink in ((inside, outside), (outside, inside)):
                threading.Thread(target=_copy, args=(source, sink), daemon=True).start()


def _copy(source: socket.socket, sink: socket.socket) -> None:
    try:
        while data := source.recv(1 << 16):
            sink.sendall(data)
        sink.shutdown(socket.SHUT_WR)
    except OSError:
        return


def measure_backlog(
    folder: Path, bootstrap: str, entries: int, body: bytes, *, core: set[int], delivery: str
) -> dict[str, Any]:
    """Fill `entries` into the journal, open the way to Kafka, wait until all is there; memory all the while."""
    door = Door(bootstrap)
    bridge = BridgeUnderTest(folder, f"127.0.0.1:{door.port}", f"bench-{uuid.uuid4().hex[:8]}", core, delivery)
    with bridge.process:
        load = Load(bridge.port, "/webhooks/treble/read", bridge.headers, body, connections=64)
        began_s = time.perf_counter()
        for start in range(0, entries, CHUNK_REQUESTS):
            outcome = load.as_fast_as_answered(min(CHUNK_REQUESTS, entries - start))
            if set(outcome.statuses) != {200}:
                raise RuntimeError(f"not every request was answered 200: {dict(outcome.statuses)}")
        filled_s = time.perf_counter() - began_s
        load.close()
        if bridge.pending() != entries:
            raise RuntimeError(f"{bridge.pending()} entries are pending, {entries} were expected")
        with_backlog, highest_filling = bridge.process.memory_mib()
        bridge.process.forget_peak()
        door.open()
        while not (before := bridge.forwarded()):  # the next try to connect may be seconds away
            time.sleep(0.05)
        began_s = time.perf_counter()
        bridge.wait_drained(entries, DRAIN_TIMEOUT_S)
        drained_s = time.perf_counter() - began_s
        _, highest_draining = bridge.process.memory_mib()
    return {
        "backlog_entries": entries,
        "memory_with_backlog_mib": with_backlog,
        "memory_highest_filling_mib": highest_filling,
        "memory_highest_draining_mib": highest_draining,
        "filled_per_s": entries / filled_s,
        "drained_per_s": (entries - before) / drained_s,
        "goals_met": max(with_backlog, highest_filling, highest_draining) <= MEMORY_GOAL_MIB,
    }
