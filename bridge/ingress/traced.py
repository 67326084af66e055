"""What the span of a request says: its name and its attributes. Nothing that a sender chose freely, and no secret."""

from typing import Any

from bridge.catalogue import HINTS
from bridge.ingress.responses import Answer
from bridge.ingress.routes import Target

_OTHER_HINT = "other"
_HIDDEN = "***"


def span_name(target: Target) -> str:
    """Method and route: as many names as there are sources, times three."""
    return f"POST {_route(target, second='{path_secret}', hint='{hint}')}"


def attributes(target: Target, answer: Answer, *, tls: bool) -> dict[str, Any]:
    """The attributes, named as OpenTelemetry's conventions for HTTP servers have it where they have a name."""
    hint = target.hint if target.hint in HINTS else _OTHER_HINT
    found: dict[str, Any] = {
        "http.request.method": "POST",
        "http.route": _route(target, second="{path_secret}", hint="{hint}"),
        "url.scheme": "https" if tls else "http",
        "url.path": _route(target, second=_HIDDEN, hint=hint if hint != _OTHER_HINT else _HIDDEN),
        "http.response.status_code": answer.status,
        "treble_bridge.source": target.route.source,
        "treble_bridge.outcome": answer.outcome,
    }
    if target.hint:
        found["treble_bridge.hint"] = hint
    if answer.status >= 500:
        found["error.type"] = answer.reason or str(answer.status)
    return found


def _route(target: Target, *, second: str, hint: str) -> str:
    path = target.route.path or "/"
    if target.path_secret is not None and target.path_secret != target.hint:
        path += f"/{second}"
    return f"{path}/{hint}" if target.hint else path
