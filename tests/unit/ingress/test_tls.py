"""When a certificate is over is told of any that can be used, by its end alone."""

import datetime as dt
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID, ObjectIdentifier

from bridge.ingress.tls import certificate_end_s
from tests.kafka_broker.certificates import Authority


def end_of(file: Path) -> float:
    return x509.load_pem_x509_certificate(file.read_bytes()).not_valid_after_utc.timestamp()


@pytest.mark.parametrize("days", [30, 1, -1])
def test_the_end_is_told_also_of_a_certificate_that_is_over(tmp_path: Path, days: int) -> None:
    certificate, _ = Authority(tmp_path, "authority").issue("bridge", "127.0.0.1", days=days)
    assert certificate_end_s(str(certificate)) == end_of(certificate)


@pytest.mark.parametrize("usage", [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH])
def test_what_a_certificate_may_be_used_for_makes_no_difference(tmp_path: Path, usage: ObjectIdentifier) -> None:
    certificate = limited(tmp_path, usage)
    assert certificate_end_s(str(certificate)) == end_of(certificate)


def limited(folder: Path, usage: ObjectIdentifier) -> Path:
    """A certificate that signs itself, for one purpose only."""
    key, now = ec.generate_private_key(ec.SECP256R1()), dt.datetime.now(dt.UTC)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "limited")])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now)
        .not_valid_after(now + dt.timedelta(days=3))
        .add_extension(x509.ExtendedKeyUsage([usage]), critical=True)
        .sign(key, hashes.SHA256())
    )
    file = folder / "limited.pem"
    file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    return file


def test_of_a_chain_the_first_certificate_counts_and_its_key_may_be_in_the_same_file(tmp_path: Path) -> None:
    authority = Authority(tmp_path, "authority")
    certificate, key = authority.issue("bridge", "127.0.0.1", days=5)
    chain = tmp_path / "chain.pem"
    chain.write_bytes(certificate.read_bytes() + authority.file.read_bytes() + key.read_bytes())
    assert certificate_end_s(str(chain)) == end_of(certificate)


def test_the_key_is_not_asked_for_when_it_may_need_a_password(tmp_path: Path) -> None:
    certificate, _ = Authority(tmp_path, "authority").issue("bridge", "127.0.0.1", password="open sesame")
    assert certificate_end_s(str(certificate)) == end_of(certificate)


def test_what_can_not_be_used_has_no_end_and_raises_nothing(tmp_path: Path) -> None:
    _, key = Authority(tmp_path, "another").issue("other", "127.0.0.1")
    nothing = tmp_path / "nothing.pem"
    nothing.write_text("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
    for file in (nothing, key, tmp_path, tmp_path / "missing"):
        assert certificate_end_s(str(file)) is None
