"""`topics` and `tail` against a real broker, as a user calls them."""

import asyncio
import json
import re
import shlex
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import yaml
from aiokafka import AIOKafkaProducer
from click.testing import CliRunner, Result

from bridge.catalogue import TABLE
from bridge.cli import cli
from bridge.errors import ExitCode
from tests.kafka_broker import Broker, create_topics, unique
from tests.kafka_broker.process import ProcessBroker

pytestmark = pytest.mark.kafka


def call(*arguments: str) -> Result:
    return CliRunner().invoke(cli, list(arguments))


def configuration(folder: Path, broker: Broker, **topics: Any) -> tuple[str, str]:
    """A file whose topics no other test uses; returns it and their prefix."""
    prefix = unique("cli")
    content = {
        "kafka": {"bootstrap_servers": [broker.bootstrap], "positions_topic": f"{prefix}.positions"},
        "sources": {"treble": {"auth": "none"}},
        "topics": {
            "default": prefix + ".{event_type}",
            "quarantine": f"{prefix}.quarantine",
            "partitions": 2,
            "replication_factor": 1,
            **topics,
        },
    }
    file = folder / "bridge.yaml"
    file.write_text(yaml.safe_dump(content))
    return str(file), prefix


def test_topics_are_verified_made_and_verified_again(kafka: Broker, tmp_path: Path) -> None:
    file, prefix = configuration(
        tmp_path, kafka, map={"message.read": {"topic": f"{unique('cli')}.reads", "retention": "1d"}}
    )
    verified = call("topics", "verify", "--config", file)
    assert verified.exit_code == ExitCode.MISMATCH
    assert f"{prefix}.message.delivered: is missing\n    kafka-topics.sh" in verified.stdout
    made = call("topics", "create", "--config", file, "--json")
    assert made.exit_code == 0, made.output
    assert len(json.loads(made.stdout)["made"]) == 12
    again = call("topics", "create", "--config", file)
    assert (again.exit_code, again.stdout) == (0, "nothing was missing\n")
    verified = call("topics", "verify", "--config", file)
    assert (verified.exit_code, verified.stdout) == (0, "12 topics, all as configured\n")
    listed = {row["topic"]: row for row in json.loads(call("topics", "list", "--config", file, "--json").stdout)}
    reads = next(row for name, row in listed.items() if name.endswith(".reads"))
    assert (reads["receives"], reads["status"], reads["retention_ms"]) == (["message.read"], "ok", 86_400_000)
    assert listed[f"{prefix}.positions"]["partitions"] == 1
    table = call("topics", "list", "--config", file).stdout
    assert f"{prefix}.hsm.status_changed" in table
    assert re.search(r"\(positions of forwarding\) +ok +1 +1 +compacted", table)


def test_a_topic_that_can_not_be_made_is_exit_code_8_and_the_reason(kafka: Broker, tmp_path: Path) -> None:
    file, prefix = configuration(tmp_path, kafka, replication_factor=30)
    created = call("topics", "create", "--config", file)
    assert (created.exit_code, created.stdout) == (ExitCode.MISMATCH, "")
    assert f"differs: {prefix}.quarantine: is missing, and could not be made: InvalidReplication" in created.stderr
    created = call("topics", "create", "--config", file, "--json")
    told = json.loads(created.stdout)
    assert (created.exit_code, told["made"]) == (ExitCode.MISMATCH, [])
    assert all("could not be made: InvalidReplication" in difference["message"] for difference in told["differences"])


def test_printed_commands_make_exactly_what_is_verified(process_kafka: ProcessBroker, tmp_path: Path) -> None:
    dropped = [name for name in TABLE if name != "message.read"]
    file, prefix = configuration(tmp_path, process_kafka, map={name: {"drop": True} for name in dropped})
    printed = call("topics", "create", "--config", file, "--print").stdout.splitlines()
    assert len(printed) == 3
    for line in printed:
        script, *arguments = shlex.split(line)
        process_kafka.tool(script, *arguments)
    assert call("topics", "verify", "--config", file).exit_code == 0
    assert all(prefix in line for line in printed)


def test_a_broker_that_is_not_there_is_exit_code_7_with_the_reason(tmp_path: Path) -> None:
    file = tmp_path / "bridge.yaml"
    file.write_text(
        yaml.safe_dump({"kafka": {"bootstrap_servers": ["127.0.0.1:1"]}, "sources": {"t": {"auth": "none"}}})
    )
    for arguments in (["topics", "list"], ["topics", "verify"], ["tail"]):
        result = call(*arguments, "--config", str(file))
        assert result.exit_code == ExitCode.UNREACHABLE, result.output
        assert "127.0.0.1:1: nothing listens there (connection refused)" in result.stderr
        assert "Traceback" not in result.output


async def produce(broker: Broker, topic: str, *values: bytes, abort: bool = False) -> None:
    async with AIOKafkaProducer(bootstrap_servers=broker.bootstrap, transactional_id=unique("tx")) as producer:
        await producer.begin_transaction()
        for value in values:
            await producer.send_and_wait(topic, value, key=b"+573176477608", headers=[("ce_id", b"1234567890")])
        await (producer.abort_transaction() if abort else producer.commit_transaction())


async def test_tail_shows_committed_events_decoded_with_phones_masked(kafka: Broker) -> None:
    topic = unique("tail")
    await create_topics(kafka.bootstrap, topic)
    event = {"id": "20260601123456", "contact": {"phone": "+573176477608"}, "raw": {"cellphone": "3176477608"}}
    await produce(kafka, topic, b"aborted", abort=True)
    await produce(kafka, topic, json.dumps(event).encode(), b"no json", b'{"specversion":"1.0","data":{"id":"x"}}')
    arguments = ("tail", "--kafka", kafka.bootstrap, topic, "--from-beginning", "--count", "3", "--timeout", "20s")
    result = await asyncio.to_thread(call, *arguments, "--json")
    assert result.exit_code == 0, result.output
    first, second, third = [json.loads(line) for line in result.stdout.splitlines()]
    assert first["value"] == {"id": "20260601123456", "contact": {"phone": "+57******08"}}
    assert (first["key"], first["headers"]) == ("+57******08", {"ce_id": "1234567890"})
    assert (second["value"], third["value"]) == ("no json", {"id": "x"})
    shown = await asyncio.to_thread(call, *arguments, "--unmasked", "--raw")
    assert '"raw":{"cellphone":"3176477608"}' in shown.stdout
    assert f"{topic}[0]@" in shown.stdout


async def test_tail_ends_by_its_timeout_and_tells_a_script_that_less_came_than_expected(kafka: Broker) -> None:
    topic, missing = unique("tail"), unique("missing")
    await create_topics(kafka.bootstrap, topic)
    arguments = ("tail", "--kafka", kafka.bootstrap, topic, "--timeout", "1s")
    assert (await asyncio.to_thread(call, *arguments)).exit_code == ExitCode.OK
    for more in (["--count", "1"], [missing]):
        result = await asyncio.to_thread(call, *arguments, *more)
        assert result.exit_code == ExitCode.MISMATCH, more
    assert f"{missing}: there is no such topic" in result.stderr


async def test_tail_of_a_topic_that_does_not_exist_is_an_error_at_once(kafka: Broker) -> None:
    topic = unique("tail")
    result = await asyncio.wait_for(asyncio.to_thread(call, "tail", "--kafka", kafka.bootstrap, topic), 30)
    assert (result.exit_code, result.stdout) == (ExitCode.MISMATCH, "")
    assert result.stderr == f"{topic}: there is no such topic, or it may not be read\n"


async def test_tail_takes_up_a_topic_that_is_made_while_it_runs_and_ends_quietly_on_an_interrupt(kafka: Broker) -> None:
    early, late = unique("early"), unique("late")
    await create_topics(kafka.bootstrap, early)
    await produce(kafka, early, b"before")
    command = [sys.executable, "-m", "bridge", "tail", "--kafka", kafka.bootstrap, early, late, "--json"]
    process = await asyncio.create_subprocess_exec(*command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stderr is not None
    try:
        async with asyncio.timeout(30):
            assert (await process.stderr.readline()).startswith(b"reading 2 topics")
            await create_topics(kafka.bootstrap, late)
            await produce(kafka, late, b"after")
            await produce(kafka, early, b"now")
            lines = [json.loads(await process.stdout.readline()) for _ in range(2)]
            assert {(line["topic"], line["value"]) for line in lines} == {(early, "now"), (late, "after")}
            process.send_signal(2)
            started = time.monotonic()
            out, error = await process.communicate()
            assert time.monotonic() - started < 5
            assert (out, error, process.returncode) == (b"", b"", 130)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
