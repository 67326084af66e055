"""Who calls: every condition by table, alternatives, conjunctions, generations; and each value compared, each time."""

import base64
import datetime as dt
import hashlib
import hmac
import string
from ipaddress import ip_network
from typing import Any
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st
from multidict import CIMultiDict

from bridge.auth import REASONS, Credentials, Denied, Facts, Grant, Undecided, conditions
from bridge.auth.conditions import caller, parse_ip
from bridge.settings.sources import Alternative, SecretValue, Source

NOW_MS = 1_782_140_000_000  # 2026-06-22 in UTC
SECRET = "s"
BODY = b'{"a": 1}'


def credentials(*alternatives: dict[str, Any], trusted: tuple[str, ...] = ()) -> Credentials:
    parsed = tuple(Alternative.model_validate(each) for each in alternatives)
    return Credentials(parsed, [ip_network(each) for each in trusted])


def facts(*headers: tuple[str, str], query: str = "", secret: str | None = None, remote: str = "192.0.2.1") -> Facts:
    return Facts(CIMultiDict(headers), query, secret, remote)


def basic(text: str, encoding: str = "utf-8") -> tuple[str, str]:
    return "Authorization", "Basic " + base64.b64encode(text.encode(encoding)).decode()


def sent(text: str, encoding: str) -> str:
    """What stands in a header when a client sends it in that encoding."""
    return text.encode(encoding).decode("utf-8", "surrogateescape")


BEARER = {"bearer": ["new", {"value": "old", "not_after": "2026-12-31"}, {"value": "gone", "not_after": "2026-06-21"}]}
HEADER = {"header": {"name": "X-API-Key", "value": "key"}}
QUERY = {"query": {"name": "to ken", "value": "a+b/c=%ñ"}}
BASIC = {"basic": {"username": "user", "password": "pass:word"}}
UMLAUT = {"header": {"name": "X-API-Key", "value": ["clé€", "clé"]}}
SENOR = {"basic": {"username": "señor", "password": "contraseña"}}
SEGMENT = {"path_secret": ["s1", "s2"]}

TABLE: list[tuple[str, dict[str, Any], Facts, int | str]] = [
    # what → generation that matches, or the reason
    ("bearer", BEARER, facts(("authorization", "Bearer new")), 0),
    ("scheme in any case", BEARER, facts(("Authorization", "bEaReR new")), 0),
    ("blanks around the token", BEARER, facts(("Authorization", "Bearer   new  ")), 0),
    ("second value", BEARER, facts(("Authorization", "Bearer old")), 1),
    ("expired value", BEARER, facts(("Authorization", "Bearer gone")), "expired"),
    ("no header", BEARER, facts(), "missing"),
    ("another scheme", BEARER, facts(("Authorization", "Basic new")), "missing"),
    ("no scheme", BEARER, facts(("Authorization", "new")), "missing"),
    ("nothing after the scheme", BEARER, facts(("Authorization", "Bearer ")), "wrong"),
    ("case of the token", BEARER, facts(("Authorization", "Bearer NEW")), "wrong"),
    ("a prefix", BEARER, facts(("Authorization", "Bearer ne")), "wrong"),
    ("not ASCII", BEARER, facts(("Authorization", "Bearer ñ\udcff")), "wrong"),
    ("twice the same", BEARER, facts(*[("Authorization", "Bearer new")] * 2), "ambiguous"),
    ("right and wrong", BEARER, facts(("Authorization", "Bearer new"), ("Authorization", "Bearer x")), "ambiguous"),
    ("header", HEADER, facts(("x-api-key", "key")), 0),
    ("header's blanks count", HEADER, facts(("x-api-key", "key ")), "wrong"),
    ("header twice", HEADER, facts(("X-API-Key", "key"), ("x-api-key", "other")), "ambiguous"),
    ("basic", BASIC, facts(basic("user:pass:word")), 0),
    ("basic, wrong user", BASIC, facts(basic("usex:pass:word")), "wrong"),
    ("basic, wrong password", BASIC, facts(basic("user:pass")), "wrong"),
    ("basic, no colon", BASIC, facts(basic("userpass:word".replace(":", ""))), "wrong"),
    ("basic, no base64", BASIC, facts(("Authorization", "Basic ~~~")), "wrong"),
    ("basic, no ASCII", BASIC, facts(("Authorization", "Basic ñ")), "wrong"),
    ("query", QUERY, facts(query="to%20ken=" + quote("a+b/c=%ñ", safe="")), 0),
    ("query as a form", QUERY, facts(query="x=y&to+ken=" + quote_plus("a+b/c=%ñ")), 0),
    ("query as pasted", QUERY, facts(query="to%20ken=a+b/c=%25ñ"), 0),
    ("query, other name", QUERY, facts(query="token=a"), "missing"),
    ("query, name only", QUERY, facts(query="to%20ken"), "wrong"),
    ("query, broken escapes", QUERY, facts(query="to%20ken=%zz%"), "wrong"),
    ("query twice", QUERY, facts(query="to+ken=x&to%20ken=x"), "ambiguous"),
    ("not ASCII, UTF-8", UMLAUT, facts(("X-API-Key", sent("clé€", "utf-8"))), 0),
    ("not ASCII, and not in Latin-1", UMLAUT, facts(("X-API-Key", "clé?")), "wrong"),
    ("not ASCII, Latin-1", UMLAUT, facts(("X-API-Key", sent("clé", "latin-1"))), 1),
    ("not ASCII, UTF-8, older", UMLAUT, facts(("X-API-Key", sent("clé", "utf-8"))), 1),
    ("bearer in Latin-1", {"bearer": "ñandú"}, facts(("Authorization", "Bearer " + sent("ñandú", "latin-1"))), 0),
    ("basic in UTF-8", SENOR, facts(basic("señor:contraseña")), 0),
    ("basic in Latin-1", SENOR, facts(basic("señor:contraseña", "latin-1")), 0),
    ("basic in Latin-1, wrong user", SENOR, facts(basic("senor:contraseña", "latin-1")), "wrong"),
    ("basic in Latin-1, wrong password", SENOR, facts(basic("señor:contrasena", "latin-1")), "wrong"),
    ("query in Latin-1", QUERY, facts(query="to%20ken=a%2Bb/c=%25%F1"), 0),
    ("query in UTF-8, escaped", QUERY, facts(query="to%20ken=a%2Bb/c=%25%C3%B1"), 0),
    ("segment", SEGMENT, facts(secret="s2"), 1),
    ("no segment", SEGMENT, facts(), "missing"),
    ("empty segment", SEGMENT, facts(secret=""), "wrong"),
    ("both of two", {**BEARER, **HEADER}, facts(("Authorization", "Bearer old"), ("X-API-Key", "key")), 1),
    ("one of two", {**BEARER, **HEADER}, facts(("Authorization", "Bearer old")), "missing"),
    (
        "one of two, other wrong",
        {**BEARER, **HEADER},
        facts(("Authorization", "Bearer x"), ("X-API-Key", "key")),
        "wrong",
    ),
    ("networks", {"client_ip": ["192.0.2.0/24"]}, facts(), 0),
    ("another network", {"client_ip": ["198.51.100.0/24", "2001:db8::/32"]}, facts(), "address"),
    ("no address", {"client_ip": ["0.0.0.0/0", "::/0"]}, facts(remote=""), "address"),
]


@pytest.mark.parametrize(
    ("alternative", "shown", "expected"), [row[1:] for row in TABLE], ids=[row[0] for row in TABLE]
)
def test_a_condition_holds_or_says_why_not(alternative: dict[str, Any], shown: Facts, expected: int | str) -> None:
    verdict = credentials(alternative).decide(shown, BODY, NOW_MS)
    if isinstance(expected, int):
        assert isinstance(verdict, Grant)
        assert verdict.generation == expected
    else:
        assert verdict == Denied(expected)
        assert expected in REASONS


def test_alternatives_are_tried_in_order_and_the_grant_says_which_one_held() -> None:
    several = credentials({**BEARER, **HEADER}, SEGMENT, BASIC)
    both = facts(("Authorization", "Bearer old"), ("X-API-Key", "key"), secret="s2")
    assert several.decide(both, b"", NOW_MS) == Grant(0, ("bearer", "header"), (1, 0))
    assert several.decide(facts(("Authorization", "Bearer old"), secret="s2"), b"", NOW_MS) == Grant(
        1, ("path_secret",), (1,)
    )
    assert several.decide(facts(basic("user:pass:word")), b"", NOW_MS) == Grant(2, ("basic",), (0,))


def test_the_most_telling_reason_of_all_alternatives_is_reported() -> None:
    several = credentials(HEADER, BEARER, QUERY)
    assert several.decide(facts(), b"", NOW_MS) == Denied("missing")
    assert several.decide(facts(("Authorization", "Bearer x")), b"", NOW_MS) == Denied("wrong")
    expired = facts(("Authorization", "Bearer gone"), ("X-API-Key", "x"))
    assert several.decide(expired, b"", NOW_MS) == Denied("expired")


def sign(body: bytes, secret: str = SECRET, algorithm: str = "sha256") -> bytes:
    return hmac.new(secret.encode(), body, algorithm).digest()


@pytest.mark.parametrize("algorithm", ["sha256", "sha512", "sha1"])
@pytest.mark.parametrize("encoding", ["hex", "base64"])
def test_a_signature_holds_for_its_body_only(algorithm: str, encoding: str) -> None:
    section = {"header": "X-Sig", "secret": ["s", "t"], "algorithm": algorithm, "encoding": encoding, "prefix": "v1="}
    checked = credentials({"hmac": section})
    write = bytes.hex if encoding == "hex" else lambda raw: base64.b64encode(raw).decode()

    def verdict(text: str, body: bytes = BODY) -> Grant | Denied:
        return checked.decide(facts(("X-Sig", text)), body, NOW_MS)

    assert verdict("v1=" + write(sign(BODY, "s", algorithm))) == Grant(0, ("hmac",), (0,))
    assert verdict("v1=" + write(sign(BODY, "t", algorithm))) == Grant(0, ("hmac",), (1,))
    assert verdict("v1=" + write(sign(BODY, "u", algorithm))) == Denied("signature")
    assert verdict("v1=" + write(sign(BODY, "s", algorithm)), b"") == Denied("signature")
    assert verdict("v1=" + write(sign(BODY, "s", algorithm))[:-4]) == Denied("signature")
    assert verdict(write(sign(BODY, "s", algorithm))) == Denied("signature")
    assert verdict("v1=") == Denied("signature")
    assert verdict("v1=ñ") == Denied("signature")
    assert checked.decide(facts(), BODY, NOW_MS) == Denied("missing")


def test_a_signature_is_decided_after_the_body_and_everything_else_before_it() -> None:
    both = credentials({**HEADER, "hmac": {"header": "X-Sig", "secret": "s"}}, BEARER)
    signature = ("X-Sig", sign(BODY).hex())
    assert both.before_body(facts(signature), NOW_MS) == Denied("missing")
    assert both.before_body(facts(signature, ("X-API-Key", "x")), NOW_MS) == Denied("wrong")
    open_question = both.before_body(facts(signature, ("X-API-Key", "key")), NOW_MS)
    assert isinstance(open_question, Undecided)
    assert both.after_body(open_question, BODY, NOW_MS) == Grant(0, ("header", "hmac"), (0, 0))
    assert both.after_body(open_question, b"other", NOW_MS) == Denied("signature")
    by_bearer = both.before_body(facts(signature, ("X-API-Key", "key"), ("Authorization", "Bearer new")), NOW_MS)
    assert by_bearer == Grant(1, ("bearer",), (0,)), "what needs no body is preferred"


@pytest.mark.parametrize(
    ("stamp", "expected"),
    [
        (["1782140000"], "granted"),
        (["1782140300"], "granted"),
        (["1782140301"], "stale"),
        (["1782139699"], "stale"),
        (["1782140000.5"], "stale"),
        (["-1782140000"], "stale"),
        (["١٧٨٢١٤٠٠٠٠"], "stale"),
        (["9" * 400], "stale"),
        ([""], "stale"),
        ([], "missing"),
        (["1782140000", "1782140000"], "ambiguous"),
    ],
)
def test_a_signed_time_must_be_one_near_number(stamp: list[str], expected: str) -> None:
    section = {"header": "X-Sig", "secret": "s", "timestamp_header": "X-Time", "tolerance": "300s"}
    signed = sign("".join(stamp[:1]).encode() + b"." + BODY).hex()
    shown = facts(("X-Sig", signed), *[("X-Time", each) for each in stamp])
    verdict = credentials({"hmac": section}).decide(shown, BODY, NOW_MS)
    assert verdict == (Grant(0, ("hmac",), (0,)) if expected == "granted" else Denied(expected))


@pytest.mark.parametrize(
    ("not_after", "last_ms"),
    [
        (None, 1 << 61),
        ("2026-12-31", 1_798_761_599_999),
        (dt.date(2026, 12, 31), 1_798_761_599_999),
        (dt.datetime(2026, 12, 31, 12, tzinfo=dt.UTC), 1_798_718_400_000),
        ("2026-12-31T12:00:00", 1_798_718_400_000),
        ("2026-12-31T12:00:00-05:00", 1_798_736_400_000),
    ],
)
def test_a_value_is_good_to_the_end_of_its_not_after(not_after: Any, last_ms: int) -> None:
    secret = conditions.Secret((SecretValue.model_validate({"value": "x", "not_after": not_after}),))
    assert secret.match(b"x", last_ms) == 0
    if not_after is not None:
        assert secret.match(b"x", last_ms + 1) < 0


def test_a_value_listed_twice_counts_as_the_one_that_is_still_good() -> None:
    listed = credentials({"bearer": [{"value": "x", "not_after": "2020-01-01"}, "x"]})
    assert listed.decide(facts(("Authorization", "Bearer x")), b"", NOW_MS) == Grant(0, ("bearer",), (1,))


def test_every_value_of_every_condition_is_compared_in_constant_time(monkeypatch: pytest.MonkeyPatch) -> None:
    compared: list[bytes] = []

    def counting(one: bytes, other: bytes) -> bool:
        compared.append(one)
        return hmac.compare_digest(one, other)

    monkeypatch.setattr(conditions, "compare_digest", counting)
    checked = credentials({"bearer": ["a", "b", "c"], "header": {"name": "X", "value": ["d", "e"]}})
    for token in ("a", "c", "x"):
        compared.clear()
        checked.decide(facts(("Authorization", f"Bearer {token}"), ("X", "e")), b"", NOW_MS)
        assert compared == [b"a", b"b", b"c", b"d", b"e"], "no early exit, whichever matches or fails"


@pytest.mark.parametrize("auth", [[], [{}], ()])
def test_nothing_to_hold_is_refused_rather_than_held_by_everyone(auth: Any) -> None:
    with pytest.raises(ValueError, match="auth"):
        Credentials(tuple(Alternative.model_construct(**each) for each in auth))


def test_only_auth_none_lets_everyone_in() -> None:
    assert Credentials("none").decide(facts(), b"", NOW_MS) == Grant(0)


@pytest.mark.parametrize(
    ("alternatives", "challenge"),
    [
        ([BEARER], 'Bearer realm="treble-bridge"'),
        ([BASIC], 'Basic realm="treble-bridge", charset="UTF-8"'),
        ([BASIC, {**BEARER, **HEADER}], 'Bearer realm="treble-bridge", Basic realm="treble-bridge", charset="UTF-8"'),
        ([HEADER, QUERY, SEGMENT], 'Treble-Bridge realm="treble-bridge"'),
    ],
)
def test_the_challenge_fits_the_configured_kinds(alternatives: list[dict[str, Any]], challenge: str) -> None:
    assert credentials(*alternatives).challenge == challenge


def test_headers_that_carry_secrets_are_known_by_name() -> None:
    section = {"header": "X-Hub-Signature", "secret": "s"}
    known = credentials({"header": [{"name": "X-A", "value": "a"}, {"name": "X-B", "value": "b"}], "hmac": section})
    assert known.header_names == {"authorization", "x-a", "x-b", "x-hub-signature"}


PROXIES = ("10.0.0.0/8", "fd00::/8")
FORWARDED = [
    ("192.0.2.1", [], "192.0.2.1"),
    ("192.0.2.1", ["203.0.113.1"], "192.0.2.1"),
    ("10.0.0.1", [], "10.0.0.1"),
    ("10.0.0.1", ["203.0.113.1"], "203.0.113.1"),
    ("::ffff:10.0.0.1", ["::ffff:203.0.113.1"], "203.0.113.1"),
    ("10.0.0.1", ["198.51.100.9, 203.0.113.1, 10.9.9.9"], "203.0.113.1"),
    ("10.0.0.1", ["198.51.100.9", "203.0.113.1", "10.9.9.9 , 10.8.8.8"], "203.0.113.1"),
    ("10.0.0.1", ["10.3.3.3, 10.2.2.2"], "10.3.3.3"),
    ("fd00::1", ["[2001:db8::1]:4711"], "2001:db8::1"),
    ("10.0.0.1", ["203.0.113.1:4711"], "203.0.113.1"),
    ("fd00::1", ["fe80::1%eth0"], "fe80::1"),
    ("10.0.0.1", ["203.0.113.1, unknown"], None),
    ("10.0.0.1", ["203.0.113.1,"], "203.0.113.1"),
    ("10.0.0.1", ["198.51.100.9, 203.0.113.1, ,\t", "", " 10.9.9.9 ,,"], "203.0.113.1"),
    ("10.0.0.1", [""], "10.0.0.1"),
    ("10.0.0.1", [", ,", ""], "10.0.0.1"),
    ("10.0.0.1", ["203.0.113.1, unknown, "], None),
    ("10.0.0.1", ["1" * 10_000], None),
    ("10.0.0.1", ["203.0.113.1/24"], None),
    ("unix", ["203.0.113.1"], None),
]


@pytest.mark.parametrize(("remote", "forwarded", "expected"), FORWARDED)
def test_the_caller_is_the_rightmost_address_that_is_no_trusted_proxy(
    remote: str, forwarded: list[str], expected: str | None
) -> None:
    found = caller(remote, forwarded, [ip_network(each) for each in PROXIES])
    assert (None if found is None else str(found)) == expected


def test_no_repr_shows_a_secret() -> None:
    checked = credentials({"bearer": "hunter2"}, {"hmac": {"header": "X-Sig", "secret": "hunter2"}})
    shown = facts(("Authorization", "Bearer hunter2"), query="token=hunter2", secret="hunter2")
    verdict = checked.before_body(facts(("X-Sig", "00"), ("Authorization", "hunter2")), NOW_MS)
    texts = [repr(checked), repr(shown), repr(verdict), repr(checked.decide(shown, b"", NOW_MS))]
    texts += [repr(each) for alternative in checked._alternatives for each in alternative.conditions]
    texts += [repr(conditions.Secret(Source.model_validate({"auth": [{"bearer": "hunter2"}]}).auth[0].bearer))]  # type: ignore[union-attr, arg-type]
    assert "hunter2" not in "".join(texts)


TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), min_size=1, max_size=40)
VISIBLE = st.text(string.ascii_letters + string.digits + "._~-", min_size=1, max_size=40)


@given(secret=TEXTS, sent=TEXTS)
def test_a_query_secret_matches_itself_however_it_is_escaped_and_nothing_else(secret: str, sent: str) -> None:
    checked = credentials({"query": {"name": "token", "value": secret}})
    for escaped in (quote(secret, safe=""), quote_plus(secret)):
        assert isinstance(checked.decide(facts(query=f"token={escaped}"), b"", NOW_MS), Grant)
    same = sent == secret or sent.replace("+", " ") == secret
    verdict = checked.decide(facts(query=f"token={quote(sent, safe='+')}"), b"", NOW_MS)
    assert isinstance(verdict, Grant) is same


@given(secret=VISIBLE, header=st.text(max_size=60), query=st.text(max_size=60), segment=st.text(max_size=60))
def test_whatever_is_sent_the_decision_is_a_grant_or_a_bounded_reason(
    secret: str, header: str, query: str, segment: str
) -> None:
    every = credentials(
        {"bearer": secret},
        {"basic": {"username": "u", "password": secret}},
        {"query": {"name": "q", "value": secret}},
        {"path_secret": secret},
        {"hmac": {"header": "X-Sig", "secret": secret, "timestamp_header": "X-Time"}},
        {"client_ip": ["192.0.2.0/24"]},
        trusted=("127.0.0.0/8",),
    )
    text = header.encode("utf-8", "ignore").decode()
    headers = [(name, text) for name in ("Authorization", "X-Sig", "X-Time", "X-Forwarded-For")]
    shown = facts(
        *headers,
        query=query.encode("utf-8", "ignore").decode(),
        secret=segment.encode("utf-8", "ignore").decode(),
        remote="127.0.0.1",
    )
    verdict = every.decide(shown, hashlib.sha256(text.encode()).digest(), NOW_MS)
    assert isinstance(verdict, Grant) or verdict.reason in REASONS


@given(st.text(max_size=80))
def test_reading_an_address_never_fails(text: str) -> None:
    parse_ip(text)
