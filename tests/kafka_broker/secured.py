"""A broker with every security protocol that the bridge speaks, users, certificates and access control."""

import base64
import json
import time
from dataclasses import dataclass
from pathlib import Path

from tests.kafka_broker.certificates import Authority
from tests.kafka_broker.process import ProcessBroker, make_class_archive

_MODULES = "org.apache.kafka.common.security"
SUPER_USER, LIMITED_USER = "bridge", "limited"


def password_of(user: str) -> str:
    """The password of one of the broker's users."""
    return f"{user}-secret"


def unsigned_token(user: str, *, lifetime_s: int = 600) -> str:
    """An OAUTHBEARER token that a broker without a validator of its own accepts: RFC 7519, algorithm `none`."""
    now = int(time.time())
    parts = ({"alg": "none"}, {"sub": user, "iat": now, "exp": now + lifetime_s})
    return ".".join(base64.urlsafe_b64encode(json.dumps(p).encode()).decode().rstrip("=") for p in parts) + "."


@dataclass(frozen=True, slots=True)
class SecuredBroker:
    """The broker and what a client needs for it.

    SSL wants a client's certificate. SASL_PLAINTEXT offers PLAIN and SCRAM-SHA-256 only, SASL_SSL every mechanism.
    `bridge` may do everything, `limited` nothing; PLAINTEXT is the operator's way in.
    """

    broker: ProcessBroker
    authority: Authority
    certificate: Path
    key: Path


def start_secured(folder: Path) -> SecuredBroker:
    """Start one; takes some seconds."""
    authority = Authority(folder, "ca")
    server_certificate, server_key = authority.issue("broker", "127.0.0.1")
    keystore = folder / "keystore.pem"
    keystore.write_bytes(server_key.read_bytes() + server_certificate.read_bytes())
    certificate, key = authority.issue(SUPER_USER)
    make_class_archive()
    broker = ProcessBroker(
        listeners=("SSL", "SASL_PLAINTEXT", "SASL_SSL"),
        settings={**_tls(keystore, authority.file), **_logins(), **_access_control()},
        format_options=[
            option
            for mechanism in ("SCRAM-SHA-256", "SCRAM-SHA-512")
            for user in (SUPER_USER, LIMITED_USER)
            for option in ("--add-scram", f"{mechanism}=[name={user},password={password_of(user)}]")
        ],
    )
    try:
        broker.start()
    except BaseException:
        broker.close()
        raise
    return SecuredBroker(broker, authority, certificate, key)


def _tls(keystore: Path, authority: Path) -> dict[str, str]:
    return {
        "ssl.keystore.type": "PEM",
        "ssl.keystore.location": str(keystore),
        "ssl.truststore.type": "PEM",
        "ssl.truststore.location": str(authority),
        "listener.name.ssl.ssl.client.auth": "required",
    }


def _logins() -> dict[str, str]:
    users = " ".join(f'user_{user}="{password_of(user)}"' for user in (SUPER_USER, LIMITED_USER))
    modules = {
        "PLAIN": f"{_MODULES}.plain.PlainLoginModule required {users};",
        "SCRAM-SHA-256": f"{_MODULES}.scram.ScramLoginModule required;",
        "SCRAM-SHA-512": f"{_MODULES}.scram.ScramLoginModule required;",
        "OAUTHBEARER": (
            f'{_MODULES}.oauthbearer.OAuthBearerLoginModule required unsecuredLoginStringClaim_sub="broker";'
        ),
    }
    offered = {"sasl_plaintext": ("PLAIN", "SCRAM-SHA-256"), "sasl_ssl": tuple(modules)}
    settings = {"sasl.enabled.mechanisms": ",".join(modules)}
    for listener, mechanisms in offered.items():
        settings[f"listener.name.{listener}.sasl.enabled.mechanisms"] = ",".join(mechanisms)
        for mechanism in mechanisms:
            settings[f"listener.name.{listener}.{mechanism.lower()}.sasl.jaas.config"] = modules[mechanism]
    return settings


def _access_control() -> dict[str, str]:
    return {
        "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
        "super.users": f"User:ANONYMOUS;User:{SUPER_USER};User:CN={SUPER_USER}",
    }
