"""The order of the checks: path → method → credentials → rate → declared size → body → JSON → journal → answer.

`admit` is everything before the body, `settle` everything after it; both ways of a request (whole in one piece, or
streamed) go through the same two. They decide and count, and write nothing to a socket.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass

from multidict import CIMultiDictProxy

from bridge.auth import Denied, Facts, Grant, Undecided
from bridge.catalogue import classify
from bridge.ingress import responses, traced
from bridge.ingress.acknowledge import Confirming
from bridge.ingress.content_coding import TooLargeError, decoded
from bridge.ingress.responses import Answer
from bridge.ingress.routes import Route, Routes, Target
from bridge.model import Submission
from bridge.settings.models import Server
from bridge.telemetry import Telemetry
from bridge.telemetry.tracing.requests import RequestTrace, RequestTraces
from bridge.transform.json_body import NotJson, decode

NO_SOURCE = "-"  # the label of requests that lead to no source


@dataclass(frozen=True, slots=True)
class Rules:
    """The part of the configuration that requests are judged by; swapped as a whole."""

    routes: Routes
    server: Server


class Exchange:
    """One request on its way to its answer. It keeps the rules under which it came in.

    `now_ms` is when it was last looked at: for its credentials, then as the time at which the body was here.
    """

    __slots__ = (
        "close",
        "headers",
        "method",
        "now_ms",
        "path",
        "remote",
        "rules",
        "started_s",
        "target",
        "trace",
        "undecided",
    )

    def __init__(
        self,
        rules: Rules,
        *,
        method: str,
        path: str,
        headers: CIMultiDictProxy[str],
        remote: str,
        now_ms: int,
        close: bool,
    ) -> None:
        self.rules = rules
        self.method = method
        self.path = path
        self.headers = headers
        self.remote = remote
        self.close = close
        self.now_ms = now_ms
        self.started_s = time.perf_counter()
        self.target: Target | None = None
        self.undecided: Undecided | None = None
        self.trace: RequestTrace | None = None

    @property
    def source(self) -> str:
        """The source's name, for labels."""
        return self.target.route.source if self.target is not None else NO_SOURCE


class Intake:
    """Judges requests and hands submissions to the journal. `traces` is None where there are to be none."""

    def __init__(
        self,
        rules: Rules,
        confirming: Confirming,
        telemetry: Telemetry,
        clock_ms: Callable[[], int],
        traces: RequestTraces | None = None,
    ) -> None:
        self.rules = rules
        self.paused: Answer | None = None
        self.clock_ms = clock_ms
        self._confirming = confirming
        self._telemetry = telemetry
        self._traces = traces

    def admit(self, exchange: Exchange) -> Answer | None:
        """Everything before the body: the answer that ends the request here, or None when the body may be read."""
        path, query = exchange.path, ""
        if "?" in path or "#" in path:
            path, _, query = path.partition("#")[0].partition("?")
        exchange.target = target = exchange.rules.routes.find(path)
        if target is None:
            return responses.NOT_FOUND
        if exchange.method != "POST":
            return responses.METHOD_NOT_ALLOWED
        facts = Facts(exchange.headers, query, target.path_secret, exchange.remote)
        verdict = target.route.credentials.before_body(facts, exchange.now_ms)
        if isinstance(verdict, Undecided):
            exchange.undecided = verdict
        elif (refusal := self._judged(target.route, verdict, exchange.remote)) is not None:
            return refusal
        declared = exchange.headers.get("Content-Length")
        if declared is not None and int(declared) > exchange.rules.server.max_body:
            return responses.TOO_LARGE
        return None

    def settle(self, exchange: Exchange, body: bytes, done: Callable[[Answer], None]) -> None:
        """Everything after the body. Calls `done` once with the answer, now or when the journal has spoken."""
        target, rules = exchange.target, exchange.rules
        assert target is not None
        route = target.route
        if len(body) > rules.server.max_body:
            done(responses.TOO_LARGE)
            return
        if exchange.undecided is not None:
            verdict = route.credentials.after_body(exchange.undecided, body, exchange.now_ms)
            if (refusal := self._judged(route, verdict, exchange.remote)) is not None:
                done(refusal)
                return
        coding = exchange.headers.get("Content-Encoding")
        if coding is not None:
            coding = ", ".join(exchange.headers.getall("Content-Encoding"))
            try:
                plain = decoded(body, coding, rules.server.max_body)
            except TooLargeError:
                done(responses.TOO_LARGE)
                return
            if plain is not None:
                body, coding = plain, None
        accepted = _accepted(route, body, target.hint)
        if self.paused is not None:
            done(self.paused)
            return
        if self._traces is None:
            headers = route.keeper.keep(exchange.headers)
        else:
            parent, state, exchange.trace = self._traces.begin(*route.keeper.trace_of(exchange.headers))
            headers = route.keeper.keep_traced(exchange.headers, parent, state)
        if coding is not None:  # it could not be undone
            headers = route.keeper.with_coding(headers, coding)
        submission = Submission(exchange.now_ms, route.source, target.hint, headers, body)
        stored = self._confirming.confirm(submission, accepted, rules.server.ack_deadline, done)
        if exchange.trace is not None:
            exchange.trace.stored = stored

    def count(self, exchange: Exchange, answer: Answer) -> None:
        """The answer is on its way."""
        seconds = time.perf_counter() - exchange.started_s if answer.status == 200 else None
        source = exchange.source
        if self._telemetry.verbose:
            path = exchange.rules.routes.shown(exchange.path, exchange.target)
            self._telemetry.request_answered(
                source, answer.outcome, seconds, method=exchange.method, path=path, remote=exchange.remote
            )
        else:
            self._telemetry.request_answered(source, answer.outcome, seconds)
        if answer.reason:
            self._telemetry.not_accepted(source, answer.reason)
        if exchange.trace is not None:
            self._end_trace(exchange, exchange.trace, answer)

    def _end_trace(self, exchange: Exchange, trace: RequestTrace, answer: Answer) -> None:
        assert exchange.target is not None
        found = traced.attributes(exchange.target, answer, tls=exchange.rules.server.tls is not None)
        seconds = time.perf_counter() - exchange.started_s
        trace.answered(traced.span_name(exchange.target), found, seconds, str(found.get("error.type", "")))

    def _judged(self, route: Route, verdict: Grant | Denied, remote: str) -> Answer | None:
        """401, 429, or None when the request may go on."""
        if isinstance(verdict, Denied):
            self._telemetry.unauthorized(route.source, verdict.reason, remote)
            return route.unauthorized
        if verdict.generations:
            self._telemetry.credential_matched(route.source, verdict.alternative, verdict.generation)
        if route.bucket is not None and (wait_s := route.bucket.take(time.monotonic())):
            return responses.rate_limited(wait_s)
        return None


def _accepted(route: Route, body: bytes, hint: str) -> Answer:
    """The answer of this body once it is stored. What is not JSON is stored all the same, for the quarantine."""
    try:
        value = decode(body).value
    except NotJson:
        return responses.NOT_JSON
    if route.responses:
        event_type = classify(value, hint).event_type
        return route.responses.get(event_type or "", route.accepted)
    return route.accepted
