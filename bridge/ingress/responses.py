"""Everything a client can get to see: a table of responses, each with its bytes prepared.

Errors are problem details (RFC 9457). Their `type` is stable: programs may compare it. No text here is made from what
a client sent or from an exception.
"""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import orjson
from aiohttp import web

_SERVER = ("Server", "treble-bridge")
_PROBLEM_JSON = ("Content-Type", "application/problem+json")
PROBLEM_PREFIX = "urn:treble-bridge:problem:"


class Response:
    """One response: status, headers, body, and `outcome`, the bounded word under which it is counted.

    `reason` says more to the log where one outcome has several causes.
    """

    __slots__ = ("_close_end", "_head", "_keep_end", "body", "headers", "outcome", "reason", "status")

    def __init__(
        self, status: int, outcome: str, body: bytes, headers: tuple[tuple[str, str], ...], reason: str = ""
    ) -> None:
        self.status = status
        self.outcome = outcome
        self.reason = reason
        self.body = body
        self.headers = (*headers, _SERVER)
        lines = [f"HTTP/1.1 {status} {HTTPStatus(status).phrase}", f"Content-Length: {len(body)}"]
        lines += [f"{name}: {value}" for name, value in self.headers]
        self._head = "\r\n".join([*lines, "Date: "]).encode()
        self._keep_end = b"\r\n\r\n" + body
        self._close_end = b"\r\nConnection: close\r\n\r\n" + body

    def encode(self, date: bytes, *, close: bool) -> bytes:
        return self._head + date + (self._close_end if close else self._keep_end)

    def to_aiohttp(self, *, close: bool) -> web.Response:
        """The same for the slow path, which aiohttp sends."""
        response = web.Response(status=self.status, body=self.body, headers=dict(self.headers))
        if close:
            response.force_close()
        return response


def accepted(body: Mapping[str, Any] | None = None) -> Response:
    """200. Treble merges `user_session_keys` of the body into the conversation; `{}` changes nothing."""
    return Response(200, "accepted", orjson.dumps(dict(body or {})), (("Content-Type", "application/json"),))


def _problem(
    status: int, slug: str, title: str, *headers: tuple[str, str], outcome: str = "", reason: str = ""
) -> Response:
    body = orjson.dumps({"type": PROBLEM_PREFIX + slug, "title": title, "status": status})
    return Response(status, outcome or slug.replace("-", "_"), body, (_PROBLEM_JSON, *headers), reason)


def unauthorized(challenge: str) -> Response:
    """401. The same for every cause: only the log says what was wrong."""
    return _problem(401, "unauthorized", "Credentials are missing or not accepted", ("WWW-Authenticate", challenge))


def rate_limited(retry_after_s: int) -> Response:
    return _problem(429, "rate-limited", "Too many requests for this source", ("Retry-After", str(retry_after_s)))


def unavailable(reason: str, retry_after_s: int = 5) -> Response:
    """503: the journal can't take it now. `reason` is a bounded word for the log; outside all causes look the same."""
    title = "Webhooks can't be stored now"
    retry = ("Retry-After", str(retry_after_s))
    return _problem(503, "not-accepted", title, retry, outcome="not_accepted", reason=reason)


MALFORMED, PROXY, TLS, HTTP2 = (
    _problem(400, "malformed-request", "The request is not valid HTTP", outcome=outcome)
    for outcome in ("malformed", "proxy_protocol", "tls", "http2")
)
_PREAMBLES = {b"PROXY ": PROXY, b"\r\n\r\n\0\r\nQUIT\n": PROXY, b"\x16\x03": TLS, b"PRI * HTTP/2": HTTP2}
CLIENT_GONE = _problem(400, "malformed-request", "The connection ended early", outcome="client_gone")  # no one sees it
NOT_JSON = _problem(400, "not-json", "The body is not JSON in UTF-8; it was kept")
NOT_FOUND = _problem(404, "not-found", "No webhook is received at this path")
METHOD_NOT_ALLOWED = _problem(
    405, "method-not-allowed", "Webhooks are sent with POST", ("Allow", "POST"), outcome="method_not_allowed"
)
TIMED_OUT = _problem(408, "body-timeout", "The body did not arrive in time", outcome="timed_out")
NOT_IMPLEMENTED = _problem(501, "not-implemented", "The transfer coding can't be undone", outcome="not_implemented")
TOO_LARGE = _problem(413, "too-large", "The body is larger than accepted")

JOURNAL_FULL = unavailable("journal_full", retry_after_s=30)
JOURNAL_FAILED = unavailable("journal_failed")
UNCONFIRMED = unavailable("unconfirmed")  # no word from the journal within the deadline
MEMORY_FULL = unavailable("memory_full", retry_after_s=1)  # too many bytes wait for the journal
TOO_MANY_CONNECTIONS = unavailable("too_many_connections", retry_after_s=1)
UNFORESEEN = unavailable("unforeseen_error")


def not_http(begin: bytes) -> Response:
    """400, counted by what it is instead, to judge by how it began."""
    return next((answer for preamble, answer in _PREAMBLES.items() if begin.startswith(preamble)), MALFORMED)
