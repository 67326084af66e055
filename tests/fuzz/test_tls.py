"""What is no TLS on a TLS port, and broken HTTP inside TLS: as harmless as without it."""

import asyncio
import errno
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.flow.ingress.certificates import Authority
from tests.flow.running import TOKEN, BridgeProcess
from tests.fuzz.cases import OK, cases
from tests.fuzz.sturdy import Sturdy
from tests.fuzz.talking import BODY, LIMIT_S, request, taken_apart

CASES = [case for case in cases() if len(case.sent) < 200_000]


class Sealed(Sturdy):
    """A bridge that speaks TLS."""

    context: ssl.SSLContext

    def is_unharmed(self) -> None:
        """As without TLS; but the good request goes through it."""
        assert self.process.running
        assert taken_apart(self.ask(request(BODY, "Connection: close"))) == [OK]
        assert "Traceback" not in self.process.log.text

    def ask(self, sent: bytes) -> bytes:
        """What comes back through TLS until the bridge ends the connection."""
        got = b""
        with (
            socket.create_connection(("127.0.0.1", self.port), LIMIT_S) as plain,
            self.context.wrap_socket(plain, server_hostname="127.0.0.1") as sealed,
        ):
            try:
                sealed.sendall(sent)
                while data := sealed.recv(1 << 16):
                    got += data
            except (ConnectionError, ssl.SSLError):
                pass  # ended amid what was being sent
        return got


@pytest.fixture(scope="module")
def bridge(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sealed]:
    """A bridge with a certificate of its own."""
    folder: Path = tmp_path_factory.mktemp("tls")
    authority = Authority("test")
    authority.pair("bridge.test").write(folder / "certificate.pem", folder / "key.pem")
    document = {
        "server": {
            "listen": "127.0.0.1:0", "header_timeout": "300ms", "body_timeout": "300ms", "keepalive_timeout": "200ms",
            "tls": {"certificate": str(folder / "certificate.pem"), "key": str(folder / "key.pem")},
        },
        "admin": {"listen": "127.0.0.1:0"},
        "journal": {"path": str(folder / "journal")},
        "kafka": {"bootstrap_servers": ["127.0.0.1:1"]},
        "sources": {"treble": {"auth": [{"bearer": [TOKEN]}]}},
        "topics": {"create": "off"},
        "log": {"format": "json"},
    }  # fmt: skip
    (folder / "bridge.yaml").write_text(yaml.safe_dump(document), encoding="utf-8")
    process = BridgeProcess(folder / "bridge.yaml")
    try:
        asyncio.run(process.started())
        sealed = Sealed(process, folder / "journal")
        sealed.context = ssl.create_default_context(cadata=authority.certificate.decode())
        yield sealed
    finally:
        process.kill()


def test_what_is_no_tls_gets_no_http_and_nothing_of_it_is_kept(bridge: Sealed) -> None:
    bridge.newly_kept()
    for case in CASES:
        with socket.create_connection(("127.0.0.1", bridge.port), LIMIT_S) as plain:
            try:
                plain.sendall(case.sent)
                plain.shutdown(socket.SHUT_WR)
                assert b"HTTP/" not in plain.recv(1 << 16), case.name
            except OSError as error:
                if error.errno not in {errno.ECONNRESET, errno.EPIPE, errno.ENOTCONN}:
                    raise
                # refused, which is right as well
    bridge.has_kept([])


@pytest.mark.parametrize("part", range(4))
def test_broken_http_inside_tls_is_answered_as_outside(bridge: Sealed, part: int) -> None:
    for case in CASES[part::16]:
        assert tuple(taken_apart(bridge.ask(case.sent))) in (*case.may, ()), case.name
