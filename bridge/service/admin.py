"""The admin port: /livez, /readyz, /metrics, /status. It only asks and shows; what is true is `Health`'s business.

For probes and scrapers inside: no credentials, no secrets in any answer, never to be published. GET (and HEAD) only.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Literal, Protocol

import orjson
from aiohttp import web

from bridge.ingress.listener import cannot_listen
from bridge.settings.units import Address
from bridge.telemetry import Telemetry

HEADER_BYTES_MAX = 8190
KEEPALIVE_S = 75.0
SHUTDOWN_S = 1.0

State = Literal["ok", "degraded", "unready"]


@dataclass(frozen=True, slots=True)
class Check:
    """One part of readiness. `state` "unready" makes the whole unready, unless the check is only `reported`."""

    state: State
    detail: Mapping[str, Any]
    reported: bool = False


class Health(Protocol):
    """Who knows how the bridge is. All answers are immediate: nothing here asks a disk or a broker."""

    def alive(self) -> bool:
        """Whether the process does its work, whatever its surroundings do."""
        ...

    def checks(self) -> Mapping[str, Check]:
        """Whether a webhook can be taken durably now, part by part."""
        ...

    def status(self) -> Mapping[str, Any]:
        """All there is to know, for a person who looks for a cause."""
        ...


class AdminServer:
    """The admin port of one process."""

    def __init__(self, listen: Address, health: Health, telemetry: Telemetry) -> None:
        self._listen, self._health, self._telemetry = listen, health, telemetry
        self._pages: dict[str, Callable[[web.BaseRequest], web.Response]] = {
            "/livez": self._livez,
            "/readyz": self._readyz,
            "/metrics": self._metrics,
            "/status": self._status,
        }
        self._runner: web.ServerRunner | None = None

    async def start(self) -> None:
        """Listen. Raises ConfigError when the address can't be had; ListenError when it may be later."""
        runner = web.ServerRunner(_Server(self._answer), shutdown_timeout=SHUTDOWN_S)
        await runner.setup()
        try:
            await web.TCPSite(runner, self._listen.host or None, self._listen.port).start()
        except OSError as error:
            await runner.cleanup()
            raise cannot_listen("admin.listen", self._listen, error) from error
        self._runner = runner

    @property
    def addresses(self) -> list[Address]:
        """Where it listens, with real ports."""
        return [Address(*address[:2]) for address in self._runner.addresses] if self._runner is not None else []

    async def close(self) -> None:
        """Stop listening, end connections."""
        if self._runner is not None:
            await self._runner.cleanup()

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        """Every error is problem+json (RFC 9457), without a word of the exception."""
        if request.version[0] != 1:
            if request.transport is not None:
                request.transport.close()  # aiohttp would answer in that version, which is not what it speaks
            return _problem(505, "HTTP Version Not Supported")
        page = self._pages.get(request.path)
        if page is None:
            return _problem(404, "Not Found")
        if request.method not in {"GET", "HEAD"}:
            answer = _problem(405, "Method Not Allowed")
            answer.headers["Allow"] = "GET,HEAD"
            return answer
        try:
            return page(request)
        except Exception as error:  # noqa: BLE001 - a probe must get an answer, and the log the traceback
            self._telemetry.request_failed("admin", error)
            return _problem(500, "Internal Server Error")

    def _livez(self, _request: web.BaseRequest) -> web.Response:
        alive = self._health.alive()
        return _json({"status": "ok" if alive else "stuck"}, 200 if alive else 503)

    def _readyz(self, _request: web.BaseRequest) -> web.Response:
        checks = self._health.checks()
        state = _overall(checks)
        body = {
            "status": state,
            "checks": {name: {"status": check.state, **check.detail} for name, check in checks.items()},
        }
        return _json(body, 503 if state == "unready" else 200)

    def _metrics(self, request: web.BaseRequest) -> web.Response:
        text, content_type = self._telemetry.metrics.exposition(request.headers.get("Accept", ""))
        return web.Response(body=text, headers={"Content-Type": content_type, "Cache-Control": "no-store"})

    def _status(self, _request: web.BaseRequest) -> web.Response:
        return _json(self._health.status(), 200)


def _overall(checks: Mapping[str, Check]) -> State:
    deciding = {check.state for check in checks.values() if not check.reported}
    if "unready" in deciding:
        return "unready"
    return "degraded" if "degraded" in deciding else "ok"


def _json(body: Mapping[str, Any], status: int, content_type: str = "application/json") -> web.Response:
    return web.Response(
        body=orjson.dumps(body, default=str, option=orjson.OPT_NON_STR_KEYS | orjson.OPT_APPEND_NEWLINE),
        status=status,
        headers={"Content-Type": content_type, "Cache-Control": "no-store"},
    )


class _Server(web.Server):
    """Makes a `_Connection` for each client."""

    def __init__(self, answer: Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]) -> None:
        super().__init__(answer)
        self._event_loop = asyncio.get_running_loop()

    def __call__(self) -> "_Connection":
        """The protocol of a new connection."""
        return _Connection(
            self,
            loop=self._event_loop,
            access_log=None,  # type: ignore[arg-type]  # as in Server
            keepalive_timeout=KEEPALIVE_S,
            max_field_size=HEADER_BYTES_MAX,
            max_line_size=HEADER_BYTES_MAX,
            auto_decompress=False,  # no body is wanted: none is undone, nor waited for
            lingering_time=0,
        )


class _Connection(web.RequestHandler):
    """One client. aiohttp would answer what is not HTTP with a piece of it, and log a traceback; this does neither."""

    __slots__ = ()

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """What is answered when there is no request to answer."""
        del request, exc, message
        answer = _problem(status, HTTPStatus(status).phrase)
        answer.force_close()
        return answer


def _problem(status: int, title: str) -> web.Response:
    return _json({"type": "about:blank", "title": title, "status": status}, status, "application/problem+json")
