"""The order of the checks: path → method → credentials → rate → declared size → body → JSON → journal → response.

`check_head` is everything before the body, `handle_body` everything after it; the fast and the slow path go through the
same two. They decide and count, and write nothing to a socket.
"""

import time
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from multidict import CIMultiDictProxy

from bridge.auth import Denied, Facts, Grant, Undecided
from bridge.catalogue import classify
from bridge.ingress import responses
from bridge.ingress.acknowledge import Acknowledger
from bridge.ingress.responses import Response
from bridge.ingress.routes import HIDDEN, Route, Routes, Target
from bridge.model import Entry
from bridge.settings.models import Server
from bridge.telemetry import Telemetry
from bridge.transform.json_body import NotJson, decode

if TYPE_CHECKING:
    from bridge.telemetry.tracing import RequestTrace, Tracing

NO_SOURCE = "-"  # the label of requests that lead to no source
_GZIP = 16 + zlib.MAX_WBITS
_GZIP_MEMBERS_MAX = 16  # each costs a copy of what follows it


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
    target: Target | None = None
    undecided: Undecided | None = None
    trace: "RequestTrace | None" = None

    @property
    def source(self) -> str:
        """The source's name, for labels."""
        return self.target.route.source if self.target is not None else NO_SOURCE


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
        elif (refusal := self._refusal(target.route, verdict, context.remote)) is not None:
            return refusal
        declared = context.headers.get("Content-Length")
        if declared is not None and int(declared) > context.rules.server.max_body:
            return responses.TOO_LARGE
        return None

    def handle_body(self, context: RequestContext, body: bytes, done: Callable[[Response], None]) -> None:
        """Everything after the body. Calls `done` once with the response, now or when the journal has answered."""
        target, rules = context.target, context.rules
        assert target is not None
        route = target.route
        if len(body) > rules.server.max_body:
            done(responses.TOO_LARGE)
            return
        if context.undecided is not None:
            verdict = route.credentials.after_body(context.undecided, body, context.now_ms)
            if (refusal := self._refusal(route, verdict, context.remote)) is not None:
                done(refusal)
                return
        coding = context.headers.get("Content-Encoding")
        if coding is not None:
            coding = ", ".join(context.headers.getall("Content-Encoding"))
            plain = _decoded(body, coding, rules.server.max_body)
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
        source = context.source
        if self._telemetry.verbose:
            path = context.rules.routes.shown(context.path, context.target)
            self._telemetry.request_answered(
                source, response.outcome, seconds, method=context.method, path=path, remote=context.remote
            )
        else:
            self._telemetry.request_answered(source, response.outcome, seconds)
        if response.reason:
            self._telemetry.not_accepted(source, response.reason)
        if context.trace is not None and context.target is not None:
            found = _span_attributes(context.target, response, tls=context.rules.server.tls is not None)
            # Method and route: as many names as there are sources, times three.
            context.trace.answered(f"POST {found['http.route']}", found, str(found.get("error.type", "")))

    def _refusal(self, route: Route, verdict: Grant | Denied, remote: str) -> Response | None:
        """401, 429, or None when the request may go on."""
        if isinstance(verdict, Denied):
            self._telemetry.unauthorized(route.source, verdict.reason, remote)
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


def _span_attributes(target: Target, response: Response, *, tls: bool) -> dict[str, Any]:
    # Named by OpenTelemetry's conventions for HTTP servers where they have a name. Nothing that a sender chose freely,
    # and no secret.
    found: dict[str, Any] = {
        "http.request.method": "POST",
        "http.route": target.path(segment="{path_secret}", hint="{hint}"),
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


def _decoded(body: bytes, coding: str, bytes_max: int) -> bytes | None:
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
