"""The body: read within its bounds, and taken out of its content coding.

Treble sends plain JSON. A gateway in front may compress it, so gzip and deflate are undone, within the same bound; what
is kept is the JSON. Any other coding can't be read here, but it is authentic, so it is kept as it came, and judged by
its bytes as they are: JSON, where a gateway took the coding away but left the header, and else not. (415 would throw it
away.)
"""

import zlib

from aiohttp import StreamReader, web

from bridge.ingress.limits import ByteBudget

_GZIP = 16 + zlib.MAX_WBITS
_IDENTITY = ("", "identity")
_GZIP_MEMBERS_MAX = 16  # each costs a copy of what follows it


class TooLargeError(Exception):
    """The body is above the bound."""


class BrokenBodyError(Exception):
    """The body ends early, or its framing is not valid HTTP."""


class MemoryFullError(Exception):
    """There is no room for the rest of the body now."""


async def read(content: StreamReader, bytes_max: int, budget: ByteBudget) -> bytes:
    """The whole body, whose bytes count in `budget` while it arrives.

    Raises TooLargeError as soon as it is above `bytes_max`, MemoryFullError, BrokenBodyError, ConnectionError.
    """
    chunks: list[bytes] = []
    size = 0
    try:
        while chunk := await content.readany():
            if size + len(chunk) > bytes_max:
                raise TooLargeError
            if not budget.take(len(chunk)):
                raise MemoryFullError
            size += len(chunk)
            chunks.append(chunk)
    except web.RequestPayloadError as error:
        raise BrokenBodyError from error
    except RuntimeError as error:  # how a reader says that the connection is gone
        raise ConnectionResetError from error
    finally:
        budget.give_back(size)
    return b"".join(chunks)


def decoded(body: bytes, coding: str, bytes_max: int) -> bytes | None:
    """The body without its content coding, None when that can't be undone. Raises TooLargeError above `bytes_max`.

    `coding` is the header's list. `identity` in it says nothing; of the others only one is undone.
    """
    codings = [name for part in coding.split(",") if (name := part.strip().lower()) not in _IDENTITY]
    if not codings:
        return body
    if len(codings) > 1:
        return None
    coding = codings[0]
    if coding in ("gzip", "x-gzip"):
        return _inflated(body, _GZIP, bytes_max)
    if coding == "deflate":  # means the zlib format (RFC 9110, 8.4.1.2); some send it without that wrapping
        raw = not body or body[0] & 0x0F != zlib.DEFLATED
        return _inflated(body, -zlib.MAX_WBITS if raw else zlib.MAX_WBITS, bytes_max)
    return None


def _inflated(body: bytes, window_bits: int, bytes_max: int) -> bytes | None:
    """Inflates at the most one byte more than allowed: a small body may claim to be gigabytes."""
    out = b""
    for _ in range(_GZIP_MEMBERS_MAX):
        stream = zlib.decompressobj(window_bits)
        try:
            out += stream.decompress(body, bytes_max + 1 - len(out))
        except zlib.error:
            return None
        if len(out) > bytes_max:
            raise TooLargeError
        if not stream.eof:  # cut off
            return None
        body = stream.unused_data
        if not body:
            return out
        if window_bits != _GZIP:  # only gzip may have several members
            return None
    return None
