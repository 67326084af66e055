"""TLS of the ingress port: its context, made anew when the files change; and when a certificate expires."""

import ssl
from pathlib import Path
from typing import Any

from bridge.errors import ConfigError
from bridge.settings.models import Tls


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

    def load(self) -> None:
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

    def _fingerprint(self) -> list[tuple[int, int, int] | None]:
        return [_stat(path) for path in self._paths]


def certificate_end_s(file: str) -> float | None:
    """The end (UNIX time, seconds) of the first certificate in a PEM file; None when it can't be told.

    The public part of `ssl` shows the fields of a peer's certificate only, once it is verified. CPython reads those of
    a file for its own tests; ours say whether the installed Python still does.
    """
    try:
        fields = ssl._ssl._test_decode_cert(file)  # type: ignore[attr-defined]  # noqa: SLF001
        return float(ssl.cert_time_to_seconds(str(fields["notAfter"])))
    except (OSError, ValueError, KeyError, AttributeError):
        return None


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
