"""The admin port: /livez, /readyz, /metrics, /status. It only asks and shows; what is true is `Health`'s business.

For probes and scrapers inside: no credentials, no secrets in any answer, never to be published. GET (and HEAD) only.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import orjson
from aiohttp import web
from aiohttp.typedefs import Middleware

from bridge.errors import ConfigError
from bridge.settings.units import Address
from bridge.telemetry import Telemetry

HEADER_BYTES_MAX = 8190
REQUEST_BYTES_MAX = 1 << 10
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
        app = web.Application(middlewares=[_problems(telemetry)], client_max_size=REQUEST_BYTES_MAX)
        app.router.add_get("/livez", self._livez)
        app.router.add_get("/readyz", self._readyz)
        app.router.add_get("/metrics", self._metrics)
        app.router.add_get("/status", self._status)
        self._runner = web.AppRunner(
            app,
            access_log=None,
            keepalive_timeout=KEEPALIVE_S,
            max_field_size=HEADER_BYTES_MAX,
            max_line_size=HEADER_BYTES_MAX,
            shutdown_timeout=SHUTDOWN_S,
        )

    async def start(self) -> None:
        """Listen. Raises ConfigError when the address can't be had."""
        await self._runner.setup()
        try:
            await web.TCPSite(self._runner, self._listen.host or None, self._listen.port).start()
        except OSError as error:
            await self._runner.cleanup()
            raise ConfigError(f"admin.listen: can't listen on {self._listen}: {error.strerror or error}") from error

    @property
    def addresses(self) -> list[Address]:
        """Where it listens, with real ports."""
        return [Address(*address[:2]) for address in self._runner.addresses]

    async def close(self) -> None:
        """Stop listening, end connections."""
        await self._runner.cleanup()

    async def _livez(self, _request: web.Request) -> web.Response:
        alive = self._health.alive()
        return _json({"status": "ok" if alive else "stuck"}, 200 if alive else 503)

    async def _readyz(self, _request: web.Request) -> web.Response:
        checks = self._health.checks()
        state = _overall(checks)
        body = {
            "status": state,
            "checks": {name: {"status": check.state, **check.detail} for name, check in checks.items()},
        }
        return _json(body, 503 if state == "unready" else 200)

    async def _metrics(self, request: web.Request) -> web.Response:
        text, content_type = self._telemetry.metrics.exposition(request.headers.get("Accept", ""))
        return web.Response(body=text, headers={"Content-Type": content_type, "Cache-Control": "no-store"})

    async def _status(self, _request: web.Request) -> web.Response:
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


def _problems(telemetry: Telemetry) -> Middleware:
    """Every error as problem+json (RFC 9457), without a word of the exception."""

    @web.middleware
    async def answer_errors(
        request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        try:
            return await handler(request)
        except web.HTTPException as error:
            answer = _problem(error.status, error.reason)
            if "Allow" in error.headers:
                answer.headers["Allow"] = error.headers["Allow"]
            return answer
        except Exception as error:  # noqa: BLE001 - a probe must get an answer, and the log the traceback
            telemetry.request_failed("admin", error)
            return _problem(500, "Internal Server Error")

    return answer_errors


def _problem(status: int, title: str) -> web.Response:
    return _json({"type": "about:blank", "title": title, "status": status}, status, "application/problem+json")
