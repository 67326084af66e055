"""Broken, odd and hostile requests, as a table: what is sent, what may be answered, what of it must be kept.

A case without a body to be kept must leave nothing in the journal. `may` are the sequences of answers that are right;
`()` is a connection that ends without an answer, which broken HTTP may get too.
"""

import gzip
from collections.abc import Iterator
from dataclasses import dataclass, field

from tests.flow.running import PATH, TOKEN
from tests.fuzz.talking import BODY, Reply, chunk, chunked, request

OK = Reply(200, "")
NOT_JSON = Reply(400, "not-json")
MALFORMED = Reply(400, "malformed-request")
UNAUTHORIZED = Reply(401, "unauthorized")
NOT_FOUND = Reply(404, "not-found")
NOT_ALLOWED = Reply(405, "method-not-allowed")
TOO_LARGE = Reply(413, "too-large")


@dataclass(frozen=True)
class Case:
    """One thing to send."""

    name: str
    sent: bytes = field(repr=False)
    may: tuple[tuple[Reply, ...], ...]
    kept: tuple[bytes, ...] = ()


def broken(name: str, sent: bytes) -> Case:
    """Not valid HTTP: 400, and nothing is kept."""
    return Case(name, sent, ((MALFORMED,), ()))


def taken(name: str, sent: bytes, *kept: bytes) -> Case:
    """Odd, but right: 200, and the body is kept."""
    return Case(name, sent, ((OK,) * max(1, len(kept)),), kept or (BODY,))


def line(text: bytes) -> bytes:
    """A good request with another request line."""
    return text + b"\r\n" + request().split(b"\r\n", maxsplit=1)[1]


def with_header(raw: bytes) -> bytes:
    """A good request with one more line, of any bytes."""
    head, _, body = request().partition(b"\r\n\r\n")
    return head + b"\r\n" + raw + b"\r\n\r\n" + body


def cases() -> Iterator[Case]:
    """All of them."""
    yield from _framing()
    yield from _chunks()
    yield from _headers()
    yield from _request_lines()
    yield from _paths()
    yield from _other_protocols()
    yield from _upgrades()
    yield from _bodies()
    yield from _left_behind()


def _framing() -> Iterator[Case]:
    size = len(BODY)
    for name, value in {
        "a plus sign": f"+{size}",
        "a negative one": "-1",
        "a list": f"{size}, {size}",
        "hexadecimal": hex(size),
        "a space inside": f"{size // 10} {size % 10}",
        "above 64 bits": "9" * 30,
        "thousands of digits": "1" * 5000,
        "Arabic digits": "٧",
        "none": "",
        "a fraction": "5.0",
        "an underscore": "1_0",
    }.items():
        yield broken(f"content-length: {name}", request(BODY, f"Content-Length: {value}", length=False))
    yield broken("content-length twice, differing", request(BODY, f"Content-Length: {size - 1}"))
    yield broken("content-length twice, equal", request(BODY, f"Content-Length: {size}"))
    yield broken("content-length and chunked", request(chunk(BODY) + b"0\r\n\r\n", "Transfer-Encoding: chunked"))
    yield Case("content-length above the bound", request(b"", "Content-Length: 9999999", length=False), ((TOO_LARGE,),))
    for coding in (
        "gzip",
        "chunked, gzip",
        "identity",
        "xchunked",
        "chunked, chunked",
        "chunked;q=1",
        "",
        "\x0bchunked",
    ):
        sent = request(chunk(BODY) + b"0\r\n\r\n", f"Transfer-Encoding: {coding}", length=False)
        yield broken(f"transfer-encoding: {coding!r}", sent)
    twice = ("Transfer-Encoding: chunked", "Transfer-Encoding: identity")
    yield broken("transfer-encoding twice, differing", request(chunk(BODY) + b"0\r\n\r\n", *twice, length=False))
    hidden = request(chunk(BODY) + b"0\r\n\r\n", "Transfer-Encoding : chunked", length=False)
    yield broken("a space before transfer-encoding's colon", hidden)
    yield Case("a body that ends early", request(BODY)[:-5], ((MALFORMED,), ()))
    yield Case("no length and no body", request(b"", length=False), ((NOT_JSON,),), (b"",))
    yield Case("more than was declared", request(BODY) + b"garbage\r\n\r\n", ((OK, MALFORMED), (MALFORMED,)), (BODY,))
    yield taken("a line end behind the body", request(BODY) + b"\r\n")
    smuggled = request(path="/other")
    yield Case("another request right behind", request() + smuggled, ((OK, NOT_FOUND),), (BODY,))


def _chunks() -> Iterator[Case]:
    yield taken("chunks, one byte each", chunked(*(chunk(bytes([one])) for one in BODY)))
    yield taken("chunk sizes in capitals, with zeros before", chunked(b"000%X\r\n%s\r\n" % (len(BODY), BODY)))
    yield taken("a chunk with an extension", chunked(b"%x;a=b\r\n%s\r\n" % (len(BODY), BODY)))
    yield taken("a trailer", chunked(chunk(BODY), end=b"0\r\nX-Trailer: 1\r\n\r\n"))
    for name, size in {
        "not hexadecimal": b"zz",
        "negative": b"-5",
        "missing": b"",
        "above 64 bits": b"F" * 17,
        "with 0x": b"0x5",
        "with a plus": b"+5",
        "with a space": b" 5",
        "thousands of digits": b"1" * 5000,
        "underscored": b"1_0",
    }.items():
        yield broken(f"chunk size {name}", chunked(size + b"\r\n" + BODY + b"\r\n"))
    yield broken("a chunk longer than it said", chunked(b"5\r\n" + BODY + b"\r\n"))
    yield broken("a chunk without its line end", chunked(b"%x\r\n%s" % (len(BODY), BODY)))
    yield broken("line feeds alone in the chunks", chunked(b"%x\n%s\n" % (len(BODY), BODY), end=b"0\n\n"))
    yield broken("chunks without an end", chunked(chunk(BODY), end=b""))
    yield broken("an endless extension", chunked(b"5;" + b"a" * 100_000))
    yield broken("a flood of trailers", chunked(chunk(BODY), end=b"0\r\n" + b"X-T: 1\r\n" * 5000 + b"\r\n"))
    yield Case("chunks above the bound", chunked(*[chunk(b" " * 65_536)] * 17), ((TOO_LARGE,),))


def _headers() -> Iterator[Case]:
    yield broken("a thousand headers", request(BODY, *[f"X-{number}: 1" for number in range(1000)]))
    yield broken("a header of 100 KB", request(BODY, "X-Long: " + "a" * 100_000))
    yield broken("a header's name of 100 KB", request(BODY, "X" * 100_000 + ": 1"))
    yield broken("a head without an end", request(BODY)[:20] + b"a" * 200_000)
    for name, raw in {
        "NUL in a name": b"X\x00Y: 1",
        "NUL in a value": b"X-A: a\x00b",
        "a carriage return in a value": b"X-A: a\rb",
        "a line feed alone": b"X-A: a\nX-B: b",
        "a folded line": b"X-A: a\r\n b",
        "no name": b": 1",
        "no colon": b"nothing",
        "a space in a name": b"X A: 1",
        "a tab before the colon": b"X-A\t: 1",
        "a name that is not ASCII": "X-Ä: 1".encode(),
        "a control character": b"X-A: \x01",
        "a second Host": b"Host: other",
    }.items():
        yield Case(name, with_header(raw), ((MALFORMED,), (OK,), ()), (BODY,))
    yield taken("any bytes above ASCII in a value", with_header(b"User-Agent: \xff\xfe\x80"))
    yield taken("an empty value", with_header(b"X-Empty:"))
    yield taken("a broken traceparent", with_header(b"traceparent: 00-zz\xff"))
    yield broken("no Host", request().replace(b"Host: bridge.test\r\n", b""))
    yield taken("no Host in HTTP/1.0", request(version="HTTP/1.0").replace(b"Host: bridge.test\r\n", b""))
    for value in ("close", "keep-alive, close", "Content-Length", "\x7f"):
        yield Case(f"connection: {value!r}", request(BODY, f"Connection: {value}"), ((OK,), (MALFORMED,)), (BODY,))


def _request_lines() -> Iterator[Case]:
    path = PATH.encode()
    for name, text in {
        "a line of 100 KB": b"POST /" + b"a" * 100_000 + b" HTTP/1.1",
        "HTTP/0.9": b"POST " + path,
        "HTTP/0.9 with a version": b"POST " + path + b" HTTP/0.9",
        "HTTP/2.0": b"POST " + path + b" HTTP/2.0",
        "HTTP/9.9": b"POST " + path + b" HTTP/9.9",
        "HTTP/1.1.1": b"POST " + path + b" HTTP/1.1.1",
        "another protocol": b"POST " + path + b" ICAP/1.0",
        "small letters": b"POST " + path + b" http/1.1",
        "no path": b"POST HTTP/1.1",
        "an empty path": b"POST  HTTP/1.1",
        "a space in the path": b"POST " + path + b" x HTTP/1.1",
        "NUL in the path": b"POST " + path + b"\x00 HTTP/1.1",
        "a relative path": b"POST webhooks/treble/read HTTP/1.1",
        "NUL in the method": b"PO\x00ST " + path + b" HTTP/1.1",
        "an endless method": b"P" * 100_000 + b" / HTTP/1.1",
        "no method": b" " + path + b" HTTP/1.1",
        "a small method": b"post " + path + b" HTTP/1.1",
    }.items():
        yield Case(name, line(text), ((MALFORMED,), (NOT_FOUND,), (NOT_FOUND, MALFORMED), (NOT_ALLOWED,), ()))
    for method in ("GET", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "QUERY", "PROPFIND", "PURGE"):
        yield Case(f"method {method}", line(method.encode() + b" " + path + b" HTTP/1.1"), ((NOT_ALLOWED,),))
    yield Case("CONNECT", line(b"CONNECT bridge.test:443 HTTP/1.1"), ((NOT_FOUND,), (NOT_FOUND, MALFORMED)))
    yield Case("OPTIONS *", line(b"OPTIONS * HTTP/1.1"), ((NOT_FOUND,), (MALFORMED,)))
    absolute = f"http://bridge.test{PATH}"
    yield taken("the absolute form", request(path=absolute))
    yield taken("the absolute form of another host", request(path=f"https://else.test:1{PATH}?a=b#c"))
    yield Case("the absolute form without a path", request(path="http://bridge.test"), ((NOT_FOUND,), (MALFORMED,)))
    yield taken("the absolute form with a user", request(path=f"http://user:pass@bridge.test{PATH}"))
    yield Case("an impossible port", request(path=f"http://bridge.test:99999999{PATH}"), ((MALFORMED,), (OK,)), (BODY,))
    yield Case("a broken IPv6 host", request(path=f"http://[::1{PATH}"), ((MALFORMED,), (OK,), (NOT_FOUND,)), (BODY,))
    yield taken("HTTP/1.0", request(version="HTTP/1.0"))
    yield taken("empty lines first", b"\r\n\r\n" + request())


def _paths() -> Iterator[Case]:
    for hint in (
        "%72ead",
        "%00",
        "%ff%fe",
        "%2e%2e",
        "%2F",
        "%zz",
        "%",
        "..",
        ";x=1",
        "a" * 2000,
        "read?",
        "?%00=%",
        "#x",
    ):
        yield taken(f"hint {hint[:20]!r}", request(path=f"/webhooks/treble/{hint}"))
    yield broken("a hint that is not ASCII", request(path="/webhooks/treble/é"))
    yield taken("a path in escapes", request(path="/%77ebhooks/tr%65ble/read"))
    yield taken("a query of 7 KB", request(path=f"{PATH}?{'a=b&' * 1800}"))
    for path in ("/", "//webhooks/treblo", "/webhooks/treble//read/x", "/webhooks/treble/read/x", "/webhooks/Treble",
                 "/webhooks/treble/../treble/read", "/webhooks%2Ftreble", "/\\webhooks\\treble", "/webhooks/treble\\",
                 "/webhooks/" + "treble/" * 500, "/" + "/" * 5000, "/%00", "/metrics", "/livez"):  # fmt: skip
        yield Case(f"no such path {path[:30]!r}", request(path=path), ((NOT_FOUND,), (MALFORMED,)))


def _other_protocols() -> Iterator[Case]:
    hello = bytes.fromhex("16030100c8010000c40303") + bytes(range(190))
    for name, sent in {
        "TLS": hello,
        "TLS, much of it": hello * 2000,
        "HTTP/2 with prior knowledge": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00",
        "SSH": b"SSH-2.0-OpenSSH_9.9\r\n",
        "Redis": b"*1\r\n$4\r\nPING\r\n",
        "Kafka": b"\x00\x00\x00\x20\x00\x12\x00\x03\x00\x00\x00\x01\x00\x04test" + b"\x00" * 16,
        "PROXY protocol": b"PROXY TCP4 1.2.3.4 5.6.7.8 1 2\r\n" + request(),
        "PROXY protocol 2": b"\r\n\r\n\x00\r\nQUIT\n\x21\x11\x00\x0c" + b"\x00" * 12 + request(),
        "NULs": b"\x00" * 100_000,
        "line feeds": b"\n" * 100_000,
        "bytes above ASCII": b"\xff" * 100_000,
        "nothing": b"",
        "one byte": b"P",
    }.items():
        yield broken(name, sent)


def _upgrades() -> Iterator[Case]:
    key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="
    socket = ("Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13", key)
    yield Case("a WebSocket", request(b"", *socket, method="GET", length=False), ((NOT_ALLOWED,),))
    yield taken("a POST that offers WebSocket", request(BODY, *socket))
    h2c = ("Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABkAAQAAP__")
    yield taken("a POST that offers HTTP/2, as Java's client does", request(BODY, *h2c))
    yield taken("a chunked POST that offers HTTP/2", chunked(chunk(BODY), headers=h2c))
    # What comes behind an offer has no answer: the connection ends, which tells its sender to ask again.
    yield Case("another behind an offer of HTTP/2", request(BODY, *h2c) + request(path="/other"), ((OK,),), (BODY,))
    yield taken("an upgrade to nothing known", request(BODY, "Connection: upgrade", "Upgrade: tcp"))
    for expectation in ("100-continue", "100-Continue, x", "200-ok", "", "100-continue\x7f"):
        sent = request(BODY, f"Expect: {expectation}")
        yield Case(f"expect: {expectation!r}", sent, ((OK,), (MALFORMED,)), (BODY,))
    yield taken("expect in HTTP/1.0", request(BODY, "Expect: 100-continue", version="HTTP/1.0"))
    yield taken("expect and chunked", chunked(chunk(BODY), headers=("Expect: 100-continue",)))
    sent = request(BODY, "Expect: 100-continue", token="wrong-token-0123456789")
    yield Case("expect without credentials", sent, ((UNAUTHORIZED,),))


def _bodies() -> Iterator[Case]:
    for name, body in {
        "empty": b"",
        "blank": b" \n",
        "NULs": b"\x00" * 1000,
        "Latin-1": '{"a": "é"}'.encode("latin-1"),
        "UTF-16": '{"a": 1}'.encode("utf-16"),
        "a half": BODY[: len(BODY) // 2],
        "two values": b"{}{}",
        "undefined": b'{"a": undefined}',
        "a form": b"session_id=1&read_at=2",
        "XML": b"<?xml version='1.0'?><a/>",
        "200,000 brackets": b"[" * 200_000,
        "200,000 closed brackets": b"[" * 200_000 + b"]" * 200_000,
        "200,000 objects": b'{"a":' * 150_000,
        "a control character": b'"\x01"',
    }.items():
        yield Case(f"body: {name}", request(body), ((NOT_JSON,),), (body,))
    for name, body in {
        "null": b"null",
        "a number of 10,000 digits": b"1" * 10_000,
        "NaN": b'{"a": NaN}',
        "an exponent without end": b'{"a": 1e99999}',
        "a lone surrogate": b'{"session_id": "\\ud83d"}',
        "NUL in a text": b'{"session_id": "\\u0000"}',
        "a byte order mark": b"\xef\xbb\xbf{}",
        "equal keys": b'{"session_id": "a", "session_id": {}}',
        "100,000 keys": b"{" + b",".join(b'"%d":1' % number for number in range(100_000)) + b"}",
        "a list of webhooks": b"[" + BODY + b"," + BODY + b"]",
        "a key of 500 KB": b'{"' + b"k" * 500_000 + b'": 1}',
    }.items():
        yield taken(f"body: {name}", request(body), body)
    yield Case("body above the bound", request(b'"' + b"a" * (1 << 20) + b'"'), ((TOO_LARGE,),))
    zipped, bomb = gzip.compress(BODY, mtime=0), gzip.compress(b" " * (64 << 20), mtime=0)
    yield taken("gzip", request(zipped, "Content-Encoding: gzip"))
    yield Case("a gzip bomb", request(bomb, "Content-Encoding: gzip"), ((TOO_LARGE,),))
    for coding in ("gzip", "br", "gzip, gzip", "\xff"):
        yield taken(f"content-encoding {coding!r} of plain JSON", request(BODY, f"Content-Encoding: {coding}"))
    for coding, body in (("x-gzip", zipped[:-4]), ("br", zipped), ("gzip, gzip", zipped), ("\xff", zipped)):
        sent = request(body, f"Content-Encoding: {coding}")
        yield Case(f"content-encoding {coding!r}, broken", sent, ((NOT_JSON,),), (body,))
    for kind in ("multipart/form-data; boundary=x", "text/plain; charset=utf-7", "application/json; charset=\xff", "/"):
        yield taken(f"content-type {kind!r}", request(BODY, f"Content-Type: {kind}"))
    yield Case("a wrong token", request(token="wrong" + TOKEN), ((UNAUTHORIZED,),))


def _left_behind() -> Iterator[Case]:
    """What one request could leave on its connection for the next one."""
    lent = b"0\r\nX-Trailer: 1\r\nAuthorization: Bearer " + TOKEN.encode() + b"\r\n\r\n"
    behind = request(BODY, token="wrong-token-0123456789")
    yield taken("a trailer that lends its credential to what is behind", chunked(chunk(BODY), end=lent) + behind)
    boundless = request(b"", f"Content-Length: {2**64 - 1}", length=False)
    yield Case("a length of 2^64 - 1", boundless, ((TOO_LARGE,),))
    yield Case("a length of 2^64 - 1 before another request", boundless + request(), ((TOO_LARGE,),))
