"""Try addresses, one after the other: a list of JSON objects on standard input, a list of answers on standard output.

`{"url": "http://…"}` is fetched; with `token` a webhook is posted there, of `session` and `number`. With `tcp://host:port`
only the connection is made. An answer has `url`, and `status`, `body` and `certificate`, or `error`, the error's name.
`certificate` is what an https server shows, in hexadecimal digits (DER).
"""

import http.client
import json
import socket
import ssl
import sys
from typing import Any
from urllib.parse import urlsplit

from tests.cluster.inside.load import body_of

WAIT_S = 3.0


def reach(wanted: dict[str, Any]) -> dict[str, Any]:
    """The answer to one of the objects."""
    url = urlsplit(wanted["url"])
    try:
        if url.scheme == "tcp":
            socket.create_connection((url.hostname, url.port), WAIT_S).close()
            return {"url": wanted["url"], "status": 0, "body": ""}
        return {"url": wanted["url"], **_ask(wanted)}
    except (OSError, http.client.HTTPException) as error:
        return {"url": wanted["url"], "error": type(error).__name__}


def _ask(wanted: dict[str, Any]) -> dict[str, Any]:
    url = urlsplit(wanted["url"])
    connection = _connection(url.scheme, url.hostname or "", url.port)
    try:
        connection.connect()
        certificate = _certificate(connection.sock)
        if "token" in wanted:
            headers = {"Authorization": f"Bearer {wanted['token']}", "Content-Type": "application/json"}
            connection.request("POST", url.path, body_of(wanted["session"], wanted.get("number", 0)), headers)
        else:
            connection.request("GET", url.path)
        answer = connection.getresponse()
        return {"status": answer.status, "body": answer.read().decode(errors="replace"), "certificate": certificate}
    finally:
        connection.close()


def _connection(scheme: str, host: str, port: int | None) -> http.client.HTTPConnection:
    if scheme != "https":
        return http.client.HTTPConnection(host, port, timeout=WAIT_S)
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return http.client.HTTPSConnection(host, port, timeout=WAIT_S, context=context)


def _certificate(sock: Any) -> str:
    if not isinstance(sock, ssl.SSLSocket):
        return ""
    # Without verification Python parses no certificate; its bytes it has.
    return (sock.getpeercert(binary_form=True) or b"").hex()


if __name__ == "__main__":
    print(json.dumps([reach(one) for one in json.load(sys.stdin)]))
