"""The admin port: /livez, /readyz, /metrics, /status. GET (and HEAD) only.

For probes and scrapers inside: no credentials, no secrets in any response, never to be published.
"""

import logging
from collections.abc import Mapping
from typing import Any, Final

import orjson
from aiohttp import web
from aiohttp.typedefs import Handler

from bridge.ingress.listener import cannot_listen
from bridge.service.health import Health
from bridge.settings.units import Address
from bridge.telemetry import Telemetry

_SILENT: Final = logging.getLogger("bridge.admin")
"""aiohttp logs a traceback for whatever is not HTTP. What goes wrong in here is logged by `_problems`."""
_SILENT.disabled = True


class AdminServer:
    def __init__(self, listen: Address, health: Health, telemetry: Telemetry) -> None:
        self._listen, self._health, self._telemetry = listen, health, telemetry
        app = web.Application(middlewares=[self._problems])
        app.router.add_get("/livez", self._livez)
        app.router.add_get("/readyz", self._readyz)
        app.router.add_get("/metrics", self._metrics)
        app.router.add_get("/status", self._status)
        # No body is wanted, nor waited for.
        limits: dict[str, Any] = {"keepalive_timeout": 75.0, "lingering_time": 0, "shutdown_timeout": 1.0}
        self._runner = web.AppRunner(app, access_log=None, logger=_SILENT, **limits)

    async def start(self) -> None:
        """Listen. Raises ConfigError when the address can't be used; ListenError when a later try may succeed."""
        await self._runner.setup()
        try:
            await web.TCPSite(self._runner, self._listen.host or None, self._listen.port).start()
        except OSError as error:
            await self._runner.cleanup()
            raise cannot_listen("admin.listen", self._listen, error) from error

    @property
    def addresses(self) -> list[Address]:
        return [Address(*address[:2]) for address in self._runner.addresses]

    async def close(self) -> None:
        await self._runner.cleanup()

    @web.middleware
    async def _problems(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Every error is problem+json (RFC 9457), without a word of the exception."""
        if request.version[0] != 1:
            if request.transport is not None:
                request.transport.close()  # aiohttp would answer in that version, which is not what it speaks
            return _problem(505, "HTTP Version Not Supported")
        try:
            return await handler(request)
        except web.HTTPException as error:
            response = _problem(error.status, error.reason)
            if "Allow" in error.headers:
                response.headers["Allow"] = error.headers["Allow"]
            return response
        except Exception as error:  # noqa: BLE001 - a probe must get an answer, and the log the traceback
            self._telemetry.request_failed("admin", error)
            return _problem(500, "Internal Server Error")

    async def _livez(self, _request: web.Request) -> web.Response:
        alive = self._health.alive()
        return _json({"status": "ok" if alive else "stuck"}, 200 if alive else 503)

    async def _readyz(self, _request: web.Request) -> web.Response:
        checks = self._health.checks()
        deciding = {check.state for check in checks.values() if not check.reported}
        state = next((state for state in ("unready", "degraded") if state in deciding), "ok")
        shown = {name: {"status": check.state, **check.detail} for name, check in checks.items()}
        return _json({"status": state, "checks": shown}, 503 if state == "unready" else 200)

    async def _metrics(self, request: web.Request) -> web.Response:
        text, content_type = self._telemetry.metrics.exposition(request.headers.get("Accept", ""))
        return web.Response(body=text, headers={"Content-Type": content_type, "Cache-Control": "no-store"})

    async def _status(self, _request: web.Request) -> web.Response:
        return _json(self._health.status(), 200)


def _problem(status: int, title: str) -> web.Response:
    return _json({"type": "about:blank", "title": title, "status": status}, status, "application/problem+json")


def _json(body: Mapping[str, Any], status: int, content_type: str = "application/json") -> web.Response:
    return web.Response(
        body=orjson.dumps(body, default=str, option=orjson.OPT_NON_STR_KEYS | orjson.OPT_APPEND_NEWLINE),
        status=status,
        headers={"Content-Type": content_type, "Cache-Control": "no-store"},
    )
