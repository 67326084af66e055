"""What is decided about topics without a broker: differences, merging, the topics of the bridge itself."""

import shlex

import pytest

from bridge.errors import SinkUnavailableError
from bridge.kafka.topics import create_line, differences, merged, state_of, system_topics
from bridge.model import TopicSpec
from bridge.settings.models import Kafka, Settings

KAFKA = Kafka.model_validate({"bootstrap_servers": ["k0:9092", "k1:9092"]})
SECURED = {"security": {"protocol": "SASL_SSL", "mechanism": "SCRAM-SHA-512", "username": "web hook", "password": "p"}}


def settings(**sections: object) -> Settings:
    return Settings.model_validate(
        {"kafka": {"bootstrap_servers": ["k:1"]}, "sources": {"treble": {"auth": "none"}}, **sections}
    )


def test_the_command_that_makes_a_topic_holds_everything_about_it() -> None:
    spec = TopicSpec("a.b", 6, 3, 1000, {"cleanup.policy": "compact,delete"})
    assert create_line(KAFKA, spec) == (
        "kafka-topics.sh --bootstrap-server k0:9092,k1:9092 --create --topic a.b --partitions 6 "
        "--replication-factor 3 --config retention.ms=1000 --config cleanup.policy=compact,delete"
    )


def test_the_command_for_a_secured_cluster_takes_the_operators_credentials_from_a_file_and_shows_none() -> None:
    line = create_line(
        Kafka.model_validate({"bootstrap_servers": ["k0:9092", "k1:9092"], **SECURED}), TopicSpec("t", 1, 1)
    )
    assert shlex.split(line)[1:5] == ["--bootstrap-server", "k0:9092,k1:9092", "--command-config", "client.properties"]
    assert "password" not in line


def described(*leaders: int, error: int = 0) -> dict[str, object]:
    partitions = [
        {"partition": i, "leader": leader, "replicas": [1], "error_code": 0} for i, leader in enumerate(leaders)
    ]
    return {"error_code": error, "partitions": partitions}


@pytest.mark.parametrize(
    ("answer", "status"),
    [
        (None, "missing"),
        (described(error=3), "missing"),
        (described(error=29), "unauthorized"),
        (described(error=17), "invalid"),
        (described(error=5), "leaderless"),
        (described(1, -1), "leaderless"),
        (described(1, 1), "ok"),
    ],
)
def test_every_answer_about_a_topic_has_its_state(answer: dict[str, object] | None, status: str) -> None:
    assert state_of("t", answer, None).status == status


def test_an_answer_that_says_nothing_about_the_topic_is_no_state() -> None:
    with pytest.raises(SinkUnavailableError, match="t now: RequestTimedOutError"):
        state_of("t", described(error=7), None)


def test_leaderless_partitions_are_named() -> None:
    state = state_of("t", described(1, -1, -1), {})
    assert state.leaderless == (1, 2)
    (found,) = differences(KAFKA, TopicSpec("t", 3, 1), state, 1)
    assert found.message == "no leader for partition 1, 2: a broker is away"


def test_a_missing_topic_comes_with_the_line_that_makes_it() -> None:
    spec = TopicSpec("t", 3, 1)
    (found,) = differences(KAFKA, spec, state_of("t", None, None), 1)
    assert (found.kind, found.create_line) == ("missing", create_line(KAFKA, spec))
    assert str(found).splitlines() == ["t: is missing", f"    {found.create_line}"]
    assert found.sentence == f"t: is missing; create it with: {found.create_line}"


@pytest.mark.parametrize(
    ("policy", "acls"), [("compact", "Describe, Write and Read"), ("delete", "Describe and Write")]
)
def test_a_topic_that_may_not_be_seen_is_said_with_the_acls_that_it_needs(policy: str, acls: str) -> None:
    spec = TopicSpec("t", 3, 1, None, {"cleanup.policy": policy})
    (found,) = differences(KAFKA, spec, state_of("t", described(error=29), None), 1)
    assert found.kind == "unauthorized"
    assert found.message.endswith(f"it needs the ACLs {acls}")


def test_settings_that_may_not_be_read_are_said_but_block_nothing() -> None:
    state = state_of("t", described(1), None)
    (found,) = differences(KAFKA, TopicSpec("t", 1, 1, 1000), state, 1)
    assert (found.kind, found.blocking) == ("unreadable", False)
    assert found.message.endswith("needs the ACL DescribeConfigs")
    assert list(differences(KAFKA, TopicSpec("t", 1, 1), state, 1)) == []


def test_a_limit_that_is_higher_than_needed_is_no_difference() -> None:
    state = state_of("t", described(1), {"max.message.bytes": "9000000"})
    spec = TopicSpec("t", 1, 1, None, {"max.message.bytes": "4194304"})
    assert list(differences(KAFKA, spec, state, 1)) == []


def test_two_specs_of_one_topic_become_one_that_holds_what_either_says() -> None:
    (one,) = merged([TopicSpec("t", 6, 3, 5), TopicSpec("t", 6, 3, None, {"max.message.bytes": "7"})])
    assert one == TopicSpec("t", 6, 3, 5, {"max.message.bytes": "7"})


def test_the_positions_topic_is_wanted_only_where_positions_are_kept_on_kafka() -> None:
    exactly = {spec.name: spec for spec in system_topics(settings())}
    assert set(exactly) == {"treble.quarantine", "treble.bridge.positions"}
    positions = exactly["treble.bridge.positions"]
    assert (positions.partitions, positions.replication_factor) == (1, 3)
    assert positions.config["cleanup.policy"] == "compact"
    assert positions.config["min.insync.replicas"] == "2"
    kafka = {"bootstrap_servers": ["k:1"], "delivery": "at_least_once"}
    assert [spec.name for spec in system_topics(settings(kafka=kafka))] == ["treble.quarantine"]


def test_the_quarantine_takes_the_largest_body_in_base64() -> None:
    (small, _), (large, _) = system_topics(settings()), system_topics(settings(server={"max_body": "8MiB"}))
    assert int(small.config["max.message.bytes"]) == 4 << 20
    assert int(large.config["max.message.bytes"]) > (8 << 20) * 4 / 3
