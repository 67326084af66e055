"""`treble-bridge check`: what is wrong with a configuration, or what it amounts to."""

import re
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

import click

from bridge.catalogue import HINTS, TABLE
from bridge.cli.console import print_json, print_table, run
from bridge.cli.options import URL, config_option, json_option
from bridge.cli.topics import wanted_topics
from bridge.diagnose.rules import unmet
from bridge.errors import ConfigError, ExitCode, SinkError
from bridge.ingress.tls import Certificates
from bridge.kafka.client import TokenUnavailableError, client_options
from bridge.kafka.diagnosis import diagnose
from bridge.kafka.producer import Producer
from bridge.kafka.topics import Difference, Topics
from bridge.settings.changes import config_hash
from bridge.settings.load import load
from bridge.settings.models import Kafka, Settings
from bridge.settings.problems import ConfigProblem, InvalidSettingsError
from bridge.settings.section import Contradictions
from bridge.settings.sources import Alternative, SecretValues, Source, each_value
from bridge.settings.units import format_duration
from bridge.transform.prepare import Preparer, key_kind_name

_DEFAULT_URL = "https://<your host>"
_CONNECTION, _TOPICS = "kafka", "topics"
_COLOURS: Final = {"error": "red", "warning": "yellow", "note": None}


@click.command()
@click.argument("file", required=False, type=click.Path(path_type=Path))
@config_option(required=False, loaded=False)
@click.option("--live", is_flag=True, help="Also ask Kafka: connection, login, topics. Changes nothing there.")
@click.option("--url", type=URL, metavar="URL", help="Scheme and host for the URLs to paste.")
@json_option
def check(file: Path | None, config: Path | None, live: bool, url: str | None, as_json: bool) -> ExitCode:
    """Check a configuration and show what it amounts to. Secrets are not shown.

    Exit code 2: it can't be used. With --live also 7: Kafka can't be reached, and 8: a topic differs. A missing topic
    that the bridge creates at its start (topics.create: missing) is only a note.

    \b
    Example:
      treble-bridge check bridge.yaml --url https://hooks.example.com
      treble-bridge check bridge.yaml --live --json
    """
    path = file.expanduser() if file else config
    if path is None:
        raise click.UsageError("Name the configuration: treble-bridge check FILE")
    try:
        loaded = load(path, TABLE.keys(), faults=_unusable_files, warnings=unmet)
    except ConfigError as error:
        found = error.problems if isinstance(error, InvalidSettingsError) else [ConfigProblem("error", "", str(error))]
        return _report(path, list(found), None, as_json=as_json, code=ExitCode.USAGE)
    problems, code = list(loaded.warnings), ExitCode.OK
    if live:
        asked = run(_ask_kafka(loaded.settings))
        code = _exit_code_of(asked)
        problems += asked
    return _report(
        path, problems, _summary(loaded.settings, url or _DEFAULT_URL), as_json=as_json, code=code, live=live
    )


def _unusable_files(settings: Settings) -> Contradictions:
    """Certificates, keys and tokens that can be read, and not used."""
    for use in (_load_certificates, _load_login):
        try:
            use(settings)
        except (ConfigError, TokenUnavailableError) as error:
            option, _, what = re.sub(r"^([a-z_.]+):? ", r"\1 ", str(error)).partition(" ")
            yield tuple(option.split(".")), what


def _load_certificates(settings: Settings) -> None:
    if settings.server.tls is not None:
        Certificates(settings.server.tls).load()


def _load_login(settings: Settings) -> None:
    if (tokens := client_options(settings.kafka).get("sasl_oauth_token_provider")) is not None:
        run(tokens.token())


def _exit_code_of(findings: list[ConfigProblem]) -> ExitCode:
    """UNREACHABLE when there is no way to Kafka, MISMATCH when a topic differs; warnings and notes are neither."""
    paths = {finding.path for finding in findings if finding.severity == "error"}
    return ExitCode.UNREACHABLE if _CONNECTION in paths else ExitCode.MISMATCH if paths else ExitCode.OK


async def _ask_kafka(settings: Settings) -> list[ConfigProblem]:
    """What is wrong between the configuration and its Kafka. Writes no record and makes no topic."""
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


def _report(
    path: Path,
    problems: list[ConfigProblem],
    about: dict[str, Any] | None,
    *,
    as_json: bool,
    code: ExitCode,
    live: bool = False,
) -> ExitCode:
    if as_json:
        shown = [_as_json(problem) for problem in problems]
        print_json({"file": str(path), "ok": code is ExitCode.OK, "problems": shown, "configuration": about})
        return code
    if about is not None:
        _print_sources(about)
        _print_topics(about)
    for problem in problems:
        click.secho(f"{problem.severity}: {problem}", fg=_COLOURS[problem.severity])
    errors, warnings = (sum(problem.severity == kind for problem in problems) for kind in ("error", "warning"))
    counts = f"{errors} error{'s' * (errors != 1)}, {warnings} warning{'s' * (warnings != 1)}"
    verdict = "can't be used" if about is None else "is not ready" if errors else "is fine"
    click.echo(f"{path} {verdict}: {counts}" + (f", config hash {about['hash']}" if about else ""))
    if about and not live:
        click.echo("Kafka was not asked: --live asks it")
    elif about and not errors:
        made = any(problem.severity == "note" for problem in problems)
        click.echo(f"Kafka answers, and has every topic as configured{', but those to be made' if made else ''}")
    return code


def _print_sources(about: dict[str, Any]) -> None:
    for source in about["sources"]:
        click.secho(f"source {source['name']}", bold=True)
        ways = source["credentials"]
        click.echo("  credentials:" + (" none, everyone may post" if not ways else " one of" if len(ways) > 1 else ""))
        for way in ways:
            click.echo(f"    {' and '.join(way)}")
        click.echo("  URLs to paste into Treble's panel:")
        width = max(len(url["url"]) for url in source["urls"])
        for url in source["urls"]:
            meant = url["event_type"] or "Settings → Webhooks, or any webhook"
            click.echo(f"    {url['url']:{width}}  {meant}")
        for key in ("timezone", "rate_limit"):
            if source[key]:
                click.echo(f"  {key.replace('_', ' ')}: {source[key]}")
        if source["responses"]:
            click.echo(f"  answers of its own: {', '.join(source['responses'])}")
        click.echo()


def _print_topics(about: dict[str, Any]) -> None:
    rows = [(row["event_type"], row["topic"] or "(dropped)", row["key"] or "") for row in about["event_types"]]
    print_table(("event type", "topic", "key"), rows)
    click.echo()
    print_table(
        ("topic", "partitions", "replicas", "retention"),
        [
            (row["topic"], str(row["partitions"]), str(row["replication_factor"]), row["retention"] or "the broker's")
            for row in about["topics"]
        ],
    )
    click.echo()


def _as_json(problem: ConfigProblem) -> dict[str, Any]:
    return {name: value or None for name, value in asdict(problem).items()}


def _summary(settings: Settings, base_url: str) -> dict[str, Any]:
    """What a valid configuration amounts to, without secrets. `base_url` is scheme and host as Treble reaches them."""
    return {
        "hash": config_hash(settings),
        "kafka": {
            "bootstrap_servers": list(settings.kafka.bootstrap_servers),
            "protocol": settings.kafka.security.protocol,
            "delivery": settings.kafka.delivery,
            "format": settings.kafka.format,
        },
        "journal": settings.journal.path,
        "sources": [_source(name, source, base_url) for name, source in settings.sources.items()],
        "event_types": _event_types(settings),
        "topics": _topics(settings),
    }


def _source(name: str, source: Source, base_url: str) -> dict[str, Any]:
    ways = () if source.auth == "none" else source.auth
    return {
        "name": name,
        "timezone": source.timezone,
        "credentials": [list(_conditions(way)) for way in ways],
        "rate_limit": source.rate_limit and f"{source.rate_limit.rate:g}/s, {source.rate_limit.burst} at once",
        "responses": sorted(source.responses),
        "urls": [
            {"hint": hint, "event_type": event_type, "url": url}
            for hint, event_type in [("", None), *HINTS.items()]
            for url in _urls(base_url + source.path_of(name), hint, ways)
        ],
    }


def _urls(base: str, hint: str, ways: tuple[Alternative, ...]) -> list[str]:
    """A URL for each way in which an alternative wants something in it; most want nothing."""
    found = []
    for way in ways or (None,):
        path = "/<path secret>" if way is not None and way.path_secret is not None else ""
        query = f"?{way.query.name}=<secret>" if way is not None and way.query is not None else ""
        found.append(f"{base}{path}{f'/{hint}' if hint else ''}{query}")
    return list(dict.fromkeys(found))


def _conditions(way: Alternative) -> Iterator[str]:
    """The conditions of an alternative in words; of secrets only how many values they have, and until when."""
    if way.bearer is not None:
        yield f"Authorization: Bearer <secret>{_generations(way.bearer)}"
    for header in way.headers:
        yield f"{header.name}: <secret>{_generations(header.value)}"
    if way.basic is not None:
        yield f"basic authentication as {way.basic.username}{_generations(way.basic.password)}"
    if way.query is not None:
        yield f"?{way.query.name}=<secret> in the URL{_generations(way.query.value)}"
    if way.path_secret is not None:
        yield f"a secret in the URL's path{_generations(way.path_secret)}"
    if way.hmac is not None:
        signed = f" over {way.hmac.timestamp_header} and body" if way.hmac.timestamp_header else ""
        yield f"{way.hmac.header}: HMAC-{way.hmac.algorithm}{signed}{_generations(way.hmac.secret)}"
    if way.client_ip is not None:
        yield f"from {', '.join(map(str, way.client_ip))}"


def _generations(values: SecretValues) -> str:
    listed = each_value(values)
    ends = [f"value {number} until {value.not_after}" for number, value in enumerate(listed, 1) if value.not_after]
    if len(listed) == 1 and not ends:
        return ""
    return f" ({', '.join([f'{len(listed)} values' if len(listed) > 1 else 'one value', *ends])})"


def _event_types(settings: Settings) -> list[dict[str, Any]]:
    return [
        {"event_type": name, "topic": None, "key": None}
        if to.drop
        else {"event_type": name, "topic": to.topic, "key": key_kind_name(settings, name, to.key_kinds[0])}
        for name, to in Preparer(settings, "").destinations.items()
    ]


def _topics(settings: Settings) -> list[dict[str, Any]]:
    specs, uses = wanted_topics(settings)
    return [
        {
            "topic": spec.name,
            "receives": uses[spec.name],
            "partitions": spec.partitions,
            "replication_factor": spec.replication_factor,
            "retention": None if spec.retention_ms is None else format_duration(spec.retention_ms / 1000),
        }
        for spec in specs
    ]
