"""A single-node Kafka (KRaft) as a process of this machine. It dies with the test session, however that ends."""

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.kafka_broker import artifacts
from tests.kafka_broker.broker import Broker, BrokerError, free_port, wait_for_text

_CLUSTER_ID = "dHJlYmxlLWJyaWRnZS10ZQ"
_READY = "Kafka Server started"
_HEAP = ("-Xms160m", "-Xmx512m")
# Kills whatever is left when the pipe from the test session closes, be it by `kill -9`.
_WATCHDOG = 'read -r _; kill -9 "$1" 2>/dev/null; rm -rf "$2"'

SETTINGS: Mapping[str, str] = {
    "process.roles": "broker,controller",
    "node.id": "1",
    "controller.listener.names": "CONTROLLER",
    "inter.broker.listener.name": "PLAINTEXT",
    "auto.create.topics.enable": "false",
    "num.partitions": "3",
    "offsets.topic.num.partitions": "3",
    "offsets.topic.replication.factor": "1",
    "transaction.state.log.num.partitions": "3",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "group.initial.rebalance.delay.ms": "0",
    # A killed broker registers again only when its old session has ended.
    "broker.session.timeout.ms": "2000",
    "broker.heartbeat.interval.ms": "500",
    # So that a test of an expired transaction waits a second, not ten.
    "transaction.abort.timed.out.transaction.cleanup.interval.ms": "1000",
    "log.cleaner.dedupe.buffer.size": str(4 << 20),
    # Records of tests carry fixed times, long past: by default they are deleted at the next look, within five minutes.
    "log.retention.ms": "-1",
    "num.network.threads": "2",
    "num.io.threads": "4",
}


class ProcessBroker(Broker):
    """Kafka in a JVM, data in a temporary folder, log in a file beside it.

    `listeners` adds security protocols to PLAINTEXT; `addresses` maps each to its host:port. `settings` are more broker
    settings by Kafka's names; `format_options` go to the storage tool (SCRAM users).
    """

    provider = "process"
    can_control = True

    def __init__(
        self,
        *,
        listeners: Sequence[str] = (),
        settings: Mapping[str, str] | None = None,
        format_options: Sequence[str] = (),
        jvm_options: tuple[str, ...] = (),
    ) -> None:
        self._home = Path(tempfile.mkdtemp(prefix="treble-bridge-kafka-"))
        self.log = self._home / "log"
        self._properties = self._home / "server.properties"
        self.addresses = {name: f"127.0.0.1:{free_port()}" for name in ("PLAINTEXT", *listeners)}
        self.bootstrap = self.addresses["PLAINTEXT"]
        self._settings = {**SETTINGS, **self._network(), **(settings or {})}
        self._format_options = format_options
        self._jvm_options = (*_HEAP, *jvm_options)
        self._process: subprocess.Popen[bytes] | None = None
        self._watchdog: subprocess.Popen[bytes] | None = None
        self._paused = False

    def _network(self) -> dict[str, str]:
        controller = f"127.0.0.1:{free_port()}"
        advertised = ",".join(f"{name}://{address}" for name, address in self.addresses.items())
        names = (*self.addresses, "CONTROLLER")
        return {
            "log.dirs": str(self._home / "data"),
            "listeners": f"{advertised},CONTROLLER://{controller}",
            "advertised.listeners": advertised,
            "listener.security.protocol.map": ",".join(f"{n}:{'PLAINTEXT' if n == 'CONTROLLER' else n}" for n in names),
            "controller.quorum.voters": f"1@{controller}",
        }

    @property
    def running(self) -> bool:
        """Whether it can answer: neither killed nor paused."""
        return self._process is not None and self._process.poll() is None and not self._paused

    def start(self) -> None:
        """Start it (again, on the same data and ports); returns when it serves clients. Takes 2-5 s."""
        if self._process is not None and self._process.poll() is None:
            raise BrokerError("the broker runs already")
        if not (self._home / "data" / "meta.properties").exists():
            self._format()
        with self.log.open("ab") as log:
            start = log.tell()
            self._process = subprocess.Popen(
                artifacts.command("kafka.Kafka", str(self._properties), options=self._jvm_options),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self._home,
                start_new_session=True,  # ^C ends the tests, and the tests end the broker
            )
        self._paused = False
        self._watchdog = subprocess.Popen(
            ["sh", "-c", _WATCHDOG, "sh", str(self._process.pid), str(self._home)],
            stdin=subprocess.PIPE,
            start_new_session=True,
        )
        process = self._process
        wait_for_text(self.log, start, _READY, 60, alive=lambda: process.poll() is None)

    def _format(self) -> None:
        self._properties.write_text("".join(f"{k}={v}\n" for k, v in self._settings.items()))
        arguments = ("format", "--cluster-id", _CLUSTER_ID, "-c", str(self._properties), *self._format_options)
        done = subprocess.run(
            artifacts.command("kafka.tools.StorageTool", *arguments, options=("-Xmx128m",)),
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        if done.returncode:
            raise BrokerError(f"formatting the storage failed:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")

    def pause(self) -> None:
        """SIGSTOP; returns when every thread has stopped."""
        self._signal(signal.SIGSTOP)
        self._paused = True
        while not all(_state(thread) in "TZX" for thread in Path(f"/proc/{self._pid}/task").iterdir()):
            time.sleep(0.001)

    def resume(self) -> None:
        """SIGCONT."""
        if self._process is not None and self._process.poll() is None:
            self._signal(signal.SIGCONT)
        self._paused = False

    def kill(self) -> None:
        """SIGKILL; returns when it is gone. Its data stays."""
        self._end(signal.SIGKILL)

    def terminate(self) -> None:
        """SIGTERM; returns when it has shut down in order."""
        self._end(signal.SIGTERM)

    def _end(self, number: int) -> None:
        if self._watchdog is not None:  # before the pid can belong to someone else
            self._watchdog.kill()
            self._watchdog.wait()
            assert self._watchdog.stdin is not None
            self._watchdog.stdin.close()
            self._watchdog = None
        if self._process is not None:
            if self._process.poll() is None:
                self._signal(number)
            self._process.wait(60)

    @property
    def _pid(self) -> int:
        if self._process is None or self._process.poll() is not None:
            raise BrokerError("the broker does not run")
        return self._process.pid

    def _signal(self, number: int) -> None:
        os.kill(self._pid, number)

    def tool(self, script: str, *arguments: str) -> str:
        """Run one of Kafka's command line tools by its script's name (`kafka-topics.sh`); returns what it printed."""
        done = subprocess.run(
            artifacts.command(
                _TOOLS[script], *arguments, options=("-Xmx128m", "-Dorg.slf4j.simpleLogger.defaultLogLevel=error")
            ),
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        if done.returncode:
            raise BrokerError(f"{script} {' '.join(arguments)}:\n{done.stdout}{done.stderr}")
        return done.stdout

    def close(self) -> None:
        """End it and remove its data."""
        if self._process is not None:
            self._end(signal.SIGKILL)
        shutil.rmtree(self._home, ignore_errors=True)


_TOOLS = {
    "kafka-topics.sh": "org.apache.kafka.tools.TopicCommand",
    "kafka-configs.sh": "kafka.admin.ConfigCommand",
    "kafka-acls.sh": "org.apache.kafka.tools.AclCommand",
    "kafka-reassign-partitions.sh": "org.apache.kafka.tools.reassign.ReassignPartitionsCommand",
    "kafka-console-consumer.sh": "org.apache.kafka.tools.consumer.ConsoleConsumer",
}


def _state(thread: Path) -> str:
    """R, S, D, T (stopped), Z, … of one thread; X when it has ended."""
    try:
        return (thread / "stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return "X"


def make_class_archive() -> None:
    """Run a throw-away broker once and keep the classes that it loaded, so that later starts take half the time."""
    archive = artifacts.archive_path()
    with artifacts.only_one("archive"):
        if archive.exists():
            return
        fresh = archive.with_suffix(f".{os.getpid()}")
        broker = ProcessBroker(jvm_options=(f"-XX:ArchiveClassesAtExit={fresh}",))
        try:
            broker.start()
            broker.terminate()
            if fresh.exists():  # a Java without this ability goes on without
                fresh.replace(archive)
        finally:
            broker.close()
