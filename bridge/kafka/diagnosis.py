"""Why no connection to Kafka comes about, in words that name the option to look at.

aiokafka's clients say "unable to bootstrap" for a wrong password, a wrong CA and a closed port alike, and leave the
reason in a log. This connects once more, by hand, and keeps the exception. It also tries the addresses that the servers
give for the brokers: with a wrong one, clients try it for ever and say nothing.
"""

import asyncio
import socket
import ssl
from typing import Any, Final, NamedTuple

from aiokafka import errors as kafka_errors
from aiokafka.conn import collect_hosts, create_conn
from aiokafka.protocol.metadata import MetadataRequest

from bridge.errors import ConfigError, SinkTimeoutError, SinkUnavailableError
from bridge.kafka.client import TokenUnavailableError, client_options, close
from bridge.kafka.errors import translate
from bridge.settings.models import Kafka, Security

SERVERS_MAX: Final = 3
EARLY_S: Final = 2.0
"""A start that takes longer is looked into while it goes on."""
_SELF_SIGNED_OR_UNKNOWN_ISSUER: Final = {2, 18, 19, 20, 21}  # X509_V_ERR_…, as in openssl's x509_vfy.h
_EXPIRED_OR_NOT_YET: Final = {9, 10}
_WRONG_NAME: Final = {62, 64}
_NO_CONNECTION: Final = (kafka_errors.KafkaConnectionError, kafka_errors.NodeNotReadyError)
_ADVERTISED: Final = "advertised.listeners of a broker must be an address that can be reached from here"
# A broker says nothing to a refused token, but closes the connection at the next request, or answers it with nothing.
_REFUSED: Final = "the login fails: the broker does not accept the token (is it expired?)"


class Finding(NamedTuple):
    """What is wrong with a bootstrap server, "" for nothing; `final` if waiting does not help."""

    text: str
    final: bool = False


async def connect(client: Any, kafka: Kafka) -> None:
    """Start a client. Raises a SinkError, with what `diagnose` finds when no connection comes about."""
    starting, looking = asyncio.ensure_future(client.start()), asyncio.ensure_future(_hopeless(kafka))
    try:
        await asyncio.wait({starting, looking}, return_when=asyncio.FIRST_COMPLETED)
        if not starting.done():
            looking.result()
        await starting
    except Exception as error:
        known = translate(error)
        cause = error.__cause__ if known is error else error
        # Otherwise Kafka answered, and has said why.
        unanswered = isinstance(known, SinkTimeoutError) or isinstance(cause, _NO_CONNECTION)
        if unanswered and (reasons := await diagnose(kafka, kafka.request_timeout)):
            raise SinkUnavailableError(f"no connection to Kafka: {'; '.join(reasons)}") from error
        if known is error:
            raise
        raise known from error
    finally:
        starting.cancel()
        looking.cancel()
        await close(asyncio.gather(starting, looking, return_exceptions=True))


async def _hopeless(kafka: Kafka) -> None:
    """After a while, look whether waiting for a connection may help. Raises SinkUnavailableError if it does not."""
    await asyncio.sleep(EARLY_S)
    found = await _findings(kafka, EARLY_S)
    if all(finding.final for finding in found):
        raise SinkUnavailableError(f"no connection to Kafka: {'; '.join(finding.text for finding in found)}")


async def diagnose(kafka: Kafka, timeout_s: float = 5.0) -> list[str]:
    """Connect to each bootstrap server, the first three at the most, at once; a line each for those that fail.

    An empty list means that each of them answers, and so do the brokers that it knows. Takes `timeout_s` at the most;
    raises nothing.
    """
    return [finding.text for finding in await _findings(kafka, timeout_s) if finding.text]


async def _findings(kafka: Kafka, timeout_s: float) -> list[Finding]:
    try:
        options = client_options(kafka)
    except ConfigError as error:
        return [Finding(str(error))]
    servers = options.pop("bootstrap_servers")
    return await asyncio.gather(*(_try(server, options, kafka.security, timeout_s) for server in servers[:SERVERS_MAX]))


async def _try(server: str, options: dict[str, Any], security: Security, timeout_s: float) -> Finding:
    ((host, port, _),) = collect_hosts(server)
    connected = False
    try:
        async with asyncio.timeout(timeout_s):
            connection = await create_conn(host, port, request_timeout_ms=int(timeout_s * 1000), **options)
            connected = True
            try:
                answer = await connection.send(MetadataRequest([]))
            finally:
                await connection.close()
    except TimeoutError:
        return Finding(f"{server}: no answer within {timeout_s:g} s")
    except Exception as error:  # noqa: BLE001 - whatever it is, it is the finding
        return Finding(f"{server}: {_reason(error, security, connected)}")
    if not answer.brokers:
        return Finding(f"{server}: {_REFUSED if _by_token(security) else 'it knows of no broker in its cluster'}")
    brokers = [(host, port) for _, host, port, *_ in answer.brokers[:SERVERS_MAX]]
    failed = [text for text in await asyncio.gather(*(_unreachable(*at, timeout_s / 2) for at in brokers)) if text]
    text = f"{server} answers, and names the broker {' and '.join(failed)}: {_ADVERTISED}" if failed else ""
    return Finding(text, len(failed) == len(brokers))


async def _unreachable(host: str, port: int, timeout_s: float) -> str:
    """The address and why no connection to it comes about; "" if one does."""
    resolved = False
    try:
        async with asyncio.timeout(timeout_s):
            await asyncio.get_running_loop().getaddrinfo(host, port)
            resolved = True
            _, writer = await asyncio.open_connection(host, port)
    except TimeoutError:
        late = f"nothing answers there within {timeout_s:g} s" if resolved else "its host name is unknown (DNS)"
        return f"{host}:{port}, but {late}"
    except OSError as error:
        return f"{host}:{port}, but {_no_way(error) or error.strerror or type(error).__name__}"
    writer.close()
    return ""


def _by_token(security: Security) -> bool:
    return security.protocol.startswith("SASL") and security.mechanism == "OAUTHBEARER"


def _reason(error: BaseException, security: Security, connected: bool) -> str:  # noqa: PLR0911 - a table of causes
    cause = error.__cause__ if isinstance(error, kafka_errors.KafkaConnectionError) and error.__cause__ else error
    if isinstance(cause, TokenUnavailableError):
        return str(cause)
    if isinstance(cause, ssl.SSLCertVerificationError):
        return _untrusted(cause, security)
    if isinstance(cause, ssl.SSLError):
        return _handshake(cause)
    if isinstance(cause, kafka_errors.UnsupportedSaslMechanismError):
        return f"the broker does not offer kafka.security.mechanism {security.mechanism} on this port"
    if isinstance(cause, kafka_errors.SaslAuthenticationFailed):
        return f"the login fails: is kafka.security.password that of user {security.username}, and does it exist?"
    if no_way := _no_way(cause):
        return no_way
    if connected and _by_token(security):
        return _REFUSED
    if isinstance(cause, EOFError | ConnectionError | kafka_errors.KafkaConnectionError):
        return (
            f"the broker closes the connection: is kafka.security.protocol {security.protocol} that of this port? "
            "(plain text on a TLS port, or the reverse, looks like this)"
        )
    return f"{type(cause).__name__}: {cause}" if str(cause) else type(cause).__name__


def _no_way(error: BaseException) -> str:
    if isinstance(error, socket.gaierror):
        return "its host name is unknown (DNS)"
    return "nothing listens there (connection refused)" if isinstance(error, ConnectionRefusedError) else ""


def _untrusted(error: ssl.SSLCertVerificationError, security: Security) -> str:
    if error.verify_code in _SELF_SIGNED_OR_UNKNOWN_ISSUER:
        authority = f"kafka.security.ca_file {security.ca_file}" if security.ca_file else "any CA of this system"
        advice = "" if security.ca_file else ": name its CA in kafka.security.ca_file"
        return f"the broker's certificate is not signed by {authority}{advice}"
    if error.verify_code in _EXPIRED_OR_NOT_YET:
        return f"the broker's certificate is not valid today ({error.verify_message}): renew it, or set the clock"
    if error.verify_code in _WRONG_NAME:
        return "the broker's certificate names another host: use its name in kafka.bootstrap_servers"
    return f"the broker's certificate is refused: {error.verify_message}"


def _handshake(error: ssl.SSLError) -> str:
    reason = (error.reason or "").replace("_", " ").lower()
    if any(text in reason for text in ("certificate required", "handshake failure", "bad certificate")):
        return (
            "the broker wants a certificate of the client that it trusts: kafka.security.certificate_file and key_file"
        )
    return f"TLS fails ({reason or 'no reason given'}): is this a TLS port?"
