"""A scripted API server: what Helm's `lookup` finds while it renders, without a cluster."""

import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final

import yaml

from tests.chart.rendering import KUBE_VERSION


@dataclass
class Cluster:
    """What is in the namespace. Claims are name → labels; `replicas` those of a StatefulSet by its name."""

    claims: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    ending: frozenset[str] = frozenset()
    replicas: Mapping[str, int] = field(default_factory=dict)
    may_list_claims: bool = True


def claims_of(*names: str, release: str = "tb", chart: str = "treble-bridge") -> dict[str, dict[str, str]]:
    """Claims as the StatefulSet of a release labels them."""
    return {name: {"app.kubernetes.io/name": chart, "app.kubernetes.io/instance": release} for name in names}


@contextmanager
def serving(cluster: Cluster, folder: Path) -> Iterator[Path]:
    """Serve it; gives the kubeconfig that leads to it."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, body = _answer(cluster, self.path.partition("?")[0])
            content = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 -- the name is that of the class above
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    kubeconfig = folder / "kubeconfig"
    kubeconfig.write_text(yaml.safe_dump(_kubeconfig(server.server_port)), encoding="utf-8")
    try:
        yield kubeconfig
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _kubeconfig(port: int) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "scripted", "cluster": {"server": f"http://127.0.0.1:{port}"}}],
        "users": [{"name": "anybody", "user": {}}],
        "contexts": [{"name": "scripted", "context": {"cluster": "scripted", "user": "anybody"}}],
        "current-context": "scripted",
    }


def _answer(cluster: Cluster, path: str) -> tuple[int, dict[str, Any]]:
    """Status and body."""
    if path in _DISCOVERY:
        return 200, _DISCOVERY[path]
    kind, _, name = path.partition("/namespaces/bridges/")[2].partition("/")
    if kind == "persistentvolumeclaims" and cluster.may_list_claims:
        items = [_claim(name, labels, ending=name in cluster.ending) for name, labels in cluster.claims.items()]
        return 200, {"apiVersion": "v1", "kind": "PersistentVolumeClaimList", "metadata": {}, "items": items}
    if kind == "persistentvolumeclaims":
        return 403, _failure(403, 'persistentvolumeclaims is forbidden: User "ci" cannot list resource')
    if kind == "statefulsets" and name in cluster.replicas:
        spec = {"replicas": cluster.replicas[name]}
        return 200, {"apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": {"name": name}, "spec": spec}
    return 404, _failure(404, f"{path} not found")


def _resources(version: str, kind: str) -> dict[str, Any]:
    resource = {"name": f"{kind.lower()}s", "namespaced": True, "kind": kind, "verbs": ["list", "get"]}
    return {"kind": "APIResourceList", "groupVersion": version, "resources": [resource]}


_DISCOVERY: Final[Mapping[str, dict[str, Any]]] = {
    "/version": {"major": "1", "minor": KUBE_VERSION.split(".")[1], "gitVersion": f"v{KUBE_VERSION}"},
    "/api": {"kind": "APIVersions", "versions": ["v1"]},
    "/apis": {
        "kind": "APIGroupList",
        "groups": [{"name": "apps", "versions": [{"groupVersion": "apps/v1", "version": "v1"}]}],
    },
    "/api/v1": _resources("v1", "PersistentVolumeClaim"),
    "/apis/apps/v1": _resources("apps/v1", "StatefulSet"),
}


def _claim(name: str, labels: Mapping[str, str], *, ending: bool) -> dict[str, Any]:
    deletion = {"deletionTimestamp": "2026-01-01T00:00:00Z"} if ending else {}
    metadata = {"name": name, "labels": dict(labels), **deletion}
    return {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": metadata}


def _failure(code: int, message: str) -> dict[str, Any]:
    reason = {403: "Forbidden", 404: "NotFound"}[code]
    return {
        "apiVersion": "v1",
        "kind": "Status",
        "status": "Failure",
        "reason": reason,
        "message": message,
        "code": code,
    }
