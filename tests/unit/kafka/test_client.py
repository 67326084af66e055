"""Client options from settings: what is passed on, and what is said about files that can't be used."""

import ssl
from pathlib import Path
from typing import Any

import pytest

from bridge.errors import ConfigError
from bridge.kafka.client import TOKEN_BYTES_MAX, Token, TokenUnavailableError, client_options
from bridge.settings.models import Kafka, Security
from tests.kafka_broker.certificates import Authority


def options(**security: Any) -> dict[str, Any]:
    settings = {"bootstrap_servers": ["a:1", "b:2"], "client_id": "me", "security": security}
    return client_options(Kafka.model_validate(settings))


def complaint(**security: Any) -> str:
    with pytest.raises(ConfigError) as raised:
        options(**security)
    return str(raised.value)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("ca"), "ca")


def test_plain_text_needs_nothing_but_the_servers() -> None:
    assert options() == {"bootstrap_servers": ["a:1", "b:2"], "client_id": "me", "security_protocol": "PLAINTEXT"}


def test_a_login_carries_mechanism_user_and_password() -> None:
    got = options(protocol="SASL_PLAINTEXT", mechanism="SCRAM-SHA-256", username="u", password="p")
    assert (got["sasl_mechanism"], got["sasl_plain_username"], got["sasl_plain_password"]) == (
        "SCRAM-SHA-256",
        "u",
        "p",
    )
    assert "ssl_context" not in got


def test_tls_checks_the_certificate_and_the_host_unless_told_otherwise(authority: Authority) -> None:
    context = options(protocol="SSL", ca_file=str(authority.file))["ssl_context"]
    assert (context.verify_mode, context.check_hostname) == (ssl.CERT_REQUIRED, True)
    assert [ca["subject"] for ca in context.get_ca_certs()] == [((("commonName", "ca"),),)]
    context = options(protocol="SSL", verify_hostname=False)["ssl_context"]
    assert (context.verify_mode, context.check_hostname) == (ssl.CERT_REQUIRED, False)


def test_a_private_ca_without_a_key_identifier_is_taken_by_every_python(
    authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    make = ssl.create_default_context

    def as_from_python_3_13_on(**arguments: Any) -> ssl.SSLContext:
        context = make(**arguments)
        context.verify_flags |= ssl.VERIFY_X509_STRICT
        return context

    monkeypatch.setattr(ssl, "create_default_context", as_from_python_3_13_on)
    context = options(protocol="SSL", ca_file=str(authority.file))["ssl_context"]
    assert not context.verify_flags & ssl.VERIFY_X509_STRICT
    assert context.verify_mode == ssl.CERT_REQUIRED


def test_an_encrypted_key_is_opened_with_its_password_and_never_asked_for_on_the_terminal(authority: Authority) -> None:
    certificate, key = authority.issue("client", password="s3cret")
    files = {"certificate_file": str(certificate), "key_file": str(key)}
    assert options(protocol="SSL", **files, key_password="s3cret")["ssl_context"]
    assert complaint(protocol="SSL", **files) == (
        f"kafka.security.key_file {key} can't be decrypted: kafka.security.key_password is missing"
    )
    wrong = complaint(protocol="SSL", **files, key_password="s3cret-not")
    assert wrong.endswith("kafka.security.key_password is wrong")
    assert "s3cret" not in wrong


def test_every_file_that_can_not_be_used_is_named_with_its_option(authority: Authority, tmp_path: Path) -> None:
    certificate, key = map(str, authority.issue("first"))
    other_key = str(authority.issue("second")[1])
    absent, junk = str(tmp_path / "absent.pem"), tmp_path / "junk.pem"
    junk.write_text("not what you want")

    assert complaint(protocol="SSL", ca_file=absent) == (
        f"kafka.security.ca_file {absent} can't be read: No such file or directory"
    )
    assert complaint(protocol="SSL", ca_file=str(tmp_path)).startswith(f"kafka.security.ca_file {tmp_path} ")
    assert complaint(protocol="SSL", ca_file=str(junk)).endswith("holds no certificate in PEM form")
    assert complaint(protocol="SSL", certificate_file=absent, key_file=key).startswith(
        f"kafka.security.certificate_file {absent} can't be read"
    )
    assert complaint(protocol="SSL", certificate_file=certificate, key_file=str(junk)).endswith(
        f"kafka.security.key_file {junk} holds no private key in PEM form"
    )
    assert complaint(protocol="SSL", certificate_file=key, key_file=key).endswith("holds no certificate in PEM form")
    assert complaint(protocol="SSL", certificate_file=certificate, key_file=other_key).endswith(
        f"is not the key of kafka.security.certificate_file {certificate}"
    )


async def test_the_token_is_what_the_file_holds_at_that_moment(tmp_path: Path) -> None:
    file = tmp_path / "token"
    provider = options(protocol="SASL_SSL", mechanism="OAUTHBEARER", oauth_token_file=str(file))[
        "sasl_oauth_token_provider"
    ]
    for token in ("first", "second"):
        file.write_text(f"{token}\n")
        assert await provider.token() == token
    fixed = options(protocol="SASL_SSL", mechanism="OAUTHBEARER", oauth_token="fixed")["sasl_oauth_token_provider"]
    assert await fixed.token() == "fixed"


@pytest.mark.parametrize("content", [b"", b" \n", b"two words", b"a\nb", b"\xff\xfe", b"x" * (TOKEN_BYTES_MAX + 1)])
async def test_a_token_file_without_a_token_is_named_and_its_content_is_not(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "token"
    file.write_bytes(content)
    security = Security(protocol="SASL_SSL", mechanism="OAUTHBEARER", oauth_token_file=str(file))
    with pytest.raises(TokenUnavailableError, match="oauth_token_file") as raised:
        await Token(security).token()
    assert str(file) in str(raised.value)
    assert "words" not in str(raised.value)
