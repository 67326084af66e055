"""`treble-bridge topics`: the topics of a configuration, as they are on Kafka and as they should be."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import click

from bridge.cli.console import print_json, print_table, run
from bridge.cli.options import config_option, json_option
from bridge.errors import ExitCode
from bridge.kafka.topics import Difference, Topics, TopicState, create_line, merged, retention_text, system_topics
from bridge.model import TopicSpec
from bridge.settings.models import Settings
from bridge.transform.prepare import Preparer


@click.group()
def topics() -> None:
    """List, make or verify the topics of a configuration.

    \b
    Example:
      treble-bridge topics verify --config bridge.yaml
    """


@topics.command("list")
@config_option()
@json_option
def list_topics(settings: Settings, as_json: bool) -> None:
    """List the topics: what goes there, and how they are on Kafka.

    \b
    Example:
      treble-bridge topics list --config bridge.yaml
    """
    specs, uses = wanted_topics(settings)
    states = run(Topics(settings.kafka).probe([spec.name for spec in specs]))
    rows = [_row(spec, states[spec.name], uses[spec.name]) for spec in specs]
    if as_json:
        print_json(rows)
    else:
        titles = ("topic", "receives", "status", "partitions", "replicas", "retention")
        print_table(titles, map(_cells, rows), wrap=True)


@topics.command("create")
@config_option()
@click.option("--print", "only_print", is_flag=True, help="Print commands to paste; change nothing.")
@json_option
def create_topics(settings: Settings, only_print: bool, as_json: bool) -> ExitCode:
    """Make the topics that are missing. Existing topics are left as they are; differences are printed.

    Exit code 8 when one can't be made.

    \b
    Example:
      treble-bridge topics create --config bridge.yaml --print
    """
    specs, _ = wanted_topics(settings)
    if only_print:
        for spec in specs:
            click.echo(create_line(settings.kafka, spec))
        return ExitCode.OK
    made, left = run(_create(settings, specs))
    still_missing = any(difference.kind == "missing" for difference in left)
    if as_json:
        print_json({"made": made, "differences": [_as_json(difference) for difference in left]})
    else:
        if made or not still_missing:
            click.echo(f"made: {', '.join(made)}" if made else "nothing was missing")
        for difference in left:
            click.echo(f"differs: {difference}", err=True)
    return ExitCode.MISMATCH if still_missing else ExitCode.OK


@topics.command("verify")
@config_option()
@json_option
def verify_topics(settings: Settings, as_json: bool) -> ExitCode:
    """Compare the topics with the configuration. Exit code 8 when one differs.

    \b
    Example:
      treble-bridge topics verify --config bridge.yaml
    """
    specs, _ = wanted_topics(settings)
    found = run(Topics(settings.kafka).compare(specs))
    if as_json:
        print_json({"topics": len(specs), "differences": [_as_json(difference) for difference in found]})
    else:
        for difference in found:
            click.echo(str(difference))
        differing = len({difference.topic for difference in found})
        click.echo(f"{len(specs)} topics, " + (f"{differing} differ" if found else "all as configured"))
    return ExitCode.MISMATCH if any(difference.blocking for difference in found) else ExitCode.OK


def wanted_topics(settings: Settings) -> tuple[list[TopicSpec], dict[str, list[str]]]:
    """Every topic that the configuration needs, and for each what goes there: event types, or what the bridge keeps."""
    preparer = Preparer(settings, "")
    specs = merged([*preparer.topics().values(), *system_topics(settings)])
    uses: dict[str, list[str]] = {spec.name: [] for spec in specs}
    for event_type, destination in preparer.destinations.items():
        if not destination.drop:
            uses[destination.topic].append(event_type)
    uses[settings.topics.quarantine].append("(what was not understood)")
    if settings.kafka.positions_topic in uses:
        uses[settings.kafka.positions_topic].append("(positions of forwarding)")
    return specs, uses


async def _create(settings: Settings, specs: Sequence[TopicSpec]) -> tuple[list[str], list[Difference]]:
    topics = Topics(settings.kafka)
    before = await topics.probe([spec.name for spec in specs])
    left = await topics.create_missing(specs)
    still_missing = {difference.topic for difference in left if difference.kind == "missing"}
    return [n for n, state in before.items() if state.status == "missing" and n not in still_missing], left


def _row(spec: TopicSpec, state: TopicState, uses: list[str]) -> dict[str, Any]:
    settings = state.settings or {}
    retention, largest = settings.get("retention.ms"), settings.get("max.message.bytes")
    return {
        "topic": spec.name,
        "receives": uses,
        "status": state.status,
        "partitions": state.partitions,
        "partitions_wanted": spec.partitions,
        "replication_factor": state.replication_factor,
        "replication_factor_wanted": spec.replication_factor,
        "retention_ms": int(retention) if retention is not None else None,
        "retention_ms_wanted": spec.retention_ms,
        "cleanup_policy": settings.get("cleanup.policy"),
        "max_message_bytes": int(largest) if largest is not None else None,
    }


def _cells(row: dict[str, Any]) -> tuple[str, ...]:
    colour = "green" if row["status"] == "ok" else "red"
    return (
        row["topic"],
        "\n".join(row["receives"]),
        f"[{colour}]{row['status']}[/]",
        _is_and_wanted(row["partitions"], row["partitions_wanted"]),
        _is_and_wanted(row["replication_factor"], row["replication_factor_wanted"]),
        "compacted" if row["cleanup_policy"] == "compact" else retention_text(row["retention_ms"]),
    )


def _is_and_wanted(actual: int, wanted: int) -> str:
    return str(actual) if actual == wanted else f"{actual or '-'} (want {wanted})"


def _as_json(difference: Difference) -> dict[str, Any]:
    shown = asdict(difference)
    shown["command"] = shown.pop("create_line") or None
    return shown
