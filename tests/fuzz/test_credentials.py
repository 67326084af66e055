"""Garbage as credentials, for each kind: 401, nothing is kept, and who has the right ones gets in."""

import base64
import hmac
import time

import pytest

from tests.flow.running import TOKEN
from tests.fuzz.sturdy import Sturdy
from tests.fuzz.talking import BODY, Reply, ask, request

UNAUTHORIZED = Reply(401, "unauthorized")
MALFORMED = Reply(400, "malformed-request")
ODD = (
    "", " ", "\t", "é", "\xff", "密码", "\udc80\udcff", "a" * 7000, "null", "%00", "\x01", "\x7f", "\x85",
    "\N{ZERO WIDTH SPACE}",     "'; DROP TABLE x", "${TREBLE_TOKEN}", "{{7*7}}", "\N{PILE OF POO}" * 50,
)  # fmt: skip


def basic(text: bytes) -> str:
    return f"Authorization: Basic {base64.b64encode(text).decode()}"


def signed(body: bytes, stamp: str) -> list[str]:
    text = stamp.encode() + b"." + body
    return [f"X-Time: {stamp}", f"X-Sig: {hmac.digest(b'k' * 32, text, 'sha256').hex()}"]


GOOD = {
    "treble": (f"Authorization: Bearer {TOKEN}",),
    "named": ("X-API-Key: kéy",),
    "basic": (basic("ana:pä:ss".encode()),),
    "near": ("X-Forwarded-For: 10.1.2.3",),
    "anyone": (),
}
HEADERS = {
    "treble": [f"Authorization: {scheme}{odd}" for odd in ODD for scheme in ("Bearer ", "", "bearer", "Bearer  ")],
    "named": [f"X-API-Key: {odd}" for odd in ODD],
    "basic": [
        *[f"Authorization: Basic {odd}" for odd in ODD],
        *map(basic, [b"", b":", b"ana", b"ana:", b":p\xc3\xa4:ss", b"\xff:\xff", b"ana:p\xe4\xa0:ss"]),
        basic(b"ana:" + b"x" * 5000),
        "Authorization: Basic ====",
        "Authorization: Basic YW5h\x80",
    ],
    "signed": [
        *[f"X-Sig: {odd}" for odd in ODD],
        *[f"X-Sig: 00\r\nX-Time: {odd}" for odd in [*ODD, "9" * 400, "-1", "1e9", "٧", "0x10", "nan", "inf"]],
        "\r\n".join(signed(BODY, "1")),
        "\r\n".join(signed(BODY + b" ", str(int(time.time())))),
    ],
    "near": [
        f"X-Forwarded-For: {text}"
        for text in [*ODD, "10.0.0.1, 8.8.8.8", "8.8.8.8", "10.0.0.256", "::ffff:8.8.8.8", "[::1]:80", "," * 3000,
                     "fe80::1%10.0.0.1", "0x0a000001", "10.1", "unknown", "1." * 2000]
    ],
}  # fmt: skip


@pytest.mark.parametrize("source", HEADERS)
def test_garbage_in_its_header_is_refused_and_nothing_is_kept(bridge: Sturdy, source: str) -> None:
    bridge.newly_kept()
    for header in HEADERS[source]:
        got = ask(bridge.port, request(BODY, header, path=f"/webhooks/{source}/read", token=None))
        assert got in ([UNAUTHORIZED], [MALFORMED], []), header
    bridge.has_kept([])


@pytest.mark.parametrize("source", HEADERS)
def test_the_header_twice_or_listed_lets_no_garbage_in(bridge: Sturdy, source: str) -> None:
    bridge.newly_kept()
    for header in HEADERS[source][:20]:
        name, _, value = header.partition("\r\n")[0].partition(": ")
        for lines in ([header, header], [f"{name}: {value}, {value}"]):
            got = ask(bridge.port, request(BODY, *lines, path=f"/webhooks/{source}", token=None))
            assert got in ([UNAUTHORIZED], [MALFORMED], []), lines
    bridge.has_kept([])


def test_garbage_in_the_query_is_refused(bridge: Sturdy) -> None:
    bridge.newly_kept()
    for text in ("token", "token=", "token=a%26b%3Dc/", "token=a&b=c/%C3%A4", "token=%ff", "token=%", "token[]=a",
                 "%00=%00", "token=y&token=a%26b%3Dc%2F%C3%A4",
                 "token=a%26b%3Dc%2F%C3%A4x", "&" * 3000, "token=" * 1000, "TOKEN=a%26b%3Dc%2F%C3%A4"):  # fmt: skip
        got = ask(bridge.port, request(path=f"/webhooks/query/read?{text}", token=None))
        assert got == [UNAUTHORIZED], text
    bridge.has_kept([])


def test_garbage_in_place_of_the_segment_is_refused(bridge: Sturdy) -> None:
    bridge.newly_kept()
    for text in ("", "read", "s3gment", "s3gment-0123456789%20", "%ff", "%00", "%", "S3GMENT-0123456789", "a" * 5000,
                 "s3gment-012345678%2F9", "..", "wrong/read", "%2e%2e/read"):  # fmt: skip
        got = ask(bridge.port, request(path=f"/webhooks/inside/{text}", token=None))
        assert got == [UNAUTHORIZED], text
    bridge.has_kept([])


def test_the_right_ones_get_in(bridge: Sturdy) -> None:
    bridge.newly_kept()
    for source, headers in GOOD.items():
        assert ask(bridge.port, request(BODY, *headers, path=f"/webhooks/{source}", token=None)) == [Reply(200, "")]
    for path in ("query/read?token=a%26b%3Dc%2F%C3%A4", "inside/s3gment-0123456789", "inside/s3gment-0123456789/read",
                 "inside/%733gment-0123456789/read", "query?x=%ff&token=a%26b%3Dc/%c3%a4"):  # fmt: skip
        assert ask(bridge.port, request(path=f"/webhooks/{path}", token=None)) == [Reply(200, "")], path
    lines = signed(BODY, str(int(time.time())))
    assert ask(bridge.port, request(BODY, *lines, path="/webhooks/signed", token=None)) == [Reply(200, "")]
    bridge.has_kept([BODY] * (len(GOOD) + 6))
