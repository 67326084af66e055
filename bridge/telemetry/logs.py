"""The set-up of logging: one line an event, JSON on a pipe, coloured text on a terminal, secrets and phones redacted.

structlog makes the lines, with the field names of `log_events.FIELDS`. The standard library's loggers (aiohttp,
aiokafka, asyncio) are routed through the same processors, each message of theirs once in a while only. Nothing here
raises, and no line waits for its reader: see `LogWriter`.
"""

import json
import logging
import sys
import time
import traceback
from collections.abc import Callable, Hashable, Iterable, Mapping, MutableMapping
from typing import Any, Literal

import structlog

from bridge.telemetry.log_events import EVENTS, FIELDS
from bridge.telemetry.log_writer import LogWriter, Sink, descriptor_sink
from bridge.telemetry.redact import Redactor

Level = Literal["debug", "info", "warning", "error"]
Format = Literal["auto", "json", "console"]
Line = MutableMapping[str, Any]

REPEAT_EVERY_S = 30.0
LIBRARY_REPEAT_EVERY_S = 60.0
ONCE_KEYS_MAX = 10_000
THROTTLE_KEYS_MAX = 1024
FLUSH_TIMEOUT_S = 2.0
VALUE_CHARS_MAX = 2_000
TRACEBACK_CHARS_MAX = 12_000
ITEMS_MAX = 50
DEPTH_MAX = 6

_RETRYING = ("aiokafka", "opentelemetry")  # they call an error what they try again
_LIBRARY_LEVEL_MIN = logging.WARNING  # what libraries say below that tells their authors something, not an operator
_NAMES = {key: field.name for key, field in FIELDS.items()}
_FIRST = ("@timestamp", "log.level", "event.name", "message")
_CHARS_MAX = {"error.stack_trace": TRACEBACK_CHARS_MAX}
# Values of our own making that may look like a phone number.
_OWN = frozenset({"event", "level", "timestamp", "journal_id", "config_hash", "version"})
# The operator's: the line that makes a topic is pasted from here, with its retention in milliseconds.
_OPERATORS = frozenset({"differences", "topic", "source", "problems", "warning", "keys", "changed", "collector"})


class Logs:
    """The process's log. There is one at a time, as structlog and the standard library have it."""

    def __init__(self, level: Level, form: Format, *, sink: Sink | None = None, secrets: Iterable[str] = ()) -> None:
        """`sink` takes the bytes of the lines; default: standard output. `secrets` never show in a line."""
        terminal = sink is None and sys.stdout.isatty()
        self.writer = LogWriter(descriptor_sink(sys.stdout.fileno()) if sink is None else sink)
        self._render = as_console(colors=terminal) if form == "console" or (form == "auto" and terminal) else as_json
        self._secrets, self._names = set[str](), set[str]()
        self.set_secrets(secrets)
        self._handler = _LibraryHandler()
        self.set_level(level)
        root = logging.getLogger()
        root.addHandler(self._handler)
        root.setLevel(_LIBRARY_LEVEL_MIN)

    def set_level(self, level: Level) -> None:
        structlog.configure(
            processors=[
                structlog.stdlib.add_log_level,
                structlog.processors.TimeStamper(fmt="iso", utc=True, key="timestamp"),
                with_error,
                self._rendered,
            ],
            wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
            logger_factory=lambda *_: _Levels(self.writer),
            cache_logger_on_first_use=False,
        )

    def set_secrets(self, secrets: Iterable[str], names: Iterable[str] = ()) -> None:
        """Hide these from now on, beside those of the configuration before: its requests may still be under way.

        The operator's own `names` are shown whole.
        """
        new = set(secrets)
        self._names |= set(names)
        self._redact = Redactor(new | self._secrets, self._names)
        self._secrets = new

    def close(self, timeout_s: float = FLUSH_TIMEOUT_S) -> None:
        """Write what waits, `timeout_s` at the most; after that nothing is logged any more."""
        self.writer.close(timeout_s)
        logging.getLogger().removeHandler(self._handler)

    def _rendered(self, _logger: Any, method: str, line: Line) -> tuple[tuple[str], dict[str, Any]]:
        line = bounded(line, self._redact)
        line.setdefault("message", EVENTS.get(str(line.get("event")), line.get("event")))
        return (self._render(method, line),), {}


class RateLimitedLogger:
    """A log, and what it has said already: bounded, the key of the oldest line is forgotten first."""

    def __init__(self, every_s: float = REPEAT_EVERY_S, keys_max: int = THROTTLE_KEYS_MAX) -> None:
        self.log: structlog.stdlib.BoundLogger = structlog.get_logger("bridge")
        self.verbose = False
        """Whether level debug is on. What happens for each request asks this before it makes a line."""
        self._once: set[tuple[str, ...]] = set()
        self._every_s, self._keys_max = every_s, keys_max
        self._written: dict[Hashable, tuple[float, int]] = {}  # key → (when it was written, held back since)

    def once(self, event: str, *key: str, **fields: Any) -> None:
        """Log a warning the first time that (`event`, `key`) happens in this process."""
        if (event, *key) not in self._once and len(self._once) < ONCE_KEYS_MAX:
            self._once.add((event, *key))
            self.log.warning(event, **fields)

    def throttled(self, event: str, *key: str, level: Level = "warning", **fields: Any) -> None:
        """Log what may repeat often: one line per (`event`, `key`) and period, with the count of the others."""
        held_back = self.held_back((event, *key), time.monotonic())
        if held_back is None:
            return
        if held_back:
            fields["held_back"] = held_back
        getattr(self.log, level)(event, **fields)

    def held_back(self, key: Hashable, now_s: float) -> int | None:
        """How many equal lines were held back, when this one may be written; None when it is held back too."""
        written = self._written.get(key)
        if written is not None and now_s - written[0] < self._every_s:
            self._written[key] = (written[0], written[1] + 1)
            return None
        self._written.pop(key, None)  # goes to the end of the order
        if len(self._written) >= self._keys_max:
            self._written.pop(next(iter(self._written)), None)
        self._written[key] = (now_s, 0)
        return 0 if written is None else written[1]


class _Levels:
    """What structlog calls with a finished line, by the name of its level."""

    def __init__(self, writer: LogWriter) -> None:
        self.debug = self.info = self.warning = self.error = self.critical = self.exception = writer.write


class _LibraryHandler(logging.Handler):
    """Turns a library's record into a line of ours, at most one a minute for each message template.

    aiokafka logs an error at each try to connect: thousands of equal lines while Kafka is away, which say less than
    our own `kafka.lost`. They come as warnings; so do those of a collector that is away. The count of what was held
    back comes with the next line.
    """

    def __init__(self) -> None:
        super().__init__(_LIBRARY_LEVEL_MIN)
        self._logger = RateLimitedLogger(LIBRARY_REPEAT_EVERY_S)

    def emit(self, record: logging.LogRecord) -> None:
        """Log it, unless its like was logged a moment ago. Never raises: a log line is not worth a crash."""
        ours = record.levelno >= logging.ERROR and not record.name.startswith(_RETRYING)
        try:
            self._logger.throttled(
                "library.message",
                *(record.name, record.levelname, str(record.msg)),
                level="error" if ours else "warning",
                logger=record.name,
                message=record.getMessage(),
                exc_info=record.exc_info,
            )
        except Exception:  # noqa: BLE001 - whatever a library put into its record
            text = "a log record that can't be rendered"
            self._logger.throttled("library.message", record.name, level="error", logger=record.name, message=text)


def with_error(_logger: Any, _method: str, line: Line) -> Line:
    """`error=` (an exception that explains itself) and `exc_info=` (one that needs its traceback) as text fields."""
    error, unforeseen = line.pop("error", None), line.pop("exc_info", None)
    if isinstance(unforeseen, tuple):
        unforeseen = unforeseen[1]
    if isinstance(unforeseen, BaseException):
        error = unforeseen
        trace = "".join(traceback.format_exception(unforeseen))
        line["error.stack_trace"] = trace[-TRACEBACK_CHARS_MAX:]
    if isinstance(error, BaseException):
        line["error.type"] = type(error).__name__
        line["error.message"] = _text_of(error)
        if error.__cause__ is not None and "error.stack_trace" not in line:
            line["error.cause"] = f"{type(error.__cause__).__name__}: {_text_of(error.__cause__)}"
    elif error is not None:
        line["error.message"] = error
    return line


def bounded(line: Line, redact: Redactor) -> Line:
    """Every text in `line` redacted, printable and not too long, however deep it lies."""
    return {
        _clean(str(key)): value
        if key in _OWN
        else _value(value, redact.own if key in _OPERATORS else redact, _CHARS_MAX.get(key, VALUE_CHARS_MAX))
        for key, value in line.items()
    }


def _value(value: Any, redact: Callable[[str], str], chars_max: int, depth: int = 0) -> Any:
    if value is None or isinstance(value, float) or (isinstance(value, int) and value.bit_length() <= 64):
        return value
    if depth < DEPTH_MAX:
        if isinstance(value, Mapping):
            items = list(value.items())[:ITEMS_MAX]
            return {
                _value(str(key), redact, chars_max): _value(inner, redact, chars_max, depth + 1) for key, inner in items
            }
        if isinstance(value, list | tuple | set | frozenset):
            return [_value(inner, redact, chars_max, depth + 1) for inner in list(value)[:ITEMS_MAX]]
    text = _text_of(value)
    # Cut with room for what is replaced, so that no half of a number stays at the end.
    clean = _clean(redact(text[: chars_max + 64]), chars_max == TRACEBACK_CHARS_MAX)
    return clean[:chars_max] + "…" if len(text) > chars_max else clean


def _text_of(value: Any) -> str:
    try:
        return str(value)
    except Exception:  # noqa: BLE001 - a __str__ of a library's making
        return f"<{type(value).__name__}>"


def _clean(text: str, line_ends: bool = False) -> str:
    """Lone surrogates and control characters escaped: a line stays one line, and can always be written."""
    if not text.isascii():
        text = text.encode("utf-8", "backslashreplace").decode("utf-8")
    if text.isprintable():
        return text
    kept = "\n\t" if line_ends else "\t"
    return "".join(c if c in kept or c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)


def as_json(_method: str, line: Line) -> str:
    """The line as one JSON object, with the names of `FIELDS`; what every line has comes first."""
    named = {_NAMES.get(key, key): value for key, value in line.items()}
    ordered = {key: named.pop(key) for key in _FIRST if key in named} | named
    return json.dumps(ordered, ensure_ascii=False)


def as_console(*, colors: bool) -> Callable[[str, Line], str]:
    """Rendering for people."""
    renderer = structlog.dev.ConsoleRenderer(colors=colors, sort_keys=False)

    def render(method: str, line: Line) -> str:
        message = line.pop("message", None)
        trace = line.pop("error.stack_trace", None)
        text = str(renderer(None, method, dict(line) | ({"means": message} if message else {})))
        return f"{text}\n{trace}" if trace else text

    return render
