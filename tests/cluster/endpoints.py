"""How long the cluster itself takes to lead a Service to the pods that are ready."""

import threading
import time
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Self

from tests.cluster.kubernetes import CommandError, Namespace

ATTEMPTS_MAX = 3
"""Of a test that only says something while the cluster itself keeps up."""
LOOK_S = 0.5
BEHIND_S_MAX = 4.0
"""Pods are ready for 5 s before the next one is replaced, and go on for 5 s when they are: so much may be late."""


class Endpoints:
    """Watches, while it is open, whether the addresses of a Service are those of its ready pods.

    Where they are not for longer than a rolling update waits, no pod is left that callers are led to: calls then fail,
    whatever the pods do.
    """

    def __init__(self, namespace: Namespace, service: str, selector: str) -> None:
        self._namespace, self._service, self._selector = namespace, service, selector
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="endpoints", daemon=True)
        self.behind_s = 0.0
        """The longest time in which they were not."""

    @property
    def late(self) -> bool:
        """Whether the cluster was later than a rolling update can bear."""
        return self.behind_s > BEHIND_S_MAX

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._end.set()
        self._thread.join(timeout=30)

    def _watch(self) -> None:
        right_s = time.monotonic()
        while not self._end.wait(LOOK_S):
            try:
                right = self._led_to() == self._ready()
            except CommandError:
                continue
            now_s = time.monotonic()
            if right:
                right_s = now_s
            self.behind_s = max(self.behind_s, now_s - right_s)

    def _led_to(self) -> set[str]:
        slices = self._namespace.get("endpointslices", "-l", f"kubernetes.io/service-name={self._service}")["items"]
        found = [one for each in slices for one in each.get("endpoints") or [] if one["conditions"].get("ready")]
        return {address for one in found for address in one["addresses"]}

    def _ready(self) -> set[str]:
        pods = self._namespace.get("pods", "-l", self._selector)["items"]
        return {pod["status"]["podIP"] for pod in pods if _is_ready(pod)}


def _is_ready(pod: Mapping[str, Any]) -> bool:
    conditions = {one["type"]: one["status"] for one in pod["status"].get("conditions", [])}
    return conditions.get("Ready") == "True" and "deletionTimestamp" not in pod["metadata"]
