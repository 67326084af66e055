"""What Kafka says to a configuration: whether it answers, takes the login, and has the topics as they should be."""

from bridge.cli.console import run
from bridge.cli.topics import wanted_topics
from bridge.errors import ExitCode, SinkError
from bridge.kafka.client import client_options
from bridge.kafka.diagnosis import diagnose
from bridge.kafka.producer import Producer
from bridge.kafka.topics import Difference, Topics
from bridge.settings.models import Kafka, Settings
from bridge.settings.problems import ConfigProblem

_CONNECTION, _TOPICS = "kafka", "topics"


def live_findings(settings: Settings) -> list[ConfigProblem]:
    """What is wrong between the configuration and its Kafka; writes no record and makes no topic.

    Raises ConfigError when certificates or keys can't be used.
    """
    client_options(settings.kafka)
    return run(_findings(settings))


def exit_code_of(findings: list[ConfigProblem]) -> ExitCode:
    """UNREACHABLE when there is no way to Kafka, MISMATCH when a topic differs; warnings and notes are neither."""
    paths = {finding.path for finding in findings if finding.severity == "error"}
    return ExitCode.UNREACHABLE if _CONNECTION in paths else ExitCode.MISMATCH if paths else ExitCode.OK


async def _findings(settings: Settings) -> list[ConfigProblem]:
    servers = await diagnose(settings.kafka, settings.kafka.call_timeout)
    try:
        topics, specs = Topics(settings.kafka), wanted_topics(settings)[0]
        if settings.topics.create == "missing":
            differences = await topics.create_missing(specs, dry_run=True)
        else:
            differences = await topics.compare(specs)
    except SinkError as error:
        return [ConfigProblem("error", _CONNECTION, text) for text in servers or [str(error)]]
    # There is a way to Kafka: a server that doesn't answer is one that was taken down, or mistyped.
    found = [ConfigProblem("warning", f"{_CONNECTION}.bootstrap_servers", text) for text in servers]
    if problem := await _producer_problem(settings.kafka):
        found.append(ConfigProblem("error", _CONNECTION, problem))
    return [*found, *map(_difference, differences)]


async def _producer_problem(kafka: Kafka) -> str:
    """Why a producer such as the bridge's can't start: the ACLs of its transactional id, or of idempotent writing."""
    transactional_id = f"{kafka.transactional_id_prefix}check" if kafka.delivery == "exactly_once" else None
    producer = Producer(kafka, client_options(kafka), transactional_id)
    problem = ""
    try:
        await producer.start()
    except SinkError as error:
        problem = f"the producer can't start: {error}"
    await producer.close(healthy=not problem)
    return problem


def _difference(difference: Difference) -> ConfigProblem:
    if difference.blocking:
        return ConfigProblem("error", _TOPICS, str(difference))
    will_be_made = difference.kind == "missing"
    return ConfigProblem("note" if will_be_made else "warning", _TOPICS, str(difference))
