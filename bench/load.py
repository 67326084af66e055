"""A load generator for one core: keep-alive connections over raw sockets, one request at a time on each.

It sends prebuilt bytes with a number in them and looks at no more of an answer than it must (15 µs a request), so that
the broker beside it on the same core has room.
"""

import select
import socket
import time
from array import array
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

NUMBER_CHARS = 56
PLACEHOLDER = "5" * NUMBER_CHARS
ANSWER_TIMEOUT_S = 60.0


@dataclass(slots=True)
class Outcome:
    """What a run of requests was: statuses, seconds from first to last, and how long each answer took, in seconds."""

    statuses: Counter[int] = field(default_factory=Counter)
    seconds: float = 0.0
    latencies_s: "array[float]" = field(default_factory=lambda: array("d"))

    def quantile_ms(self, quantile: float) -> float:
        """The latency below which `quantile` of the answers came, in ms."""
        ordered = sorted(self.latencies_s)
        return ordered[min(len(ordered) - 1, int(len(ordered) * quantile))] * 1000


class Load:
    """`connections` clients of one address. `number` counts on over all runs: no two requests are the same."""

    def __init__(self, port: int, path: str, headers: dict[str, str], body: bytes, connections: int) -> None:
        """`body` holds PLACEHOLDER once; each request has its own number there."""
        before, _, after = body.partition(PLACEHOLDER.encode())
        lines = {"Host": f"127.0.0.1:{port}", "Content-Type": "application/json", **headers}
        head = f"POST {path} HTTP/1.1\r\n" + "".join(f"{name}: {value}\r\n" for name, value in lines.items())
        self._before = f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + before
        self._after = after
        self._number = 0
        self._answer_bytes = 0
        self._sockets: dict[int, socket.socket] = {}
        self._poll = select.epoll()
        for _ in range(connections):
            client = socket.create_connection(("127.0.0.1", port), timeout=10)
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            client.setblocking(False)
            self._sockets[client.fileno()] = client
            self._poll.register(client.fileno(), select.EPOLLIN)

    def close(self) -> None:
        """Close all connections."""
        for client in self._sockets.values():
            client.close()
        self._poll.close()

    def as_fast_as_answered(self, requests: int) -> Outcome:
        """Each connection sends its next request when it has its answer (closed loop)."""
        outcome, began_s = Outcome(), time.perf_counter()
        sent_s: dict[int, float] = {}
        left = requests

        def send_next(descriptor: int) -> None:
            nonlocal left
            if left:
                left -= 1
                sent_s[descriptor] = time.perf_counter()
                self._send(descriptor)

        for descriptor in list(self._sockets):
            send_next(descriptor)
        while sent_s:
            self._receive(outcome, sent_s, ANSWER_TIMEOUT_S, send_next)
        outcome.seconds = time.perf_counter() - began_s
        return outcome

    def at_rate(self, requests: int, rate: float) -> Outcome:
        """`rate` requests a second, whatever the answers do (open loop).

        A request that finds no free connection counts from the moment when it was due: a server that falls behind
        can't slow down its own measurement.
        """
        outcome, began_s = Outcome(), time.perf_counter()
        sent_s: dict[int, float] = {}
        idle = list(self._sockets)
        none_idle_since_s: float | None = None
        made = 0
        while made < requests or sent_s:
            now_s = time.perf_counter()
            while idle and made < requests and (due_s := began_s + made / rate) <= now_s:
                starved = none_idle_since_s is not None and due_s >= none_idle_since_s
                descriptor = idle.pop()
                sent_s[descriptor] = due_s if starved else now_s
                self._send(descriptor)
                made += 1
            if idle:
                none_idle_since_s = None
            elif none_idle_since_s is None:
                none_idle_since_s = now_s
            waits_for_time = bool(idle) and made < requests
            pause_s = max(0.0, began_s + made / rate - now_s) if waits_for_time else ANSWER_TIMEOUT_S
            self._receive(outcome, sent_s, pause_s, idle.append, may_be_silent=waits_for_time)
        outcome.seconds = time.perf_counter() - began_s
        return outcome

    def _send(self, descriptor: int) -> None:
        self._number += 1
        request = b"%b%056x%b" % (self._before, self._number, self._after)
        if self._sockets[descriptor].send(request) != len(request):
            raise RuntimeError("a request did not fit into an empty socket")

    def _receive(
        self,
        outcome: Outcome,
        sent_s: dict[int, float],
        pause_s: float,
        answered: Callable[[int], None],
        *,
        may_be_silent: bool = False,
    ) -> None:
        ready = self._poll.poll(pause_s)
        if not ready and not may_be_silent:
            raise RuntimeError(f"no answer within {pause_s:.0f} s")
        for descriptor, _ in ready:
            data = self._sockets[descriptor].recv(65536)
            if len(data) != self._answer_bytes or not data.startswith(b"HTTP/1.1 200"):
                data = self._whole(descriptor, data)
            outcome.latencies_s.append(time.perf_counter() - sent_s.pop(descriptor))
            outcome.statuses[int(data[9:12])] += 1
            answered(descriptor)

    def _whole(self, descriptor: int, data: bytes) -> bytes:
        """An answer that isn't like the last one: read to its end."""
        client = self._sockets[descriptor]
        client.setblocking(True)
        client.settimeout(ANSWER_TIMEOUT_S)
        while not _complete(data):
            more = client.recv(65536)
            if not more:
                raise RuntimeError(f"the connection was closed; the last answer was {data[:200]!r}")
            data += more
        client.setblocking(False)
        if data.startswith(b"HTTP/1.1 200"):
            self._answer_bytes = len(data)
        return data


def _complete(data: bytes) -> bool:
    head, found, body = data.partition(b"\r\n\r\n")
    if not found:
        return False
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            return len(body) >= int(line.split(b":")[1])
    return True
