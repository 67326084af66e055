"""`treble-bridge check`: what is wrong with a configuration, or what it amounts to."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import click

from bridge.catalogue import HINTS, TABLE
from bridge.cli.console import console, print_json
from bridge.cli.options import config_option, json_option
from bridge.cli.topics import wanted_topics
from bridge.errors import ConfigError, ExitCode
from bridge.settings.changes import config_hash
from bridge.settings.load import load
from bridge.settings.models import Alternative, SecretValues, Settings, Source, each_value
from bridge.settings.problems import ConfigProblem, InvalidSettingsError
from bridge.settings.units import format_duration, format_rate
from bridge.transform.prepare import Preparer, key_kind_name

_DEFAULT_URL = "https://<your host>"
_COLOURS: Final = {"error": "red", "warning": "yellow", "note": None}


@click.command()
@click.argument("file", required=False, type=click.Path(path_type=Path))
@config_option(required=False)
@click.option("--live", is_flag=True, help="Also ask Kafka: connection, login, topics. Changes nothing there.")
@click.option("--url", default=_DEFAULT_URL, metavar="URL", help="Scheme and host for the URLs to paste.")
@json_option
def check(file: Path | None, config: Path | None, live: bool, url: str, as_json: bool) -> ExitCode:
    """Check a configuration and show what it amounts to. Secrets are not shown.

    Exit code 2: it can't be used. With --live also 7: Kafka can't be reached, and 8: a topic differs. A missing topic
    that the bridge creates at its start (topics.create: missing) is only a note.

    \b
    Example:
      treble-bridge check bridge.yaml --url https://hooks.example.com
      treble-bridge check bridge.yaml --live --json
    """
    path = file or config
    if path is None:
        raise click.UsageError("Name the configuration: treble-bridge check FILE")
    try:
        loaded = load(path, TABLE.keys())
    except ConfigError as error:
        found = error.problems if isinstance(error, InvalidSettingsError) else [ConfigProblem("error", "", str(error))]
        return _report(path, list(found), None, as_json=as_json, code=ExitCode.USAGE)
    problems, code = list(loaded.warnings), ExitCode.OK
    if live:
        from bridge.cli.check_live import exit_code_of, live_findings  # noqa: PLC0415 - only with --live

        try:
            asked = live_findings(loaded.settings)
        except ConfigError as error:
            asked, code = [ConfigProblem("error", "", str(error), str(path))], ExitCode.USAGE
        else:
            code = exit_code_of(asked)
        problems += asked
    return _report(path, problems, _summary(loaded.settings, url), as_json=as_json, code=code, live=live)


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
    if about and live and not errors:
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
    _print_table(("event type", "topic", "key"), rows)
    _print_table(
        ("topic", "partitions", "replicas", "retention"),
        [
            (row["topic"], str(row["partitions"]), str(row["replication_factor"]), row["retention"] or "the broker's")
            for row in about["topics"]
        ],
    )


def _print_table(titles: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    from rich.table import Table  # noqa: PLC0415 - not for --json

    table = Table(box=None, pad_edge=False)
    for title in titles:
        table.add_column(title, no_wrap=True)
    for row in rows:
        table.add_row(*row)
    console().print(table)
    click.echo()


def _as_json(problem: ConfigProblem) -> dict[str, Any]:
    return {
        "severity": problem.severity,
        "path": problem.path or None,
        "message": problem.message,
        "file": problem.file or None,
        "line": problem.line or None,
    }


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
        "sources": [_source(name, source, base_url.rstrip("/")) for name, source in settings.sources.items()],
        "event_types": _event_types(settings),
        "topics": _topics(settings),
    }


def _source(name: str, source: Source, base_url: str) -> dict[str, Any]:
    ways = () if source.auth == "none" else source.auth
    return {
        "name": name,
        "timezone": source.timezone,
        "credentials": [list(_conditions(way)) for way in ways],
        "rate_limit": source.rate_limit and f"{format_rate(source.rate_limit.rate)}, {source.rate_limit.burst} at once",
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
