"""A log line never waits for its reader."""

import os
import threading
import time

from bridge.telemetry.log_writer import LogWriter, descriptor_sink


def test_lines_come_out_whole_and_in_order() -> None:
    received: list[bytes] = []
    writer = LogWriter(received.append)
    for number in range(1000):
        writer.write(f"line {number}")
    writer.close(timeout_s=10)
    assert b"".join(received).decode().splitlines() == [f"line {number}" for number in range(1000)]
    assert writer.dropped == 0


def full_pipe() -> tuple[int, int]:
    """A pipe that takes nothing more until somebody reads the dots in it."""
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    try:
        while True:
            os.write(writing, b"." * 4096)
    except BlockingIOError:
        os.set_blocking(writing, True)
    return reading, writing


def test_a_reader_that_stopped_blocks_nobody_and_what_was_dropped_is_counted() -> None:
    reading, writing = full_pipe()
    writer = LogWriter(descriptor_sink(writing), waiting_bytes_max=10_000)
    started = time.monotonic()
    for _ in range(5000):
        writer.write("x" * 99)
    assert not writer.flush(timeout_s=0.05)
    assert time.monotonic() - started < 5
    assert writer.dropped > 4000

    received = bytearray()

    def read() -> None:
        while chunk := os.read(reading, 1 << 16):
            received.extend(chunk)

    reader = threading.Thread(target=read)
    reader.start()
    writer.close(timeout_s=10)
    os.close(writing)
    reader.join(timeout=10)
    os.close(reading)
    assert received.count(b"\n") == 5000 - writer.dropped
    assert received.replace(b".", b"") == (b"x" * 99 + b"\n") * (5000 - writer.dropped)


def test_a_reader_that_is_gone_is_no_error() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    writer = LogWriter(descriptor_sink(writing))
    writer.write("nobody reads this")
    writer.close(timeout_s=10)
    os.close(writing)
    assert writer.dropped == 1


def test_after_the_close_lines_are_only_counted() -> None:
    received: list[bytes] = []
    writer = LogWriter(received.append)
    writer.close(timeout_s=10)
    writer.write("late")
    assert (received, writer.dropped) == ([], 1)
