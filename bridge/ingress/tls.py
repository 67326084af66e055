"""TLS of the ingress port: its context, made anew when the files change; and when a certificate expires."""

import ssl
from pathlib import Path
from typing import Any, Final

from bridge.errors import ConfigError
from bridge.settings.models import Tls

_NO_CHECK_TIME: Final = 0x200000
"""X509_V_FLAG_NO_CHECK_TIME of OpenSSL, which `ssl` has no name for: an expired certificate shows its end, too."""
_TURNS: Final = 4
"""Each side speaks twice in TLS 1.2, once or twice in 1.3."""


class RenewableContext(ssl.SSLContext):
    """Begins each handshake with the newest context.

    A server of the event loop keeps the context that it was made with. By this one, a new certificate is just what the
    next handshake uses: the port is never closed, and connections that exist go on.
    """

    newest: ssl.SSLContext

    def wrap_bio(self, *args: Any, **kwargs: Any) -> ssl.SSLObject:
        return self.newest.wrap_bio(*args, **kwargs)


class Certificates:
    def __init__(self, settings: Tls) -> None:
        self._settings = settings
        self._paths = [path for path in (settings.certificate, settings.key, settings.client_ca) if path is not None]
        self._seen: list[tuple[int, int, int] | None] = []
        self.context = RenewableContext(ssl.PROTOCOL_TLS_SERVER)
        """For the server; of use once `load` was called."""

    @property
    def path(self) -> str:
        """The certificate's file, for log lines."""
        return self._settings.certificate

    def changed(self) -> bool:
        """Whether a file is another one, or was written, since `load` was last called.

        Three `stat`: they follow links, so the swap of a mounted secret's folder shows as another inode.
        """
        return self._fingerprint() != self._seen

    def load(self) -> ssl.SSLContext:
        """Use the files for handshakes from now on. Raises ConfigError, which names the file, and keeps the former."""
        self._seen = self._fingerprint()  # before reading: what is written while we read is seen as a change
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.set_alpn_protocols(["http/1.1"])
        try:
            context.load_cert_chain(self._settings.certificate, self._settings.key, _no_password)
        except (OSError, ValueError) as error:
            files = f"{self._settings.certificate} and {self._settings.key}"
            raise ConfigError(f"server.tls: no certificate with its private key in {files}: {_why(error)}") from error
        if self._settings.client_ca is not None:
            try:
                context.load_verify_locations(self._settings.client_ca)
            except (OSError, ValueError) as error:
                where = f"server.tls.client_ca: no CA certificates in {self._settings.client_ca}"
                raise ConfigError(f"{where}: {_why(error)}") from error
            context.verify_mode = ssl.CERT_REQUIRED
        self.context.newest = context
        return context

    def end_s(self) -> float | None:
        """As `certificate_end_s` has it, of the certificate on disk."""
        return certificate_end_s(self._settings.certificate, self._settings.key)

    def _fingerprint(self) -> list[tuple[int, int, int] | None]:
        return [_stat(path) for path in self._paths]


def certificate_end_s(
    certificate: str, key: str | None, password: str = "", *, as_client: bool = False
) -> float | None:
    """The end (UNIX time, seconds) of the first certificate in the file `certificate`; None when it can't be told.

    `key` is its private key's file, None when that is in the same file. `as_client` for one that a client shows: what
    a certificate may be used for is written in it. Blocks for some 20 ms.
    """
    # The standard library reads the fields of a peer's certificate only, once it is verified. So a handshake is done
    # in memory, with a side that trusts just this certificate: no parser of our own, and no dependency.
    try:
        server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        client.check_hostname = False
        client.verify_mode = ssl.CERT_NONE  # unless it is the one that verifies; nothing leaves this process
        for side in (server, client):
            side.load_cert_chain(certificate, key, lambda: password)
        verifier = server if as_client else client
        verifier.verify_mode = ssl.CERT_REQUIRED
        verifier.load_verify_locations(certificate)
        verifier.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN | _NO_CHECK_TIME
        fields = _peer_certificate(server, client, as_client=as_client)
        return float(ssl.cert_time_to_seconds(str(fields["notAfter"])))
    except (OSError, ValueError, KeyError):
        return None


def _peer_certificate(server: ssl.SSLContext, client: ssl.SSLContext, *, as_client: bool) -> dict[str, object]:
    up, down = ssl.MemoryBIO(), ssl.MemoryBIO()
    sides = (client.wrap_bio(down, up), server.wrap_bio(up, down, server_side=True))
    for _ in range(_TURNS):
        for side in sides:
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                continue
    return dict(sides[1 if as_client else 0].getpeercert() or {})


def _stat(path: str) -> tuple[int, int, int] | None:
    try:
        found = Path(path).stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size


def _no_password() -> str:
    """Without this, an encrypted key would make OpenSSL ask on the terminal."""
    raise ValueError("the private key is encrypted; a key without a password is needed")


def _why(error: OSError | ValueError) -> str:
    if isinstance(error, ssl.SSLError):
        return (error.reason or "not readable as PEM").replace("_", " ").lower()
    return (error.strerror if isinstance(error, OSError) else None) or str(error)
