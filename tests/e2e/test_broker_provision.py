"""The brokers that the other tests stand on do what those tests take for granted."""

import asyncio
import os
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from aiokafka import AIOKafkaProducer

from tests.kafka_broker import Broker, artifacts, container, create_topics, read_records, unique
from tests.kafka_broker.process import ProcessBroker

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module", params=["process", "container"])
def provided(request: pytest.FixtureRequest) -> Iterator[Broker]:
    """A broker of each provider that this machine has."""
    problem = {"process": artifacts, "container": container}[request.param].obtainable()
    if problem:
        pytest.skip(problem)
    broker: Broker = ProcessBroker() if request.param == "process" else container.ContainerBroker()
    try:
        broker.start()
        yield broker
    finally:
        broker.close()


@pytest.mark.kafka
@pytest.mark.timeout(300)  # an image may have to be fetched
async def test_a_broker_keeps_committed_records_through_pause_and_kill(provided: Broker) -> None:
    topic = unique("provision")
    await create_topics(provided.bootstrap, topic, partitions=2)
    async with AIOKafkaProducer(bootstrap_servers=provided.bootstrap, transactional_id=topic) as producer:
        async with producer.transaction():
            await producer.send_and_wait(topic, b"first", headers=[("n", b"1")], partition=0)
        provided.pause()
        await producer.begin_transaction()
        sending = asyncio.ensure_future(producer.send_and_wait(topic, b"aborted", partition=1))
        assert not (await asyncio.wait([sending], timeout=0.3))[0], "a paused broker answered"
        provided.resume()
        await sending
        await producer.abort_transaction()
    # With their ends: a broker that has to end a transaction when it starts may pass it over
    # (see `bridge.kafka.transaction_markers`).
    assert [record.value for record in await read_records(provided.bootstrap, topic)] == [b"first"]
    provided.kill()
    provided.start()
    (record,) = await read_records(provided.bootstrap, topic)
    assert (record.value, record.partition, record.headers) == (b"first", 0, {"n": b"1"})
    every = await read_records(provided.bootstrap, topic, isolation="read_uncommitted")
    assert sorted(r.value or b"" for r in every) == [b"aborted", b"first"]


@pytest.mark.kafka
async def test_reading_all_records_waits_for_a_transaction_that_is_about_to_end(provided: Broker) -> None:
    topic = unique("about-to-end")
    await create_topics(provided.bootstrap, topic)
    async with AIOKafkaProducer(bootstrap_servers=provided.bootstrap, transactional_id=topic) as producer:
        await producer.begin_transaction()
        await producer.send_and_wait(topic, b"sent")
        reading = asyncio.ensure_future(read_records(provided.bootstrap, topic))
        assert not (await asyncio.wait([reading], timeout=1))[0], "what isn't committed yet was left out"
        await producer.commit_transaction()
        assert [record.value for record in await reading] == [b"sent"]


@pytest.mark.kafka
def test_a_broker_process_dies_with_the_session_that_started_it(tmp_path: Path) -> None:
    if problem := artifacts.obtainable():
        pytest.skip(problem)
    script = textwrap.dedent("""
        import os, signal
        from tests.kafka_broker.process import ProcessBroker
        broker = ProcessBroker()
        broker.start()
        print(broker._process.pid, broker._home, flush=True)
        os.kill(os.getpid(), signal.SIGKILL)
    """)
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=False)
    pid, home = done.stdout.split()
    deadline = time.monotonic() + 10
    while Path(f"/proc/{pid}").exists() or Path(home).exists():
        assert time.monotonic() < deadline, f"process {pid} or {home} is still there"
        time.sleep(0.05)


def _pytest(tmp_path: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    (tmp_path / "test_it.py").write_text(
        "def test_with(kafka):\n    assert kafka.bootstrap\n\ndef test_without():\n    pass\n"
    )
    (tmp_path / "pytest.ini").write_text("[pytest]\nmarkers = kafka: needs one\n")
    settings = {**os.environ, "PYTHONPATH": str(ROOT), "BRIDGE_TEST_KAFKA": "127.0.0.1:1"}
    settings |= {"REQUIRE_KAFKA": "", "LEFT_OUT_FILE": ""}
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-p",
        "tests.kafka_broker.plugin",
        "-p",
        "tests.left_out",
        "-p",
        "no:cacheprovider",
        str(tmp_path),
    ]
    return subprocess.run(
        command, cwd=tmp_path, env={**settings, **environment}, capture_output=True, text=True, check=False
    )


def test_without_a_broker_one_loud_line_counts_what_was_skipped_and_says_how_to_run_it(tmp_path: Path) -> None:
    done = _pytest(tmp_path)
    assert done.returncode == 0, done.stdout
    (line,) = [line for line in done.stdout.splitlines() if line.startswith("!!!")]
    assert "1 tests were LEFT OUT: 1 on a real Kafka" in line
    assert "BRIDGE_TEST_KAFKA=host:port" in line
    assert "1 passed, 1 skipped" in done.stdout


def test_a_required_broker_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    done = _pytest(tmp_path, REQUIRE_KAFKA="1")
    assert done.returncode == pytest.ExitCode.USAGE_ERROR
    assert "REQUIRE_KAFKA is set, but 1 tests have no Kafka" in done.stdout + done.stderr
