"""The order of the checks: path → method → credentials → rate → declared size → body → JSON → journal → response.

`check_head` is everything before the body, `handle_body` everything after it; the fast and the slow path go through the
same two. They decide and count, and write nothing to a socket.
"""

import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from aiohttp import hdrs
from multidict import CIMultiDictProxy

from bridge.auth import Denied, Facts, Grant, Undecided
from bridge.auth.conditions import caller
from bridge.catalogue import classify
from bridge.ingress import responses
from bridge.ingress.acknowledge import Acknowledger
from bridge.ingress.content_coding import decoded
from bridge.ingress.responses import Response
from bridge.ingress.routes import HIDDEN, Route, Routes, Target
from bridge.model import Entry
from bridge.settings.models import Server
from bridge.telemetry import Telemetry
from bridge.transform.json_body import NotJson, decode

if TYPE_CHECKING:
    from bridge.telemetry.tracing import RequestTrace, Tracing

NO_SOURCE = "-"  # the label of requests that lead to no source
_LENGTH_DIGITS_MAX = 20
_TOLD_ELSEWHERE = {"unauthorized", "rate_limited", "not_json", "client_gone"}  # or that is no misfortune
# RFC 9112, 3.2, but for the comma: that is two of them, joined.
_HOST = re.compile(r"(([\w.~!$&'()*+;=-]|%[0-9A-Fa-f]{2})+|\[[0-9A-Fa-f:.]+(%[\w.~%-]+)?\])(:\d{0,5})?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Rules:
    """The part of the configuration that requests are judged by; swapped as a whole."""

    routes: Routes
    server: Server


@dataclass(slots=True, eq=False, kw_only=True)
class RequestContext:
    """One request on its way to its response. It keeps the rules under which it came in.

    `now_ms` is when it was last looked at: for its credentials, then as the time at which the body was here.
    """

    rules: Rules
    method: str
    path: str
    headers: CIMultiDictProxy[str]
    remote: str
    now_ms: int
    close: bool
    started_s: float = field(default_factory=time.perf_counter)
    transfer_coding: str = ""
    target: Target | None = None
    undecided: Undecided | None = None
    trace: "RequestTrace | None" = None

    @property
    def source(self) -> str:
        """The source's name, for labels."""
        return self.target.route.source if self.target is not None else NO_SOURCE

    @property
    def client(self) -> str:
        """The caller's address: behind trusted proxies, what they say; the peer's where they don't say any."""
        forwarded = self.headers.getall("X-Forwarded-For", ())
        return str(caller(self.remote, forwarded, self.rules.server.trusted_proxies) or self.remote)


class Checks:
    """Judges requests and hands submissions to the journal. `tracing` is None where there are to be no traces."""

    def __init__(
        self,
        rules: Rules,
        acknowledger: Acknowledger,
        telemetry: Telemetry,
        clock_ms: Callable[[], int],
        tracing: "Tracing | None" = None,
    ) -> None:
        self.rules = rules
        self.paused: Response | None = None
        self.clock_ms = clock_ms
        self._acknowledger = acknowledger
        self._telemetry = telemetry
        self._tracing = tracing

    def check_head(self, context: RequestContext) -> Response | None:
        """Everything before the body: the response that ends the request here, or None when the body may be read."""
        if not _is_sound(context):
            context.close = True
            return responses.MALFORMED
        path, query = context.path, ""
        if "?" in path or "#" in path:
            path, _, query = path.partition("#")[0].partition("?")
        context.target = target = context.rules.routes.find(path)
        if target is None:
            return responses.NOT_FOUND
        if context.method != "POST":
            return responses.METHOD_NOT_ALLOWED
        facts = Facts(context.headers, query, target.path_secret, context.remote)
        verdict = target.route.credentials.before_body(facts, context.now_ms)
        if isinstance(verdict, Undecided):
            context.undecided = verdict
        elif (refusal := self._refusal(target.route, verdict, context)) is not None:
            return refusal
        declared, bytes_max = context.headers.get(hdrs.CONTENT_LENGTH), context.rules.server.max_body
        if declared is not None and (len(declared) > _LENGTH_DIGITS_MAX or int(declared) > bytes_max):
            return responses.TOO_LARGE
        return None

    def handle_body(self, context: RequestContext, body: bytes, done: Callable[[Response], None]) -> None:
        """Everything after the body. Calls `done` once with the response, now or when the journal has answered."""
        target, rules = context.target, context.rules
        assert target is not None
        route = target.route
        if context.transfer_coding:
            undone = decoded(body, context.transfer_coding, rules.server.max_body)
            if undone is None:
                done(responses.NOT_IMPLEMENTED)
                return
            body = undone
        if len(body) > rules.server.max_body:
            done(responses.TOO_LARGE)
            return
        if context.undecided is not None:
            verdict = route.credentials.after_body(context.undecided, body, context.now_ms)
            if (refusal := self._refusal(route, verdict, context)) is not None:
                done(refusal)
                return
        coding = context.headers.get("Content-Encoding")
        if coding is not None:
            coding = ", ".join(context.headers.getall("Content-Encoding"))
            plain = decoded(body, coding, rules.server.max_body)
            if plain is not None:
                body, coding = plain, None
                if len(body) > rules.server.max_body:
                    done(responses.TOO_LARGE)
                    return
        accepted = _accepted(route, body, target.hint)
        if self.paused is not None:
            done(self.paused)
            return
        trace: tuple[str, str | None] | None = None
        if self._tracing is not None:
            traced = self._tracing.begin_request(*route.keeper.trace_of(context.headers), context.started_s)
            trace, context.trace = traced[:2], traced[2]
        headers = route.keeper.keep(context.headers, trace, coding)
        submission = Entry(0, context.now_ms, route.source, target.hint, headers, body)
        stored = self._acknowledger.append(submission, accepted, rules.server.ack_deadline, done)
        if context.trace is not None:
            context.trace.stored = stored

    def on_response(self, context: RequestContext, response: Response) -> None:
        """Count, log and trace a response that is on its way."""
        seconds = time.perf_counter() - context.started_s if response.status == 200 else None
        source, telemetry = context.source, self._telemetry
        if telemetry.verbose:
            telemetry.request_answered(source, response.outcome, seconds, method=context.method, **_shown(context))
        else:
            telemetry.request_answered(source, response.outcome, seconds)
        if response.reason:
            telemetry.not_accepted(source, response.reason)
        elif seconds is None and response.outcome not in _TOLD_ELSEWHERE:
            telemetry.refused(source, response.outcome, **_shown(context))
        if context.trace is not None and context.target is not None:
            found = _span_attributes(context, context.target, response, tls=context.rules.server.tls is not None)
            # Method and route: as many names as there are sources, times three.
            context.trace.answered(f"POST {found['http.route']}", found, str(found.get("error.type", "")))

    def _refusal(self, route: Route, verdict: Grant | Denied, context: RequestContext) -> Response | None:
        """401, 429, or None when the request may go on."""
        if isinstance(verdict, Denied):
            self._telemetry.unauthorized(route.source, verdict.reason, context.client)
            return route.unauthorized
        if verdict.generations:
            self._telemetry.credential_matched(route.source, verdict.alternative, verdict.generation)
        if route.bucket is not None and (wait_s := route.bucket.take(time.monotonic())):
            return responses.rate_limited(wait_s)
        return None


def _accepted(route: Route, body: bytes, hint: str) -> Response:
    """The response to this body once it is stored. What is not JSON is stored all the same, for the quarantine."""
    try:
        value = decode(body).value
    except NotJson:
        return responses.NOT_JSON
    if route.responses:
        event_type = classify(value, hint).event_type
        return route.responses.get(event_type or "", route.accepted)
    return route.accepted


def _is_sound(context: RequestContext) -> bool:
    """Whether Host and Transfer-Encoding are what HTTP wants (RFC 9112, 3.2 and 6.1), where aiohttp doesn't look."""
    headers = context.headers
    coding = headers.get(hdrs.TRANSFER_ENCODING)  # there is one line at the most
    if coding is not None and coding.lower() != "chunked":
        context.transfer_coding, _, last = coding.rpartition(",")
        if last.strip().lower() != "chunked":
            return False
    host = headers.get(hdrs.HOST)
    return not host or _is_host(host)


@lru_cache(64)
def _is_host(text: str) -> bool:
    return _HOST.fullmatch(text) is not None


def _shown(context: RequestContext) -> dict[str, str]:
    # What a line of the log may say on a request: no secret, and nothing that a sender chose freely.
    return {"path": context.rules.routes.shown(context.path, context.target), "remote": context.client}


def _span_attributes(context: RequestContext, target: Target, response: Response, *, tls: bool) -> dict[str, Any]:
    # Named by OpenTelemetry's conventions for HTTP servers where they have a name. Nothing that a sender chose freely,
    # and no secret.
    found: dict[str, Any] = {
        "http.request.method": "POST",
        "http.route": target.path(segment="{path_secret}", hint="{hint}"),
        "client.address": context.client,
        "url.scheme": "https" if tls else "http",
        "url.path": target.path(segment=HIDDEN, hint=target.known_hint or HIDDEN),
        "http.response.status_code": response.status,
        "treble_bridge.source": target.route.source,
        "treble_bridge.outcome": response.outcome,
    }
    if target.hint:
        found["treble_bridge.hint"] = target.known_hint or "other"
    if response.status >= 500:
        found["error.type"] = response.reason or str(response.status)
    return found
