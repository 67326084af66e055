"""TLS of the ingress port: the context from its files, and whether they have changed since."""

import ssl
from pathlib import Path

from bridge.certificates import certificate_end_s
from bridge.errors import ConfigError
from bridge.settings.models import Tls

_Fingerprint = tuple[tuple[int, int, int] | None, ...]


class Certificates:
    """The files of one `tls` section."""

    def __init__(self, settings: Tls) -> None:
        self._settings = settings
        self._paths = [path for path in (settings.certificate, settings.key, settings.client_ca) if path is not None]
        self._seen: _Fingerprint = ()

    @property
    def path(self) -> str:
        """The certificate's file, for log lines."""
        return self._settings.certificate

    def changed(self) -> bool:
        """Whether a file is another one, or was written, since `context` was last called.

        Three `stat`: they follow links, so the swap of a mounted secret's folder shows as another inode.
        """
        return self._fingerprint() != self._seen

    def context(self) -> ssl.SSLContext:
        """A fresh context from the files. Raises ConfigError, which names the file."""
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
        return context

    def end_s(self) -> float | None:
        """When the certificate on disk is over (UNIX time, seconds); None when it can't be told."""
        return certificate_end_s(self._settings.certificate, self._settings.key)

    def _fingerprint(self) -> _Fingerprint:
        return tuple(_stat(path) for path in self._paths)


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
