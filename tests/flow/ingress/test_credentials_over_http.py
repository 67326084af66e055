"""Credentials as a caller meets them: what is let in, what a refusal says, and what it never says."""

import base64
import hashlib
import hmac
import logging
from typing import Any

import pytest
from structlog.testing import capture_logs

from tests.flow.ingress.harness import AUTHORIZED, PATH, READ, TOKEN, Door, door, request, settings

SHARED = "a-shared-secret"
NOW_MS = 1_782_140_000_000  # 2026-06-22


def signed(body: bytes, secret: str = SHARED) -> str:
    return hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


async def status(d: Door, path: str = PATH, body: bytes = READ, **headers: str) -> int:
    return (await d.post(path, body, {name.replace("_", "-"): value for name, value in headers.items()})).status


async def test_the_headers_of_trebles_panel_must_all_be_there() -> None:
    auth = [{"bearer": "a-token", "header": {"name": "X-API-Key", "value": "a-key"}}]
    async with door(settings(auth=auth)) as d:
        assert await status(d, Authorization="Bearer a-token", x_api_key="a-key") == 200
        assert await status(d, Authorization="Bearer a-token") == 401
        assert await status(d, X_API_Key="a-key") == 401
        assert await status(d, Authorization="Bearer a-token", X_API_Key="a-kez") == 401
        assert await status(d, Authorization="Bearer a-toke", X_API_Key="a-key") == 401
        assert len(d.journal.stored) == 1


@pytest.mark.parametrize(
    ("condition", "challenge"),
    [
        ({"bearer": "secret-1"}, 'Bearer realm="treble-bridge"'),
        ({"basic": {"username": "u", "password": "secret-1"}}, 'Basic realm="treble-bridge", charset="UTF-8"'),
        ({"header": {"name": "X-Key", "value": "secret-1"}}, 'Treble-Bridge realm="treble-bridge"'),
        ({"hmac": {"header": "X-Sig", "secret": "secret-1"}}, 'Treble-Bridge realm="treble-bridge"'),
    ],
)
async def test_401_names_a_scheme_that_fits_and_never_the_reason(condition: dict[str, Any], challenge: str) -> None:
    async with door(settings(auth=[condition])) as d:
        replies = [await d.post(headers=headers) for headers in ({}, {"Authorization": "Bearer x"}, {"X-Key": "y"})]
        for reply in replies:
            assert (reply.status, reply.problem) == (401, "unauthorized")
            assert reply.headers["WWW-Authenticate"] == challenge
        assert len({reply.body for reply in replies}) == 1, "one answer for every cause"


async def test_two_authorization_headers_are_refused_although_one_is_right() -> None:
    async with door() as d:
        twice = request(PATH, READ, AUTHORIZED).replace(b"\r\n\r\n", b"\r\nAuthorization: Bearer other\r\n\r\n", 1)
        assert (await d.ask(twice)).status == 401
        same = request(PATH, READ, AUTHORIZED).replace(
            b"\r\n\r\n", b"\r\nauthorization: Bearer %s\r\n\r\n" % TOKEN.encode(), 1
        )
        assert (await d.ask(same)).status == 401


async def test_basic_and_query_and_path_secret_open_the_door() -> None:
    auth = [
        {"basic": {"username": "treble", "password": "pässword:with colon"}},
        {"query": {"name": "token", "value": "q/+&=secret"}},
        {"path_secret": "p-secret"},
    ]
    basic = "basic " + base64.b64encode("treble:pässword:with colon".encode()).decode()
    async with door(settings(auth=auth)) as d:
        assert await status(d, f"{PATH}/read", Authorization=basic) == 200
        assert await status(d, f"{PATH}/read?a=b&token=q%2F%2B%26%3Dsecret") == 200
        assert await status(d, f"{PATH}/read?token=q/+%26=secret") == 200
        assert await status(d, f"{PATH}/p-secret") == 200
        assert await status(d, f"{PATH}/p-secret/read") == 200
        assert await status(d, f"{PATH}/p%2Dsecret/raed") == 200
        assert [entry.hint for entry in d.journal.stored] == ["read", "read", "read", "", "read", "raed"]
        assert await status(d, f"{PATH}/wrong-secret") == 401, "401, not 404"
        assert await status(d, f"{PATH}/wrong-secret/read") == 401
        assert await status(d, f"{PATH}/p-secret/read/more") == 404
        assert await status(d, f"{PATH}/read?token=wrong") == 401
        assert await status(d, f"{PATH}/read?token=q%2F%2B%26%3Dsecret&token=x") == 401
        assert await status(d, f"{PATH}/read", Authorization="Basic !!!") == 401
        assert len(d.journal.stored) == 6


async def test_a_secret_or_a_misspelt_one_is_never_kept_as_a_hint() -> None:
    async with door(settings(auth=[{"bearer": TOKEN}, {"path_secret": "p-secret"}])) as d:
        for segment in ("p-secret", "p-secrte", "read"):
            assert await status(d, f"{PATH}/{segment}", Authorization=AUTHORIZED["Authorization"]) == 200
        assert [entry.hint for entry in d.journal.stored] == ["", "", "read"]


async def test_a_signature_is_checked_over_the_bytes_as_they_came() -> None:
    auth = [{"hmac": {"header": "X-Signature", "secret": ["a-shared-secret", "the-old-one"], "prefix": "sha256="}}]
    async with door(settings(auth=auth)) as d:
        for body in (READ, b"no json", b"", b"\xff\x00"):
            expected = 200 if body == READ else 400
            assert await status(d, body=body, X_Signature="sha256=" + signed(body)) == expected
            assert await status(d, body=body, X_Signature="sha256=" + signed(body, "the-old-one").upper()) == expected
            assert await status(d, body=body + b" ", X_Signature="sha256=" + signed(body)) == 401
            assert await status(d, body=body, X_Signature=signed(body)) == 401
        client = await d.connect()
        data = request(PATH, READ, {"X-Signature": "sha256=" + signed(READ)})
        await client.send(data[:-3])
        await d.until(lambda: d.in_flight)
        await client.send(data[-3:])
        assert (await client.reply()).status == 200
        matches = d.telemetry.metrics.credentials.counts
        assert {str(labels[2]): count for labels, count in matches.items()} == {"0": 5, "1": 4}


async def test_a_signed_time_must_be_near() -> None:
    auth = [{"hmac": {"header": "X-Sig", "secret": "s", "timestamp_header": "X-Time", "tolerance": "5m"}}]
    async with door(settings(auth=auth), clock_ms=lambda: NOW_MS) as d:
        for skew_s, expected in ((0, 200), (299, 200), (-299, 200), (301, 401), (-301, 401)):
            at = str(NOW_MS // 1000 + skew_s)
            signature = signed(at.encode() + b"." + READ, "s")
            assert await status(d, X_Sig=signature, X_Time=at) == expected
        assert await status(d, X_Sig=signed(b"." + READ, "s"), X_Time="") == 401
        assert await status(d, X_Sig=signed(READ, "s")) == 401


async def test_a_value_is_accepted_until_its_not_after_and_the_metric_says_which_is_in_use() -> None:
    now = [NOW_MS]
    auth = [{"bearer": ["new-token", {"value": "old-token", "not_after": "2026-06-22"}]}]
    async with door(settings(auth=auth), clock_ms=lambda: now[0]) as d:
        assert await status(d, Authorization="Bearer new-token") == 200
        assert await status(d, Authorization="Bearer old-token") == 200
        now[0] = 1_782_172_799_999  # the last millisecond of that day in UTC
        assert await status(d, Authorization="Bearer old-token") == 200
        now[0] += 1
        with capture_logs() as lines:
            assert await status(d, Authorization="Bearer old-token") == 401
        assert [line["reason"] for line in lines if line["event"] == "request.unauthorized"] == ["expired"]
        assert await status(d, Authorization="Bearer new-token") == 200
        matches = d.telemetry.metrics.credentials.counts
        assert {tuple(map(str, labels)): n for labels, n in matches.items()} == {
            ("treble", "0", "0"): 2,
            ("treble", "0", "1"): 2,
        }


async def test_the_callers_address_is_the_peers_unless_a_trusted_proxy_says_more() -> None:
    auth = [{"client_ip": ["203.0.113.0/24", "2001:db8::/32"]}]
    async with door(settings(auth=auth)) as d:
        assert await status(d, X_Forwarded_For="203.0.113.7") == 401, "anyone can write this header"
    async with door(settings(auth=auth, server={"trusted_proxies": ["127.0.0.0/8", "10.0.0.0/8"]})) as d:
        assert await status(d) == 401
        assert await status(d, X_Forwarded_For="203.0.113.7") == 200
        assert await status(d, X_Forwarded_For="evil, 203.0.113.7, 10.1.2.3") == 200
        assert await status(d, X_Forwarded_For="[2001:db8::1]:443") == 200
        assert await status(d, X_Forwarded_For="203.0.113.7, 198.51.100.1") == 401
        assert await status(d, X_Forwarded_For="203.0.113.7, nonsense") == 401
        both = request(PATH, READ, {"X-Forwarded-For": "203.0.113.7"}).replace(
            b"\r\n\r\n", b"\r\nX-Forwarded-For: 10.0.0.1\r\n\r\n", 1
        )
        assert (await d.ask(both)).status == 200


async def test_a_source_may_be_open_to_everyone_if_it_says_so() -> None:
    async with door(settings(auth="none")) as d:
        assert await status(d) == 200
        assert not d.telemetry.metrics.credentials.counts


async def test_a_flood_of_refusals_is_counted_and_not_logged_line_by_line() -> None:
    async with door() as d:
        with capture_logs() as lines:
            for _ in range(50):
                assert await status(d, Authorization="Bearer wrong") == 401
            assert await status(d) == 401
        assert [line["reason"] for line in lines] == ["wrong", "missing"]
        assert all("Bearer" not in str(line) for line in lines)
        counted = d.telemetry.metrics.unauthorized.labels("treble", "wrong")._value.get()
        assert counted == 50


async def test_no_secret_of_a_url_is_in_any_log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)  # of the libraries
    auth = [{"query": {"name": "token", "value": "q-secret"}}, {"path_secret": "p-secret"}]
    async with door(settings(auth=auth)) as d:
        with capture_logs() as lines:
            await status(d, f"{PATH}/p-secret/read?x=1")
        assert not lines, "only at level debug is there a line for each request"
        d.telemetry.verbose = True
        with capture_logs() as lines:
            await status(d, f"{PATH}/p-secret/read")
            await status(d, f"{PATH}/p-secrte/read")
            await status(d, f"{PATH}/read?token=q-secret")
            await status(d, f"/elsewhere/{'s' * 40}?token=q-secret")
            await status(d, "/elsewhere?token=q-secret")
            assert (await d.ask(request(f"{PATH}/p-secret?token=q-secret", method="GET"))).status == 405
        text = str(lines) + caplog.text
        for secret in ("p-secret", "p-secrte", "q-secret", "sss"):
            assert secret not in text
        paths = [line["path"] for line in lines if line["event"] == "request.answered"]
        assert paths == [
            f"{PATH}/***/read",
            f"{PATH}/***/read",
            f"{PATH}/read?***",
            "/***/***?***",
            "/***?***",
            f"{PATH}/***?***",
        ]


async def test_a_secret_that_is_encoded_or_misspelt_or_where_none_belongs_is_in_no_log() -> None:
    sources = {
        "treble": {"auth": [{"bearer": TOKEN}]},
        "inside": {"path": "/hooks/inside", "auth": [{"path_secret": "Pth_Secret.1234"}]},
    }
    shown = {
        "/hooks/inside/%50th_Secret.1234/read": "/hooks/inside/***/read",
        "/hooks/inside/%50th_Secret.1234/read/x": "/hooks/inside/***/***/***",
        "/hooks/inside/Pth_Secret.1235/read/x": "/hooks/inside/***/***/***",
        "//hooks/inside/%50th_Secret.1234": "/hooks/inside/***",
        "//hooks//inside//Pth_Secret.1234//Read.": "/hooks/inside/***/read",
        "//hooks/out/%50th_Secret.1234": "//hooks/***/***",
        "/hooks/INSIDE/%50th_Secret.1234": "/hooks/***/***",
        "/hooks/inside;Pth_Secret.1234": "/hooks/***",
        "/inside/treble#Pth_Secret.1234": "/inside/***",
        "/%2Fhooks/Pth_Secret.1234?x=1": "/***/***?***",
        "http://u:Pth_Secret.1234@h/hooks/inside/Pth_Secret.1234/x/y": "/hooks/inside/***/***/***",
        "/hooks" + "/Pth_Secret.1234" * 30: "/hooks" + "/***" * 15,
        f"{PATH}/Pth_Secret.1234": f"{PATH}/***",
        f"{PATH}/317_647_7608": f"{PATH}/***",
        f"{PATH}/%72ead": f"{PATH}/read",
        f"{PATH}/read/Pth_Secret.1234": f"{PATH}/***/***",
        PATH: PATH,
        f"{PATH}/read#Pth_Secret.1234": f"{PATH}/read",
    }
    async with door(settings(sources=sources)) as d:
        d.telemetry.verbose = True
        with capture_logs() as lines:
            for path in shown:
                await d.post(path)
        said = str([{name: value for name, value in line.items() if name != "seconds"} for line in lines])
        assert "Secret" not in said
        assert "317" not in said  # in a duration it may well be
        assert [line["path"] for line in lines if line["event"] == "request.answered"] == list(shown.values())


@pytest.mark.parametrize("encoding", ["utf-8", "latin-1"])
async def test_a_secret_that_is_not_ascii_holds_in_either_encoding(encoding: str) -> None:
    sources = {
        "header": {"auth": [{"header": {"name": "X-Key", "value": "clé"}}]},
        "query": {"auth": [{"query": {"name": "key", "value": "clé"}}]},
        "basic": {"auth": [{"basic": {"username": "señor", "password": "clé"}}]},
    }
    raw = "clé".encode(encoding)
    key = raw.decode("utf-8", "surrogateescape")
    async with door(settings(sources=sources)) as d:
        assert await status(d, "/webhooks/header", X_Key=key) == 200
        assert await status(d, "/webhooks/header", X_Key="cl?") == 401
        assert await status(d, "/webhooks/query?key=" + "".join(f"%{byte:02x}" for byte in raw)) == 200
        user = base64.b64encode("señor:clé".encode(encoding)).decode()
        assert await status(d, "/webhooks/basic", Authorization=f"Basic {user}") == 200


@pytest.mark.parametrize(
    ("path", "hint"),
    [
        ("/SeCret.1", ""),
        ("//webhooks//treble//SeCret.1//", ""),
        ("//SeCret.1/%0A", ""),
        ("%20/SeCret.1/", ""),
        ("/SeCret.1//Read%0A", "read"),
        ("./SeCret.1/READ.", "read"),
        ("/SeCret.1/other.", "other."),
    ],
)
async def test_a_path_with_a_secret_may_be_pasted_with_what_comes_along(path: str, hint: str) -> None:
    async with door(settings(auth=[{"path_secret": "SeCret.1"}, {"bearer": TOKEN}])) as d:
        assert await status(d, path if path.startswith("//webhooks") else PATH + path) == 200
        assert [entry.hint for entry in d.journal.stored] == [hint]
        for wrong in ("/secret.1", "/SeCret.", "/SeCret.1.x", "/SeCret.1/a/b", "/SeCret.1%20", "./SeCret.1."):
            assert await status(d, PATH + wrong) in (401, 404)
        assert (await d.post(f"{PATH}/Read%0A")).status == 200
        assert d.journal.stored[-1].hint == "read"


BEHIND_A_PROXY = [
    ({}, "127.0.0.1"),
    ({"X-Forwarded-For": "203.0.113.7"}, "203.0.113.7"),
    ({"X-Forwarded-For": "198.51.100.1, 203.0.113.7, 10.0.0.9, "}, "203.0.113.7"),
    ({"X-Forwarded-For": "unknown"}, "127.0.0.1"),
]


@pytest.mark.parametrize(("headers", "client"), BEHIND_A_PROXY)
async def test_log_lines_say_the_caller_behind_a_trusted_proxy(headers: dict[str, str], client: str) -> None:
    for trusted in (["127.0.0.0/8", "10.0.0.0/8"], []):
        async with door(settings(server={"trusted_proxies": trusted})) as d:
            d.telemetry.verbose = True
            with capture_logs() as lines:
                await d.post(headers=headers)
                await d.post("/elsewhere", headers=headers)
                await d.post(headers=AUTHORIZED | headers)
            said = [(line["event"], line["remote"]) for line in lines]
            assert [event for event, _ in said] == [
                "request.unauthorized",
                "request.answered",
                "request.answered",
                "request.refused",
                "request.answered",
            ]
            assert {remote for _, remote in said} == {client if trusted else "127.0.0.1"}
