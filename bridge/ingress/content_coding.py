"""Content codings (RFC 9110, 8.4) of bodies: gzip and deflate are undone, within a bound."""

import zlib

_GZIP = 16 + zlib.MAX_WBITS
_GZIP_MEMBERS_MAX = 16  # each costs a copy of what follows it


def decoded(body: bytes, coding: str, bytes_max: int) -> bytes | None:
    """The body without its content coding, None when that can't be undone. Ends one byte above `bytes_max`.

    `coding` is the header's list. `identity` in it says nothing; of the others only one is undone.
    """
    codings = [name for part in coding.split(",") if (name := part.strip().lower()) not in ("", "identity")]
    if not codings:
        return body
    if codings in (["gzip"], ["x-gzip"]):
        return _inflated(body, _GZIP, bytes_max)
    if codings == ["deflate"]:  # means the zlib format (RFC 9110, 8.4.1.2); some send it without that wrapping
        raw = not body or body[0] & 0x0F != zlib.DEFLATED
        return _inflated(body, -zlib.MAX_WBITS if raw else zlib.MAX_WBITS, bytes_max)
    return None


def _inflated(body: bytes, window_bits: int, bytes_max: int) -> bytes | None:
    # At the most one byte more than allowed: a small body may claim to be gigabytes.
    out = b""
    for _ in range(_GZIP_MEMBERS_MAX if window_bits == _GZIP else 1):
        stream = zlib.decompressobj(window_bits)
        try:
            out += stream.decompress(body, bytes_max + 1 - len(out))
        except zlib.error:
            return None
        body = stream.unused_data
        if len(out) > bytes_max or (stream.eof and not body):
            return out
        if not stream.eof:  # cut off
            return None
    return None
