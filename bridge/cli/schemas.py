"""`treble-bridge schemas`: what consumers and senders may rely on, as documents for machines."""

from pathlib import Path

import click
import orjson

from bridge.cli.console import print_result
from bridge.cli.options import config_option, json_option
from bridge.schemas import ASYNCAPI, OPENAPI, names, text
from bridge.schemas.asyncapi import asyncapi
from bridge.schemas.generate import as_text
from bridge.settings.models import Settings


@click.group()
def schemas() -> None:
    """Print schemas: of the events, the topics (AsyncAPI), the URLs (OpenAPI).

    \b
    Example:
      treble-bridge schemas show message.read
    """


@schemas.command("list")
@json_option
def list_schemas(as_json: bool) -> None:
    """List the schemas: name, the `ce_dataschema` that means it, what it is about.

    \b
    Example:
      treble-bridge schemas list
    """
    parsed = {name: orjson.loads(text(name)) for name in names()}
    rows = [{"name": name, "schema": one["$id"], "about": one["description"]} for name, one in parsed.items()]
    lines = [f"{row['name']:<{max(map(len, parsed))}}  {row['schema']}  {row['about']}" for row in rows]
    print_result(rows, "\n".join(lines), as_json=as_json)


@schemas.command("show")
@click.argument("name", metavar="TYPE")
def show_schema(name: str) -> None:
    """Print the JSON Schema (2020-12) of an event type, or of the quarantine's records.

    \b
    Example:
      treble-bridge schemas show message.read
      treble-bridge schemas show quarantine
    """
    if name not in (known := names()):
        raise click.BadParameter(f"no schema {name}; expected one of {', '.join(known)}", param_hint="TYPE")
    click.echo(text(name), nl=False)


@schemas.command("asyncapi")
@config_option(required=False)
def print_asyncapi(settings: Settings | None) -> None:
    """Print the AsyncAPI 3 document: topics, messages, headers, keys, examples.

    With --config it describes the topics, keys, format and servers of that configuration. No secret is in it.

    \b
    Example:
      treble-bridge schemas asyncapi
      treble-bridge schemas asyncapi --config bridge.yaml
    """
    click.echo(_asyncapi(settings), nl=False)


@schemas.command("openapi")
def print_openapi() -> None:
    """Print the OpenAPI 3.1 document of the URLs that take webhooks, for a source named treble.

    \b
    Example:
      treble-bridge schemas openapi
    """
    click.echo(text(OPENAPI), nl=False)


@schemas.command("export")
@click.option(
    "-o",
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    required=True,
    metavar="DIR",
    help="Where the files go; it is created if it is missing.",
)
@config_option(required=False)
@json_option
def export_schemas(out: Path, settings: Settings | None, as_json: bool) -> None:
    """Write every document into a folder, a file each.

    \b
    Example:
      treble-bridge schemas export --out schemas
    """
    texts = {name: text(name) for name in [*names(), OPENAPI]} | {ASYNCAPI: _asyncapi(settings)}
    written = {name: out / f"{name}.json" for name in texts}
    try:
        out.mkdir(parents=True, exist_ok=True)
        for name, content in texts.items():
            written[name].write_text(content, encoding="utf-8")
    except OSError as error:
        raise click.UsageError(f"can't write to {out}: {error.strerror}") from error
    paths = {name: str(path) for name, path in written.items()}
    print_result(paths, "\n".join(paths.values()), as_json=as_json)


def _asyncapi(settings: Settings | None) -> str:
    if settings is None:
        return text(ASYNCAPI)
    return as_text(asyncapi(settings))
