"""What is kept of a request's headers: those that help to trace it, never one that proves who called."""

from collections.abc import Collection, Mapping

import orjson

from bridge.transform.prepare import TIMEZONE_FIELD

TRACE = ("traceparent", "tracestate")
KEPT = (*TRACE, "content-type", "user-agent", "x-request-id")
CODING = "content-encoding"
VALUE_CHARS_MAX = 512
_CACHED_MAX = 256
_CACHED_BYTES_MAX = 1024


class HeaderKeeper:
    """Request headers → the JSON object that goes into the journal.

    A sender's content type and user agent hardly ever change, so their encoding is remembered; `secret_names` are the
    lower-case names that carry credentials of the source, which are left out. `timezone` is the source's; unless it is
    UTC, it is kept as well: who forwards the entry may no longer know the source.
    """

    __slots__ = ("_cache", "_coding", "_names", "_others", "_own", "_trace")

    def __init__(self, secret_names: Collection[str], timezone: str = "UTC") -> None:
        self._names = tuple(name for name in KEPT if name not in secret_names)
        self._trace = self._names[:2] == TRACE
        self._others = tuple(name for name in self._names if name not in TRACE)
        self._coding = CODING not in secret_names
        self._own = {} if timezone == "UTC" else {TIMEZONE_FIELD: timezone}
        self._cache: dict[tuple[str | None, ...], bytes] = {}

    def keep(self, headers: Mapping[str, str]) -> bytes:
        """The JSON object of the kept headers, b"" when there are none."""
        values = tuple([headers.get(name) for name in self._names])
        kept = self._cache.get(values)
        return self._encoded(self._names, values) if kept is None else kept

    def trace_of(self, headers: Mapping[str, str]) -> tuple[str | None, str | None]:
        """The `traceparent` and the `tracestate` of a request, unless one of them carries credentials."""
        return (headers.get("traceparent"), headers.get("tracestate")) if self._trace else (None, None)

    def keep_traced(self, headers: Mapping[str, str], traceparent: str, tracestate: str | None) -> bytes:
        """The same with these two in place of the request's own. `traceparent` (valid: plain ASCII) comes first."""
        values = tuple([headers.get(name) for name in self._others])
        others = self._cache.get(values)
        if others is None:
            others = self._encoded(self._others, values)
        state = b"" if tracestate is None else b',"tracestate":' + orjson.dumps(_bounded(tracestate))
        return b'{"traceparent":"%b"%b%b' % (traceparent.encode(), state, b"," + others[1:] if others else b"}")

    def with_coding(self, kept: bytes, coding: str) -> bytes:
        """What was kept, and the content coding that the body still has: without it, nobody could read it later."""
        if not self._coding:
            return kept
        field = b'{"%b":%b' % (CODING.encode(), orjson.dumps(_bounded(coding)))
        return field + (b"," + kept[1:] if kept else b"}")

    def _encoded(self, names: tuple[str, ...], values: tuple[str | None, ...]) -> bytes:
        pairs = zip(names, values, strict=True)
        fields = {name: _bounded(value) for name, value in pairs if value is not None} | self._own
        kept = orjson.dumps(fields) if fields else b""
        if len(self._cache) >= _CACHED_MAX:  # trace ids differ each time: start again rather than grow
            self._cache.clear()
        if sum(len(value) for value in values if value) <= _CACHED_BYTES_MAX:
            self._cache[values] = kept
        return kept


def _bounded(value: str) -> str:
    """Cut to length; bytes that are not UTF-8 (lone surrogates in the text) become replacement characters."""
    return value[:VALUE_CHARS_MAX].encode("utf-8", "surrogateescape").decode("utf-8", "replace")
