"""Lines out to a file descriptor without ever waiting for it.

A pipe whose reader has stopped (a log shipper that hangs) blocks a write for ever, and with it a loop that writes by
itself. Here a thread writes; lines wait for it in a bounded queue, and what does not fit is counted and dropped.
The thread writes to the descriptor, not to `sys.stdout`: a thread that hangs inside Python's buffered writer while the
interpreter ends would take the process down with a fatal error.
"""

import os
import select
import threading
from collections import deque
from collections.abc import Callable

WAITING_BYTES_MAX = 4 << 20

Sink = Callable[[bytes], object]


class LogWriter:
    """A bounded queue of lines and the thread that hands them to `sink`."""

    def __init__(self, sink: Sink, waiting_bytes_max: int = WAITING_BYTES_MAX) -> None:
        self._sink = sink
        self._waiting_bytes_max = waiting_bytes_max
        self._lines: deque[bytes] = deque()
        self._waiting_bytes = 0
        self.dropped = 0
        """Lines that were never written, because the reader took none for too long, or is gone."""
        self._busy = False
        self._closed = False
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._run, name="logs", daemon=True)
        self._thread.start()

    def write(self, line: str) -> None:
        """Hand over one line, without its end. Never waits, never raises."""
        text = line.encode("utf-8", "backslashreplace") + b"\n"
        with self._changed:
            if self._closed or self._waiting_bytes + len(text) > self._waiting_bytes_max:
                self.dropped += 1
                return
            self._lines.append(text)
            self._waiting_bytes += len(text)
            self._changed.notify_all()

    def flush(self, timeout_s: float) -> bool:
        """Wait until everything is written, `timeout_s` at the most. Says whether it is."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._lines and not self._busy, timeout_s)

    def close(self, timeout_s: float) -> None:
        """Flush, then take no more lines. What the reader does not take within `timeout_s` is lost."""
        self.flush(timeout_s)
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def _run(self) -> None:
        while True:
            with self._changed:
                self._busy = False
                self._changed.notify_all()
                self._changed.wait_for(lambda: self._lines or self._closed)
                if not self._lines:
                    return
                lines = list(self._lines)
                self._lines.clear()
                self._waiting_bytes = 0
                self._busy = True
            try:
                self._sink(b"".join(lines))
            except (OSError, ValueError):  # the reader is gone: there is no one to tell
                self.dropped += len(lines)


def descriptor_sink(descriptor: int) -> Sink:
    """What writes all bytes to a file descriptor, however long that takes."""

    def write(data: bytes) -> None:
        rest = memoryview(data)
        while rest:
            try:
                rest = rest[os.write(descriptor, rest) :]
            except BlockingIOError:  # someone who shares the pipe made it non-blocking
                select.select([], [descriptor], [])

    return write
