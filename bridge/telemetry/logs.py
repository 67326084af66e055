"""The set-up of logging: one line an event, JSON on a pipe, coloured text on a terminal, everything masked.

structlog makes the lines; the standard library's loggers (aiohttp, aiokafka, asyncio) are routed through the same
processors, each message of theirs once in a while only. Field names are those of `fields.FIELDS`; `event.name` is a
name from `events.EVENTS`.
Writing is an `Outlet`'s business: a log line never waits for its reader.
"""

import logging
import sys
import time
from collections.abc import Callable, Iterable, Mapping, MutableMapping
from typing import Any, Literal

import structlog

from bridge.telemetry.events import EVENTS
from bridge.telemetry.lines import as_console, as_json, bounded, with_error
from bridge.telemetry.masking import Mask
from bridge.telemetry.outlet import Outlet, Sink, descriptor_sink
from bridge.telemetry.sparing import Sparing

LevelName = Literal["debug", "info", "warning", "error"]
Format = Literal["auto", "json", "console"]

LIBRARY_REPEAT_EVERY_S = 60.0
FLUSH_TIMEOUT_S = 2.0

_LEVELS: Mapping[LevelName, int] = {
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warning": logging.WARNING,
    "error": logging.ERROR,
}
_GRUMBLING = ("aiokafka", "opentelemetry")  # they call an error what they try again
_LIBRARY_LEVEL_MIN = logging.WARNING  # what libraries say below that tells their authors something, not an operator


class Logs:
    """The process's log. There is one at a time, as structlog and the standard library have it."""

    def __init__(
        self, level: LevelName, form: Format, *, sink: Sink | None = None, secrets: Iterable[str] = ()
    ) -> None:
        """`sink` takes the bytes of the lines; default: standard output. `secrets` never show in a line."""
        terminal = sink is None and sys.stdout.isatty()
        self._outlet = Outlet(descriptor_sink(sys.stdout.fileno()) if sink is None else sink)
        self._writer = _Writer(self._outlet)
        self._render = as_console(colors=terminal) if form == "console" or (form == "auto" and terminal) else as_json
        self._mask = Mask(secrets)
        self._secrets = set(secrets)
        self._handler = _LibraryHandler()
        self.set_level(level)
        self._route_libraries()

    @property
    def left_out(self) -> int:
        """Lines that were not written, because their reader took none."""
        return self._outlet.left_out

    def set_level(self, level: LevelName) -> None:
        """Log from `level` on, from now on."""
        structlog.configure(
            processors=[
                structlog.stdlib.add_log_level,
                structlog.processors.TimeStamper(fmt="iso", utc=True, key="timestamp"),
                with_error,
                self._masked,
                self._said,
            ],
            wrapper_class=structlog.make_filtering_bound_logger(_LEVELS[level]),
            logger_factory=lambda *_: self._writer,
            cache_logger_on_first_use=False,
        )

    def set_secrets(self, secrets: Iterable[str]) -> None:
        """Hide these from now on, beside those of the configuration before: its requests may still be under way."""
        new = set(secrets)
        self._mask = Mask(new | self._secrets)
        self._secrets = new

    def close(self, timeout_s: float = FLUSH_TIMEOUT_S) -> None:
        """Write what waits, `timeout_s` at the most; after that nothing is logged any more."""
        self._outlet.close(timeout_s)
        logging.getLogger().removeHandler(self._handler)

    def _route_libraries(self) -> None:
        root = logging.getLogger()
        for handler in root.handlers[:]:
            if isinstance(handler, _LibraryHandler):  # of an earlier set-up in this process
                root.removeHandler(handler)
        root.addHandler(self._handler)
        root.setLevel(_LIBRARY_LEVEL_MIN)

    def _masked(self, _logger: Any, _method: str, line: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        return bounded(line, self._mask)

    def _said(self, _logger: Any, method: str, line: MutableMapping[str, Any]) -> tuple[tuple[str], dict[str, Any]]:
        line.setdefault("message", EVENTS.get(str(line.get("event")), line.get("event")))
        return (self._render(method, line),), {}


class _Writer:
    """What structlog calls with a finished line, by the name of its level."""

    def __init__(self, outlet: Outlet) -> None:
        self.debug = self.info = self.warning = self.error = self.critical = self.exception = outlet.write


class _LibraryHandler(logging.Handler):
    """Turns a library's record into a line of ours, at most one a minute for each message template.

    aiokafka logs an error at each try to connect: thousands of equal lines while Kafka is away, which say less than
    our own `kafka.lost`. They come as warnings; so do those of a collector that is away. The count of what was held
    back comes with the next line.
    """

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        super().__init__(_LIBRARY_LEVEL_MIN)
        self._monotonic = monotonic
        self._sparing = Sparing(LIBRARY_REPEAT_EVERY_S)
        self._log = structlog.get_logger("bridge")

    def emit(self, record: logging.LogRecord) -> None:
        """Say it, unless its like was said a moment ago. Never raises: a log line is not worth a crash."""
        try:
            held_back = self._sparing.admit((record.name, record.levelno, str(record.msg)), self._monotonic())
            if held_back is None:
                return
            fields: dict[str, Any] = {"logger": record.name, "message": record.getMessage()}
            if held_back:
                fields["held_back"] = held_back
            if record.exc_info:
                fields["exc_info"] = record.exc_info
            ours = record.levelno >= logging.ERROR and not record.name.startswith(_GRUMBLING)
            (self._log.error if ours else self._log.warning)("library.message", **fields)
        except Exception:  # noqa: BLE001 - whatever a library put into its record
            self._log.error("library.message", logger=record.name, message="a log record that can't be rendered")
