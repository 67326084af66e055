"""`treble-bridge check`: what is wrong with a configuration, or what it amounts to."""

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from bridge.cli.console import console, print_json
from bridge.cli.options import config_option, json_option
from bridge.errors import ConfigError, ExitCode

if TYPE_CHECKING:
    from bridge.settings.problems import ConfigProblem

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

    Exit code 2 when it can't be used; with --live also 7 when Kafka can't be reached, 8 when topics differ. A
    missing topic that the bridge makes at its start (topics.create: missing) is a note.

    \b
    Example:
      treble-bridge check bridge.yaml --url https://hooks.example.com
      treble-bridge check bridge.yaml --live --json
    """
    path = file or config
    if path is None:
        raise click.UsageError("Name the configuration: treble-bridge check FILE")
    from bridge.catalogue import TABLE  # noqa: PLC0415 - not for --help
    from bridge.cli.check_summary import summary  # noqa: PLC0415
    from bridge.settings.load import load  # noqa: PLC0415
    from bridge.settings.problems import ConfigProblem, InvalidSettingsError  # noqa: PLC0415

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
    return _report(path, problems, summary(loaded.settings, url), as_json=as_json, code=code, live=live)


def _report(
    path: Path,
    problems: "list[ConfigProblem]",
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
    from rich.table import Table  # noqa: PLC0415 - not for --help, nor for --json

    table = Table(box=None, pad_edge=False)
    for title in ("event type", "topic", "key"):
        table.add_column(title, no_wrap=True)
    for row in about["event_types"]:
        table.add_row(row["event_type"], row["topic"] or "(dropped)", row["key"] or "")
    console().print(table)
    click.echo()
    table = Table(box=None, pad_edge=False)
    for title in ("topic", "partitions", "replicas", "retention"):
        table.add_column(title, no_wrap=True)
    for row in about["topics"]:
        retention = row["retention"] or "the broker's"
        table.add_row(row["topic"], str(row["partitions"]), str(row["replication_factor"]), retention)
    console().print(table)
    click.echo()


def _as_json(problem: "ConfigProblem") -> dict[str, Any]:
    return {
        "severity": problem.severity,
        "path": problem.path or None,
        "message": problem.message,
        "file": problem.file or None,
        "line": problem.line or None,
    }
