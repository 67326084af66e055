"""What is kept of a request's headers: those that help to trace it, never one that proves who called."""

from collections.abc import Collection, Mapping, Sequence
from functools import lru_cache

import orjson

from bridge.transform.prepare import TIMEZONE_FIELD

TRACE = ("traceparent", "tracestate")
KEPT = (*TRACE, "content-type", "user-agent", "x-request-id")
CODING = "content-encoding"
VALUE_CHARS_MAX = 512
_CACHED_MAX = 256


class HeaderKeeper:
    """Request headers → the JSON object that goes into the journal.

    A sender's content type and user agent hardly ever change, so their encoding is remembered; `secret_names` are the
    lower-case names that carry credentials of the source, which are left out. `timezone` is the source's; unless it is
    UTC, it is kept as well: who forwards the entry may no longer know the source.
    """

    def __init__(self, secret_names: Collection[str], timezone: str = "UTC") -> None:
        self._names = tuple(name for name in KEPT if name not in secret_names)
        self._traced = self._names[:2] == TRACE
        self._keeps_coding = CODING not in secret_names
        self._own = {} if timezone == "UTC" else {TIMEZONE_FIELD: timezone}
        self._remembered = lru_cache(_CACHED_MAX)(
            lambda values: self._encoded(dict(zip(self._names, values, strict=True)))
        )

    def keep(
        self, headers: Mapping[str, str], trace: Sequence[str | None] | None = None, coding: str | None = None
    ) -> bytes:
        """The JSON object of the kept headers, b"" when there are none.

        `trace` has what takes the place of `traceparent` and `tracestate`. `coding` is the content coding that the body
        still has: without it, nobody could read it later.
        """
        values = tuple([(headers.get(name) or "")[:VALUE_CHARS_MAX] for name in self._names])
        if trace is None and coding is None:
            return self._remembered(values)
        fields: dict[str, str | None] = dict(zip(self._names, values, strict=True))
        if trace is not None:
            fields |= zip(TRACE, trace, strict=True)
        if self._keeps_coding:
            fields[CODING] = coding
        return self._encoded(fields)

    def trace_of(self, headers: Mapping[str, str]) -> tuple[str | None, str | None]:
        """The `traceparent` and the `tracestate` of a request, unless one of them carries credentials."""
        return (headers.get("traceparent"), headers.get("tracestate")) if self._traced else (None, None)

    def _encoded(self, fields: Mapping[str, str | None]) -> bytes:
        # Bytes that are not UTF-8 (lone surrogates in the text) become replacement characters.
        kept = {
            name: value[:VALUE_CHARS_MAX].encode("utf-8", "surrogateescape").decode("utf-8", "replace")
            for name, value in fields.items()
            if value
        } | self._own
        return orjson.dumps(kept) if kept else b""
