"""What is decided about topics without a broker: commands, merging, the topics of the bridge itself."""

import json
import shlex

import pytest

from bridge.errors import SinkUnavailableError
from bridge.kafka.admin import TopicCommands
from bridge.kafka.topics import differences, merged, state_of, system_topics
from bridge.model import TopicSpec
from bridge.settings.models import Kafka, Settings


def commands(**kafka: object) -> TopicCommands:
    return TopicCommands(Kafka.model_validate({"bootstrap_servers": ["k0:9092", "k1:9092"], **kafka}))


SECURED = {"security": {"protocol": "SASL_SSL", "mechanism": "SCRAM-SHA-512", "username": "web hook", "password": "p"}}


def settings(**sections: object) -> Settings:
    return Settings.model_validate(
        {"kafka": {"bootstrap_servers": ["k:1"]}, "sources": {"treble": {"auth": "none"}}, **sections}
    )


def test_the_command_that_makes_a_topic_holds_everything_about_it() -> None:
    spec = TopicSpec("a.b", 6, 3, 1000, {"cleanup.policy": "compact,delete"})
    assert commands().create(spec) == (
        "kafka-topics.sh --bootstrap-server k0:9092,k1:9092 --create --topic a.b --partitions 6 "
        "--replication-factor 3 --config retention.ms=1000 --config cleanup.policy=compact,delete"
    )


def test_commands_for_a_secured_cluster_take_the_operators_credentials_from_a_file_and_show_none() -> None:
    line = commands(**SECURED).allow("t", ["Describe", "Write"])
    assert shlex.split(line)[1:5] == ["--bootstrap-server", "k0:9092,k1:9092", "--command-config", "client.properties"]
    assert "--allow-principal 'User:web hook' --operation Describe --operation Write --topic t" in line
    assert "password" not in line


def test_a_reassignment_keeps_the_replicas_there_are_and_spreads_the_new_ones() -> None:
    line = commands().replicate("t", {0: (1,), 1: (2,), 2: (3,)}, [1, 2, 3, 4], 3)
    plan = json.loads(shlex.split(line)[1])
    replicas = {p["partition"]: p["replicas"] for p in plan["partitions"]}
    assert {p: (held[0], len(set(held))) for p, held in replicas.items()} == {0: (1, 3), 1: (2, 3), 2: (3, 3)}
    assert {broker for held in replicas.values() for broker in held} == {1, 2, 3, 4}
    assert "> t.json && kafka-reassign-partitions.sh" in line
    fewer = json.loads(shlex.split(commands().replicate("t", {0: (4, 2, 1)}, [1, 2, 4], 2))[1])
    assert fewer["partitions"][0]["replicas"] == [4, 2]


def test_a_setting_with_a_comma_survives_kafkas_list_syntax() -> None:
    line = commands().configure("t", {"cleanup.policy": "compact,delete", "retention.ms": "5"})
    assert "cleanup.policy=[compact,delete],retention.ms=5" in line


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
    (found,) = differences(TopicSpec("t", 3, 1), state, [1], commands())
    assert found.message == "no leader for partition 1, 2: a broker is away"


def test_settings_that_may_not_be_read_are_said_but_block_nothing() -> None:
    state = state_of("t", described(1), None)
    (found,) = differences(TopicSpec("t", 1, 1, 1000), state, [1], commands())
    assert (found.kind, found.blocking) == ("unreadable", False)
    assert "--operation DescribeConfigs" in found.mend
    assert list(differences(TopicSpec("t", 1, 1), state, [1], commands())) == []


def test_a_limit_that_is_higher_than_needed_is_no_difference() -> None:
    state = state_of("t", described(1), {"max.message.bytes": "9000000"})
    spec = TopicSpec("t", 1, 1, None, {"max.message.bytes": "4194304"})
    assert list(differences(spec, state, [1], commands())) == []


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
