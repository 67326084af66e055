"""The namespace, Kafka, the workbench and the release that all tests of this folder share."""

import os
import secrets
import time
from collections.abc import Callable, Iterator

import pytest

from tests.cluster.broker import IMAGE as KAFKA_IMAGE
from tests.cluster.broker import ClusterKafka
from tests.cluster.kubernetes import CommandError, Namespace, leave_out, load_images, missing, run
from tests.cluster.release import Release
from tests.cluster.workbench import IMAGE, Workbench

Say = Callable[[str], None]
_NAMESPACE = pytest.StashKey[Namespace]()


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    """Add to a failure what the namespace looks like."""
    outcome = yield
    report: pytest.TestReport = outcome.get_result()  # type: ignore[attr-defined]
    namespace = item.session.stash.get(_NAMESPACE, None)
    if report.failed and namespace is not None:
        report.sections.append(("the namespace", _picture(namespace)))


def _picture(namespace: Namespace) -> str:
    asked = [
        ("get", "pods,pvc,jobs", "-o", "wide"),
        ("get", "events", "--sort-by=.lastTimestamp"),
        ("logs", "-l", "app.kubernetes.io/name=treble-bridge", "--all-containers", "--prefix", "--tail=25"),
        ("logs", "kafka-0", "--tail=10"),
    ]
    parts = []
    for arguments in asked:
        try:
            text = namespace.kubectl(*arguments)
        except CommandError as error:
            text = str(error)
        parts.append(f"$ kubectl {' '.join(arguments)}\n" + "\n".join(text.splitlines()[-80:]))
    return "\n\n".join(parts)


@pytest.fixture(scope="session")
def say(pytestconfig: pytest.Config) -> Say:
    """Tell who waits what goes on."""
    plugins = pytestconfig.pluginmanager
    reporter, capture = plugins.getplugin("terminalreporter"), plugins.getplugin("capturemanager")
    began_s = time.monotonic()

    def write(text: str) -> None:
        with capture.global_and_fixture_disabled():
            reporter.ensure_newline()
            reporter.write_line(f"    {time.monotonic() - began_s:5.0f} s  {text}")
            reporter.flush()

    return write


@pytest.fixture(scope="session")
def cluster(say: Say) -> None:
    """A cluster that answers, with the images in it."""
    if why := missing():
        leave_out(why)
    context = run("kubectl", "config", "current-context").strip()
    say(f"the cluster of the context {context}; {IMAGE}, {KAFKA_IMAGE}")
    load_images([IMAGE, KAFKA_IMAGE])


@pytest.fixture(scope="session")
def namespace(cluster: None, request: pytest.FixtureRequest, say: Say) -> Iterator[Namespace]:
    """The namespace of everything; removed at the end."""
    made = Namespace()
    request.session.stash[_NAMESPACE] = made
    say(f"namespace {made.name}, with the restricted pod security standard")
    yield made
    if os.environ.get("BRIDGE_TEST_KEEP_NAMESPACE"):
        say(f"namespace {made.name} is kept")
        return
    made.remove()


@pytest.fixture(scope="session")
def credentials() -> dict[str, str]:
    """The first token, the one before it, and Kafka's password."""
    return {key: secrets.token_hex(16) for key in ("token", "token-before", "kafka-password")}


@pytest.fixture(scope="session")
def cluster_kafka(namespace: Namespace, credentials: dict[str, str]) -> ClusterKafka:
    """Kafka, ready."""
    made = ClusterKafka(namespace, credentials["kafka-password"])
    made.ready()
    return made


@pytest.fixture(scope="session")
def bench(namespace: Namespace) -> Workbench:
    """The pod of `workbench`."""
    made = Workbench(namespace)
    made.ready()
    return made


@pytest.fixture
def workbench(bench: Workbench, installed: Release) -> Iterator[Workbench]:
    """Where calls come from, with the token of the release."""
    bench.use_token(installed.credentials["token"])
    yield bench
    bench.tidy()


@pytest.fixture(scope="session")
def installed(namespace: Namespace, cluster_kafka: ClusterKafka, credentials: dict[str, str], say: Say) -> Release:
    """The release that the tests share, from `helm install --wait`."""
    made = Release(namespace, "tb", credentials)
    made.install()
    say("helm install --wait: two replicas are ready")
    return made


@pytest.fixture
def release(installed: Release) -> Release:
    """The release with its standard values, all pods ready."""
    if installed.changes:
        installed.upgrade()
    installed.ready()
    return installed
