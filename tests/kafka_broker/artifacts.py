"""Kafka's jars from Maven, fetched once into a cache folder, and a class archive that halves each start.

The folder is ${XDG_CACHE_HOME:-~/.cache}/treble-bridge-tests; remove it to fetch again.
"""

import fcntl
import functools
import hashlib
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.kafka_broker.broker import BrokerError

KAFKA_VERSION = "4.3.1"
_SLF4J_VERSION = "1.7.36"  # the API that this Kafka was built against
_POM = """<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>treble.bridge.tests</groupId><artifactId>kafka</artifactId><version>1</version><packaging>pom</packaging>
  <dependencies>
    {dependencies}
  </dependencies>
</project>
"""
_DEPENDENCIES = (
    ("org.apache.kafka", "kafka_2.13", KAFKA_VERSION),
    ("org.apache.kafka", "kafka-tools", KAFKA_VERSION),
    ("org.slf4j", "slf4j-simple", _SLF4J_VERSION),
)
JVM_OPTIONS = (
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",
    "-XX:-UsePerfData",
    "-Xlog:cds=off",
    "-Xlog:cds+dynamic=off",
    "-Dorg.slf4j.simpleLogger.showDateTime=true",
    "-Dorg.slf4j.simpleLogger.dateTimeFormat=HH:mm:ss.SSS",
)


def cache_folder() -> Path:
    """Where fetched and derived files are kept between sessions."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "treble-bridge-tests"


@functools.cache
def java() -> str | None:
    """The path of a Java 17 or newer, or None."""
    home = os.environ.get("JAVA_HOME")
    found = shutil.which("java", path=f"{home}/bin" if home else None) or shutil.which("java")
    if found is None:
        return None
    said = subprocess.run([found, "-version"], capture_output=True, text=True, check=False).stderr
    version = re.search(r'version "(\d+)', said)
    return found if version and int(version[1]) >= 17 else None


@functools.cache
def libraries() -> Path:
    """The folder with Kafka's jars; fetches them first if they are not there.

    Raises BrokerError when Maven is missing or fails.
    """
    folder = cache_folder() / f"kafka-{KAFKA_VERSION}"
    with only_one("jars"):
        if not folder.exists():
            _fetch(folder)
    return folder


def obtainable() -> str:
    """ "" when `libraries` can work on this machine, else what is missing."""
    if java() is None:
        return "no Java 17 or newer"
    if not (cache_folder() / f"kafka-{KAFKA_VERSION}").exists() and shutil.which("mvn") is None:
        return "no Maven to fetch Kafka's jars with"
    return ""


def command(main_class: str, *arguments: str, options: tuple[str, ...] = ()) -> list[str]:
    """The command line that runs one of Kafka's classes, with the class archive if there is one."""
    runtime = java()
    if runtime is None:
        raise BrokerError("no Java 17 or newer")
    archive = archive_path()
    shared = (f"-XX:SharedArchiveFile={archive}",) if archive.exists() else ()
    classpath = ":".join(sorted(str(jar) for jar in libraries().glob("*.jar")))
    return [runtime, *JVM_OPTIONS, *shared, *options, "-cp", classpath, main_class, *arguments]


@contextmanager
def only_one(what: str) -> Iterator[None]:
    """Two test sessions must not make the same thing in the cache at the same time."""
    cache_folder().mkdir(parents=True, exist_ok=True)
    with (cache_folder() / f"{what}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _fetch(folder: Path) -> None:
    maven = shutil.which("mvn")
    if maven is None:
        raise BrokerError("no Maven to fetch Kafka's jars with")
    lines = (f"<dependency><groupId>{g}</groupId><artifactId>{a}</artifactId><version>{v}</version></dependency>"
             for g, a, v in _DEPENDENCIES)  # fmt: skip
    with tempfile.TemporaryDirectory(dir=folder.parent) as work:
        pom, jars = Path(work) / "pom.xml", Path(work) / "jars"
        pom.write_text(_POM.format(dependencies="\n    ".join(lines)))
        goal = ["dependency:copy-dependencies", "-DincludeScope=runtime", f"-DoutputDirectory={jars}"]
        done = subprocess.run([maven, "-q", "-B", "-f", str(pom), *goal], capture_output=True, text=True, check=False,
                              timeout=600)  # fmt: skip
        if done.returncode or not list(jars.glob("kafka_2.13-*.jar")):
            raise BrokerError(f"Maven could not fetch Kafka {KAFKA_VERSION}:\n{(done.stdout + done.stderr)[-2000:]}")
        jars.rename(folder)


@functools.cache
def archive_path() -> Path:
    """Where the class archive belongs. It fits one Java and one set of jars only."""
    runtime = java() or ""
    said = subprocess.run([runtime, "-version"], capture_output=True, text=True, check=False).stderr if runtime else ""
    digest = hashlib.sha256(f"{runtime}{said}{_DEPENDENCIES}{JVM_OPTIONS}".encode()).hexdigest()[:12]
    return cache_folder() / f"kafka-{KAFKA_VERSION}-{digest}.jsa"
