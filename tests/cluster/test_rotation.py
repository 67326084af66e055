"""Secrets that change while webhooks come in: in force without a restart, and without a failed call."""

import secrets
from pathlib import Path

import pytest
from cryptography import x509

from tests.cluster.broker import ClusterKafka
from tests.cluster.conftest import Say
from tests.cluster.kubernetes import Namespace, secret, until
from tests.cluster.release import SYNC_S, Release
from tests.cluster.workbench import Workbench
from tests.kafka_broker.certificates import Authority

pytestmark = pytest.mark.timeout(480)


def _taken(release: Release, workbench: Workbench, token: str, replicas: int = 2) -> list[int]:
    """What each pod answers to a webhook with this token."""
    session = f"probe-{secrets.token_hex(4)}"
    asked = [
        {"url": f"{release.pod_url(pod)}/webhooks/treble/read", "token": token, "session": session, "number": pod}
        for pod in range(replicas)
    ]
    return [answer.get("status", -1) for answer in workbench.reach(*asked)]


def test_a_token_is_rotated_without_a_restart_and_without_a_failed_call(
    release: Release, workbench: Workbench, say: Say
) -> None:
    processes, first, second = release.processes(), release.credentials["token"], secrets.token_hex(16)
    load = workbench.load("token", release.url)
    load.goes_on()
    release.set_credentials(token=second, token_before=first)
    until(lambda: _taken(release, workbench, second) == [200, 200], "both pods take the new token", SYNC_S)
    workbench.use_token(second)
    load.goes_on()
    release.set_credentials(token_before=secrets.token_hex(16))
    until(lambda: _taken(release, workbench, first) == [401, 401], "both pods refuse the old token", SYNC_S)
    load.goes_on()
    calls = load.stop()
    say(f"both tokens changed in the running pods. {calls}")
    assert not calls.failed()
    assert release.processes() == processes
    say(workbench.assert_exactly_once("token-", calls))


def test_kafkas_password_is_rotated_without_a_restart_and_without_a_failed_call(
    release: Release, workbench: Workbench, cluster_kafka: ClusterKafka, say: Say
) -> None:
    processes, second = release.processes(), secrets.token_hex(16)
    load = workbench.load("password", release.url)
    load.goes_on()
    reloads = {pod: _reloads(release, pod) for pod in processes}
    cluster_kafka.set_password(second)
    release.set_credentials(kafka_password=second)
    until(
        lambda: all(_reloads(release, pod) > reloads[pod] for pod in processes), "both pods read the password", SYNC_S
    )
    # Whoever is still logged in with the old one goes with its connections.
    cluster_kafka.stop()
    load.goes_on(50)
    cluster_kafka.start()
    until(lambda: _all_forwarded(release, *processes), "both pods are logged in with the new password", 90)
    load.goes_on()
    calls = load.stop()
    say(f"Kafka's password changed, Kafka restarted. {calls}")
    assert not calls.failed()
    assert release.processes() == processes
    say(workbench.assert_exactly_once("password-", calls))


def _reloads(release: Release, pod: str) -> int:
    return sum(line["event.name"] == "config.reloaded" for line in release.logs(pod))


def _all_forwarded(release: Release, *pods: str) -> bool:
    return all(release.status(pod)["forwarder"]["connected"] for pod in pods)


def test_a_certificate_is_rotated_without_a_restart_and_without_a_failed_call(
    installed: Release, workbench: Workbench, namespace: Namespace, tmp_path: Path, say: Say
) -> None:
    authority = Authority(tmp_path, "authority")

    def give(name: str) -> str:
        certificate, key = authority.issue(name)
        text = {"tls.crt": certificate.read_text(), "tls.key": key.read_text()}
        namespace.apply({**secret("alone-tls", text), "type": "kubernetes.io/tls"})
        return f"{x509.load_pem_x509_certificate(certificate.read_bytes()).serial_number:x}"

    first = give("first")
    alone = Release(namespace, "alone", installed.credentials)
    alone.install({"replicaCount": 1, "tls": {"enabled": True, "secretName": "alone-tls"}})
    until(lambda: _shown(workbench, alone) == first, "the Service leads to the bridge", 30)
    processes = alone.processes()
    load = workbench.load("certificate", f"https://{alone.name}/webhooks/treble")
    load.goes_on()
    second = give("second")
    until(lambda: _shown(workbench, alone) == second, "the new certificate is shown", SYNC_S)
    load.goes_on()
    calls = load.stop()
    say(f"the certificate changed from serial {first[:8]}… to {second[:8]}…. {calls}")
    assert not calls.failed()
    assert alone.processes() == processes
    say(workbench.assert_exactly_once("certificate-", calls))
    alone.uninstall()


def _shown(workbench: Workbench, release: Release) -> str:
    """The serial number of the certificate that the Service shows, in hexadecimal digits."""
    [answer] = workbench.reach(f"https://{release.name}/webhooks/treble/read")
    assert "certificate" in answer, answer
    return f"{x509.load_der_x509_certificate(bytes.fromhex(answer['certificate'])).serial_number:x}"
