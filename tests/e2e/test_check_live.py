"""`treble-bridge check --live` on a real broker: what differs is said, with the line that makes a missing topic."""

import asyncio
import json
from pathlib import Path

from click.testing import CliRunner

from bridge.cli import cli
from tests.kafka_broker.broker import Broker
from tests.kafka_broker.records import unique


def configuration(folder: Path, kafka: Broker, create: str = "verify", replicas: int = 1) -> str:
    prefix = unique("check")
    path = folder / "bridge.yaml"
    path.write_text(
        f"kafka: {{bootstrap_servers: ['{kafka.bootstrap}'], positions_topic: {prefix}.positions}}\n"
        "sources: {treble: {auth: [{bearer: long-enough-token}]}}\n"
        f"topics: {{default: {prefix}.events, quarantine: {prefix}.quarantine, replication_factor: {replicas}, "
        f"create: {create}}}\n",
        encoding="utf-8",
    )
    return str(path)


async def invoke(*arguments: str) -> tuple[int, str]:
    """In a thread: the command has an event loop of its own."""
    result = await asyncio.to_thread(CliRunner().invoke, cli, list(arguments))
    return result.exit_code, result.output


async def test_missing_topics_are_a_difference_until_they_are_made(tmp_path: Path, kafka: Broker) -> None:
    path = configuration(tmp_path, kafka)
    code, output = await invoke("check", path, "--live", "--json")
    findings = json.loads(output)["problems"]
    assert code == 8, output
    assert len(findings) == 3
    assert all("is missing" in finding["message"] for finding in findings)
    assert all("kafka-topics.sh" in finding["message"] for finding in findings)

    assert (await invoke("topics", "create", "--config", path))[0] == 0
    code, output = await invoke("check", path, "--live")
    assert code == 0, output
    assert "Kafka answers, and has every topic as configured" in output


async def test_a_missing_topic_that_the_start_makes_is_a_note_and_nothing_is_made(
    tmp_path: Path, kafka: Broker
) -> None:
    path = configuration(tmp_path, kafka, create="missing")
    for _ in range(2):
        code, output = await invoke("check", path, "--live", "--json")
        findings = json.loads(output)["problems"]
        assert code == 0, output
        assert [finding["severity"] for finding in findings] == ["note"] * 3
        assert all(finding["message"].endswith("is missing, and will be made at the start") for finding in findings)
    code, output = await invoke("check", path, "--live")
    assert code == 0, output
    assert "is fine: 0 errors, 0 warnings" in output
    assert "Kafka answers, and has every topic as configured, but those to be made" in output


async def test_a_missing_topic_that_the_start_could_not_make_is_an_error_with_kafkas_reason(
    tmp_path: Path, kafka: Broker
) -> None:
    code, output = await invoke("check", configuration(tmp_path, kafka, "missing", replicas=30), "--live", "--json")
    findings = json.loads(output)["problems"]
    assert code == 8, output
    assert all(finding["severity"] == "error" for finding in findings)
    assert all("is missing, and could not be made: InvalidReplication" in finding["message"] for finding in findings)
