"""The options that every Kafka client shares: where the brokers are, and how to speak to them.

Files are read when the options are made, so each new client takes rotated certificates. An error names the option and
the file, and never what is in it.

A token of SASL/OAUTHBEARER that is in a file is read at each login, for the same reason.
"""

import asyncio
import contextlib
import ssl
from collections.abc import Awaitable
from pathlib import Path
from typing import Any, Final

from aiokafka.abc import AbstractTokenProvider

from bridge.errors import ConfigError, SinkUnavailableError
from bridge.settings.models import Kafka, Security

CLOSE_TIMEOUT_S: Final = 2.0
TOKEN_BYTES_MAX: Final = 64 << 10
_NO_CERTIFICATE: Final = "holds no certificate in PEM form"


def client_options(kafka: Kafka) -> dict[str, Any]:
    """Keyword arguments for any aiokafka client. Reads the files of `kafka.security` now.

    Raises ConfigError when a file can't be read or used.
    """
    security = kafka.security
    options: dict[str, Any] = {
        "bootstrap_servers": list(kafka.bootstrap_servers),
        "client_id": kafka.client_id,
        "security_protocol": security.protocol,
    }
    if security.protocol.endswith("SSL"):
        options["ssl_context"] = _tls(security)
    if security.protocol.startswith("SASL"):
        options |= _login(security)
    return options


def current_options(kafka: Kafka) -> dict[str, Any]:
    """`client_options` of a bridge that runs. Raises SinkUnavailableError: the files were readable at the start, so
    something is replacing them, or a mount is gone.
    """
    try:
        return client_options(kafka)
    except ConfigError as error:
        raise SinkUnavailableError(str(error)) from error


async def close(closing: Awaitable[object], timeout_s: float = CLOSE_TIMEOUT_S) -> None:
    """Let a client close, for so long. Never raises."""
    with contextlib.suppress(Exception):
        async with asyncio.timeout(timeout_s):
            await closing


def _login(security: Security) -> dict[str, Any]:
    options: dict[str, Any] = {"sasl_mechanism": security.mechanism}
    if security.mechanism == "OAUTHBEARER":
        if security.oauth_token_file is not None:
            options["sasl_oauth_token_provider"] = TokenFile(Path(security.oauth_token_file))
        elif security.oauth_token is not None:
            options["sasl_oauth_token_provider"] = FixedToken(security.oauth_token.get_secret_value())
        else:
            raise ConfigError("kafka.security: OAUTHBEARER needs oauth_token_file or oauth_token")
        return options
    if security.username is None or security.password is None:
        raise ConfigError(f"kafka.security: {security.mechanism} needs username and password")
    options["sasl_plain_username"] = security.username
    options["sasl_plain_password"] = security.password.get_secret_value()
    return options


def _tls(security: Security) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=security.ca_file)
    except ssl.SSLError:
        raise ConfigError(f"kafka.security.ca_file {security.ca_file} {_NO_CERTIFICATE}") from None
    except OSError as error:
        raise _unreadable("ca_file", security.ca_file, error) from None
    # Python sets this flag from 3.13 on. It refuses brokers whose private CA has no Authority Key Identifier, which
    # Python 3.11 takes: an upgrade of Python must not cut the connection.
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    context.check_hostname = security.verify_hostname
    if security.certificate_file is not None:
        _load_certificate(context, security, security.certificate_file)
    return context


def _load_certificate(context: ssl.SSLContext, security: Security, certificate: str) -> None:
    key = security.key_file or certificate
    # The two are read before OpenSSL is: its error does not say which of them it means.
    for option, path in (("certificate_file", certificate), ("key_file", key)):
        try:
            text = Path(path).read_bytes()
        except OSError as error:
            raise _unreadable(option, path, error) from None
        expected = b"CERTIFICATE-----" if option == "certificate_file" else b"PRIVATE KEY-----"
        if expected not in text:
            what = _NO_CERTIFICATE if option == "certificate_file" else "holds no private key in PEM form"
            raise ConfigError(f"kafka.security.{option} {path} {what}")
    password = security.key_password.get_secret_value() if security.key_password else ""
    try:
        # Without a password of ours, OpenSSL would ask the terminal for one.
        context.load_cert_chain(certificate, key, password=lambda: password)
    except ssl.SSLError as error:
        if error.reason == "KEY_VALUES_MISMATCH":
            problem = f"is not the key of kafka.security.certificate_file {certificate}"
        elif b"ENCRYPTED" in Path(key).read_bytes():
            problem = "can't be decrypted: kafka.security.key_password is " + ("wrong" if password else "missing")
        else:
            problem = f"can't be used with {certificate} (OpenSSL: {error.reason or 'no reason'})"
        raise ConfigError(f"kafka.security.key_file {key} {problem}") from None


def _unreadable(option: str, path: str | None, error: OSError) -> ConfigError:
    return ConfigError(f"kafka.security.{option} {path} can't be read: {error.strerror or type(error).__name__}")


class TokenUnavailableError(OSError):
    """The token can't be read now. An OSError, because aiokafka then treats it as a failed connection: it tries again.

    A file that an agent is just rotating may be away for a moment.
    """


class FixedToken(AbstractTokenProvider):  # type: ignore[misc]  # aiokafka is untyped
    """A token that is in the configuration."""

    def __init__(self, token: str) -> None:
        self._token = token

    async def token(self) -> str:
        return self._token


class TokenFile(AbstractTokenProvider):  # type: ignore[misc]  # aiokafka is untyped
    """A token in a file that something else keeps fresh."""

    def __init__(self, path: Path) -> None:
        self._path = path

    async def token(self) -> str:
        """What the file holds now, without white space around it. Raises TokenUnavailableError."""
        return await asyncio.to_thread(self._read)

    def _read(self) -> str:
        where = f"kafka.security.oauth_token_file {self._path}"
        try:
            with self._path.open("rb") as file:
                content = file.read(TOKEN_BYTES_MAX + 1)
            token = content.decode("ascii").strip()
        except OSError as error:
            raise TokenUnavailableError(f"{where}: {error.strerror}") from error
        except UnicodeDecodeError:
            raise TokenUnavailableError(f"{where} holds no token: expected ASCII text") from None
        if not token or len(content) > TOKEN_BYTES_MAX or not token.isprintable() or " " in token:
            raise TokenUnavailableError(f"{where} holds no token: expected one line, {TOKEN_BYTES_MAX} bytes at most")
        return token
