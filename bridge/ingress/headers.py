"""What is kept of a request's headers: those that help to trace it, never one that proves who called."""

from collections.abc import Collection, Mapping

import orjson

KEPT = ("traceparent", "tracestate", "content-type", "user-agent", "x-request-id")
VALUE_CHARS_MAX = 512
_CACHED_MAX = 256
_CACHED_BYTES_MAX = 1024


class HeaderKeeper:
    """Request headers → the JSON object that goes into the journal.

    A sender's content type and user agent hardly ever change, so their encoding is remembered; `secret_names` are the
    lower-case names that carry credentials of the source, which are left out.
    """

    __slots__ = ("_cache", "_names")

    def __init__(self, secret_names: Collection[str]) -> None:
        self._names = tuple(name for name in KEPT if name not in secret_names)
        self._cache: dict[tuple[str | None, ...], bytes] = {}

    def keep(self, headers: Mapping[str, str]) -> bytes:
        """The JSON object of the kept headers, b"" when there are none."""
        values = tuple([headers.get(name) for name in self._names])
        kept = self._cache.get(values)
        if kept is None:
            kept = self._encode(values)
            if len(self._cache) >= _CACHED_MAX:  # trace ids differ each time: start again rather than grow
                self._cache.clear()
            if sum(len(value) for value in values if value) <= _CACHED_BYTES_MAX:
                self._cache[values] = kept
        return kept

    def _encode(self, values: tuple[str | None, ...]) -> bytes:
        pairs = zip(self._names, values, strict=True)
        kept = {name: _bounded(value) for name, value in pairs if value is not None}
        return orjson.dumps(kept) if kept else b""


def _bounded(value: str) -> str:
    """Cut to length; bytes that are not UTF-8 (lone surrogates in the text) become replacement characters."""
    return value[:VALUE_CHARS_MAX].encode("utf-8", "surrogateescape").decode("utf-8", "replace")
