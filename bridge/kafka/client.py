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
    if security.mechanism == "OAUTHBEARER":
        return {"sasl_mechanism": security.mechanism, "sasl_oauth_token_provider": Token(security)}
    assert security.password is not None  # else the settings are refused
    return {
        "sasl_mechanism": security.mechanism,
        "sasl_plain_username": security.username,
        "sasl_plain_password": security.password.get_secret_value(),
    }


def _tls(security: Security) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=security.ca_file)
    except ssl.SSLError:
        raise ConfigError(f"kafka.security.ca_file {security.ca_file} holds no certificate in PEM form") from None
    except OSError as error:
        raise _unreadable("ca_file", security.ca_file, error) from None
    # Python sets this flag from 3.13 on. It refuses brokers whose private CA has no Authority Key Identifier, which
    # Python 3.11 takes: an upgrade of Python must not cut the connection.
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    context.check_hostname = security.verify_hostname
    if security.certificate_file is not None and security.key_file is not None:
        _load_certificate(context, security, security.certificate_file, security.key_file)
    return context


def _load_certificate(context: ssl.SSLContext, security: Security, certificate: str, key: str) -> None:
    # The two are read before OpenSSL is: its error does not say which of them it means.
    for option, path, what in (("certificate_file", certificate, "certificate"), ("key_file", key, "private key")):
        try:
            text = Path(path).read_bytes()
        except OSError as error:
            raise _unreadable(option, path, error) from None
        if f"{what.upper()}-----".encode() not in text:
            raise ConfigError(f"kafka.security.{option} {path} holds no {what} in PEM form")
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


class Token(AbstractTokenProvider):  # type: ignore[misc]  # aiokafka is untyped
    """The token of the configuration, or what its file holds at each login: something else keeps that fresh."""

    def __init__(self, security: Security) -> None:
        self._security = security

    async def token(self) -> str:
        """Without white space around it. Raises TokenUnavailableError."""
        fixed = self._security.oauth_token
        return fixed.get_secret_value() if fixed is not None else await asyncio.to_thread(self._read)

    def _read(self) -> str:
        path = str(self._security.oauth_token_file)
        where = f"kafka.security.oauth_token_file {path}"
        try:
            with Path(path).open("rb") as file:
                content = file.read(TOKEN_BYTES_MAX + 1)
            token = content.decode("ascii").strip()
        except OSError as error:
            raise TokenUnavailableError(f"{where}: {error.strerror}") from error
        except UnicodeDecodeError:
            raise TokenUnavailableError(f"{where} holds no token: expected ASCII text") from None
        if not token or len(content) > TOKEN_BYTES_MAX or not token.isprintable() or " " in token:
            raise TokenUnavailableError(f"{where} holds no token: expected one line, {TOKEN_BYTES_MAX} bytes at most")
        return token
