"""Every way to speak to Kafka, on a real broker; and what is said when it does not come about."""

import asyncio
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer

from bridge.errors import SinkUnavailableError, TopicPausedError
from bridge.kafka.client import client_options
from bridge.kafka.diagnosis import diagnose
from bridge.kafka.positions import Instance
from bridge.kafka.sink import Sink, TransactionalSink
from bridge.kafka.topics import Topics
from bridge.model import PendingMarker, TopicSpec
from bridge.settings.models import Kafka
from tests.e2e.sinks import prepared, send
from tests.kafka_broker import artifacts, create_topics, read_records, unique
from tests.kafka_broker.certificates import Authority
from tests.kafka_broker.secured import (
    LIMITED_USER,
    SUPER_USER,
    SecuredBroker,
    password_of,
    start_secured,
    unsigned_token,
)

pytestmark = pytest.mark.kafka


@pytest.fixture(scope="module")
def secured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecuredBroker]:
    """A process of our own whatever the session's broker is: no other provider has all these listeners."""
    if problem := artifacts.obtainable():
        pytest.skip(f"a secured broker needs a process of this machine: {problem}")
    started = start_secured(tmp_path_factory.mktemp("secured"))
    yield started
    started.broker.close()


def kafka_settings(secured: SecuredBroker, protocol: str, *, host: str = "127.0.0.1", **security: Any) -> Kafka:
    """Settings for one of the broker's ports; a `protocol` such as SASL_SSL brings what it needs by default."""
    port = secured.broker.addresses[security.pop("port", protocol)].rpartition(":")[2]
    if protocol.endswith("SSL"):
        security.setdefault("ca_file", str(secured.authority.file))
    if protocol == "SSL" and security.pop("with_certificate", True):
        security.update(certificate_file=str(secured.certificate), key_file=str(secured.key))
    if protocol.startswith("SASL") and security.get("mechanism") != "OAUTHBEARER":
        security.setdefault("username", SUPER_USER)
        security.setdefault("password", password_of(security["username"]))
    limits = {"request_timeout": "2s", "call_timeout": "4s"}
    return Kafka.model_validate(
        {"bootstrap_servers": [f"{host}:{port}"], "security": {"protocol": protocol, **security}, **limits}
    )


async def complaint(kafka: Kafka) -> str:
    """What is said when topics are asked for and no connection comes about."""
    topics = Topics(kafka)
    with pytest.raises(SinkUnavailableError) as raised:
        await topics.probe(["t"])
    return str(raised.value)


@pytest.mark.parametrize(
    ("protocol", "mechanism"),
    [
        ("PLAINTEXT", None),
        ("SSL", None),
        ("SASL_PLAINTEXT", "PLAIN"),
        ("SASL_PLAINTEXT", "SCRAM-SHA-256"),
        ("SASL_SSL", "PLAIN"),
        ("SASL_SSL", "SCRAM-SHA-256"),
        ("SASL_SSL", "SCRAM-SHA-512"),
        ("SASL_SSL", "OAUTHBEARER"),
    ],
)
async def test_records_pass_by_every_protocol_and_mechanism(
    secured: SecuredBroker, protocol: str, mechanism: str | None
) -> None:
    extra: dict[str, Any] = {"mechanism": mechanism} if mechanism else {}
    if mechanism == "OAUTHBEARER":
        extra["oauth_token"] = unsigned_token(SUPER_USER)
    kafka = kafka_settings(secured, protocol, **extra)
    name = unique("secured")
    topics = Topics(kafka)
    assert await topics.create_missing([TopicSpec(name, 1, 1)]) == []
    async with AIOKafkaProducer(**client_options(kafka), transactional_id=name) as producer, producer.transaction():
        await producer.send_and_wait(name, b"secret")
    options = client_options(kafka)
    (record,) = await read_records(options.pop("bootstrap_servers")[0], name, **options)
    assert record.value == b"secret"
    assert await diagnose(kafka) == []


async def test_a_wrong_password_and_an_unknown_user_are_named_but_no_password_is(secured: SecuredBroker) -> None:
    for mechanism in ("PLAIN", "SCRAM-SHA-512"):
        for user in (SUPER_USER, "nobody"):
            kafka = kafka_settings(secured, "SASL_SSL", mechanism=mechanism, username=user, password="wr0ng-w0rd")
            said = await complaint(kafka)
            assert f"is kafka.security.password that of user {user}" in said
            assert "wr0ng" not in said
            assert kafka.bootstrap_servers[0] in said


async def test_a_mechanism_that_the_broker_does_not_offer_is_named(secured: SecuredBroker) -> None:
    said = await complaint(kafka_settings(secured, "SASL_PLAINTEXT", mechanism="SCRAM-SHA-512"))
    assert "does not offer kafka.security.mechanism SCRAM-SHA-512" in said


async def test_a_wrong_ca_is_named_with_its_file(secured: SecuredBroker, tmp_path: Path) -> None:
    other = Authority(tmp_path, "other")
    for protocol in ("SASL_SSL", "SSL"):
        said = await complaint(kafka_settings(secured, protocol, ca_file=str(other.file)))
        assert f"the broker's certificate is not signed by kafka.security.ca_file {other.file}" in said
    said = await complaint(kafka_settings(secured, "SASL_SSL", ca_file=None))
    assert "name its CA in kafka.security.ca_file" in said


async def test_a_certificate_for_another_host_is_refused_unless_the_configuration_says_otherwise(
    secured: SecuredBroker,
) -> None:
    said = await complaint(kafka_settings(secured, "SASL_SSL", host="localhost"))
    assert "the broker's certificate names another host" in said
    topics = Topics(kafka_settings(secured, "SASL_SSL", host="localhost", verify_hostname=False))
    assert (await topics.probe(["absent"]))["absent"].status == "missing"


async def test_a_missing_client_certificate_is_named(secured: SecuredBroker) -> None:
    said = await complaint(kafka_settings(secured, "SSL", with_certificate=False))
    assert "kafka.security.certificate_file" in said


async def test_a_protocol_that_is_not_that_of_the_port_is_suspected(secured: SecuredBroker) -> None:
    assert "kafka.security.protocol PLAINTEXT" in await complaint(kafka_settings(secured, "PLAINTEXT", port="SSL"))
    said = await complaint(kafka_settings(secured, "SASL_SSL", port="PLAINTEXT"))
    assert "kafka.security.protocol SASL_SSL" in said or "is this a TLS port?" in said


async def test_a_token_file_is_read_at_each_login_and_a_refused_token_is_named(
    secured: SecuredBroker, tmp_path: Path
) -> None:
    file = tmp_path / "token"
    kafka = kafka_settings(secured, "SASL_SSL", mechanism="OAUTHBEARER", oauth_token_file=str(file))
    topics = Topics(kafka)
    with pytest.raises(SinkUnavailableError, match=f"kafka.security.oauth_token_file {file}: No such file"):
        await topics.probe(["absent"])
    file.write_text(unsigned_token(SUPER_USER, lifetime_s=-60))
    with pytest.raises(SinkUnavailableError, match="does not accept the token"):
        await topics.probe(["absent"])
    file.write_text(unsigned_token(SUPER_USER) + "\n")
    assert (await topics.probe(["absent"]))["absent"].status == "missing"


async def test_certificates_that_were_replaced_count_for_the_next_connection(
    secured: SecuredBroker, tmp_path: Path
) -> None:
    trusted = tmp_path / "ca.pem"
    shutil.copy(Authority(tmp_path, "old").file, trusted)
    topics = Topics(kafka_settings(secured, "SASL_SSL", ca_file=str(trusted)))
    with pytest.raises(SinkUnavailableError, match="not signed by"):
        await topics.probe(["absent"])
    shutil.copy(secured.authority.file, trusted)
    assert (await topics.probe(["absent"]))["absent"].status == "missing"


async def test_a_topic_that_may_not_be_seen_is_said_with_the_acls_that_it_needs(secured: SecuredBroker) -> None:
    name = unique("forbidden")
    await create_topics(secured.broker.bootstrap, name)
    kafka = kafka_settings(secured, "SASL_SSL", mechanism="SCRAM-SHA-512", username=LIMITED_USER)
    topics = Topics(kafka)
    assert (await topics.probe([name]))[name].status == "unauthorized"
    spec = TopicSpec(name, 1, 1, 1000)
    (unseen,) = await topics.compare([spec])
    assert unseen.message == (
        "the bridge's user may not see it (or it is missing): it needs the ACLs Describe and Write"
    )
    await _allow(secured, f"--operation Describe --operation Write --topic {name}")
    state = (await topics.probe([name]))[name]
    assert (state.status, state.settings) == ("ok", None)
    (unread,) = await topics.compare([spec])
    assert (unread.kind, unread.blocking) == ("unreadable", False)
    assert unread.message.endswith("the bridge's user needs the ACL DescribeConfigs")
    await _allow(secured, f"--operation DescribeConfigs --topic {name}")
    (differs,) = await topics.compare([spec])
    assert differs.message == "has retention without end, expected 1s"


async def test_what_may_have_no_end_in_a_topic_that_may_not_be_written_to_any_more_is_told_and_not_aborted(
    secured: SecuredBroker,
) -> None:
    positions, denied, other, journal_id = unique("positions"), unique("denied"), unique("other"), unique("journal")
    await create_topics(secured.broker.bootstrap, positions, denied, other)
    await _allow(
        secured,
        f"--operation All --topic {positions} --topic {other} --transactional-id treble-bridge-{journal_id}",
        f"--operation Describe --topic {denied}",
        "--operation IdempotentWrite --cluster",
    )
    kafka = kafka_settings(secured, "SASL_PLAINTEXT", mechanism="PLAIN", username=LIMITED_USER)
    kafka = kafka.model_copy(update={"positions_topic": positions})
    sink = TransactionalSink(kafka, journal_id, Instance("a", "host", 1), list)
    ends = [PendingMarker(denied, 0, 0), PendingMarker(other, 0, 0)]
    await sink.open(None, [PendingMarker(positions, 0, 0)])
    await sink.partition_counts([denied, other])
    assert await sink.markers_written(ends) == dict.fromkeys(ends, False), "Describe is enough"
    with pytest.raises(TopicPausedError, match="may not write") as refused:
        await sink.abort_hanging(denied, ends[:1])
    assert refused.value.topic == denied
    await sink.close(healthy=False)
    await sink.open(None)
    await sink.partition_counts([other])
    await sink.abort_hanging(other, ends[1:])
    await sink.close(healthy=True)


async def test_at_least_once_goes_on_where_a_doubt_from_before_may_not_be_settled(secured: SecuredBroker) -> None:
    topic = unique("data")
    await create_topics(secured.broker.bootstrap, topic)
    await _allow(secured, f"--operation Write --topic {topic}")  # and no transactional id
    kafka = kafka_settings(secured, "SASL_PLAINTEXT", mechanism="PLAIN", username=LIMITED_USER)
    sink = Sink(kafka, unique("journal"))
    await sink.open(None)
    with pytest.raises(SinkUnavailableError, match="transactional id"):
        await sink.abort_hanging(topic, [PendingMarker(topic, 0, 0)])
    await send(sink, [prepared(1, topic)], 2)
    await sink.close(healthy=True)
    assert len(await read_records(secured.broker.bootstrap, topic)) == 1


async def _allow(secured: SecuredBroker, *rules: str) -> None:
    """Let the limited user do this."""
    for rule in rules:
        line = f"--bootstrap-server {secured.broker.bootstrap} --add --allow-principal User:{LIMITED_USER} {rule}"
        await asyncio.to_thread(secured.broker.tool, "kafka-acls.sh", *line.split())


async def test_a_file_that_is_gone_is_named_and_tried_again(secured: SecuredBroker, tmp_path: Path) -> None:
    file = tmp_path / "ca.pem"
    topics = Topics(kafka_settings(secured, "SASL_SSL", ca_file=str(file)))
    with pytest.raises(SinkUnavailableError, match=f"kafka.security.ca_file {file} can't be read: No such file"):
        await topics.probe(["absent"])
    shutil.copy(secured.authority.file, file)
    assert (await topics.probe(["absent"]))["absent"].status == "missing"
