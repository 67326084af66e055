"""The command line: argv → exit code, one module a command.

A command's module is imported when the command is called: `treble-bridge --help` must not wait for aiohttp, aiokafka
and pydantic. A command may return an ExitCode; expected errors become a line on stderr and their own exit code here.
"""

import importlib
import traceback
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

import click

from bridge.cli.options import config_option, load_configuration
from bridge.errors import BridgeError, ExitCode
from bridge.version import VERSION

COMMANDS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "run": "Take webhooks and forward them to Kafka.",
        "check": "Check a configuration and show what it amounts to.",
        "health": "Ask a running bridge how it is, and tell by the exit code.",
        "explain": "Show what would become of a webhook.",
        "demo": "Run the main job on an embedded Kafka and show it.",
        "send": "Send sample webhooks to a bridge.",
        "tail": "Show events as they come out on Kafka.",
        "topics": "List, make or verify the topics.",
        "schemas": "Print schemas: of the events, the topics (AsyncAPI), the URLs (OpenAPI).",
        "quarantine": "Look at what was not understood, and forward what is understood now.",
        "journal": "Look into the journal, verify it, forward entries again, drain it.",
    }
)
"""Command → what it does. But for `run`, its module is `bridge.cli.<command>`, with a click command of that name."""

EXIT_CODES: Final[Mapping[ExitCode, str]] = MappingProxyType(
    {
        ExitCode.OK: "all went well",
        ExitCode.FAILURE: "something unforeseen (see --debug)",
        ExitCode.USAGE: "wrong options or configuration, or a journal that this user can't use; nothing was started",
        ExitCode.JOURNAL_LOCKED: "another process owns the journal",
        ExitCode.JOURNAL_CORRUPT: "the journal can't be opened (see journal verify)",
        ExitCode.JOURNAL_FAILED: "a write to the journal failed: restart",
        ExitCode.FENCED: "another live process forwards this journal",
        ExitCode.UNREACHABLE: "Kafka, or the bridge, does not answer; after a drain: entries are left",
        ExitCode.MISMATCH: "a check found a difference",
        ExitCode.PORT_TAKEN: "an address to listen on is not available",
    }
)

INTERRUPTED: Final = 130
"""128 and SIGINT's number, as shells have it."""

_EPILOG: Final = "\b\nExit codes:\n" + "\n".join(f"  {int(code)}  {text}" for code, text in EXIT_CODES.items())


class LazyGroup(click.Group):
    """Loads a command when it is called, and turns what it raises into a message and an exit code."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The commands in the order of the table: that of a newcomer's way through them."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command itself; this imports its module."""
        if cmd_name not in COMMANDS or cmd_name in self.commands:
            return super().get_command(ctx, cmd_name)
        command = getattr(importlib.import_module(f"bridge.cli.{cmd_name}"), cmd_name)
        if not isinstance(command, click.Command):
            raise TypeError(f"bridge.cli.{cmd_name}.{cmd_name} is no command")
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The list of commands, without importing one."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command."""
        try:
            result = super().invoke(ctx)
        except KeyboardInterrupt:
            ctx.exit(INTERRUPTED)
        except (click.exceptions.Exit, click.exceptions.Abort, click.ClickException, BrokenPipeError):
            raise
        except Exception as error:  # noqa: BLE001 - the last place that can say it in words
            ctx.exit(_print_error(error, debug=bool(ctx.params.get("debug"))))
        if isinstance(result, ExitCode) and result is not ExitCode.OK:
            ctx.exit(int(result))
        return result


def _print_error(error: Exception, *, debug: bool) -> int:
    """Print an error on stderr. Returns the exit code."""
    while isinstance(error, ExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    if debug:
        traceback.print_exception(error)
    if isinstance(error, BridgeError):
        click.echo("\n".join([f"treble-bridge: {error}", *getattr(error, "__notes__", ())]), err=True)
        return int(error.exit_code)
    from bridge.telemetry.redact import redact_text  # noqa: PLC0415 - only when something went wrong

    # An unforeseen error may hold anything: a URL with a secret, a phone number.
    advice = "" if debug else " (--debug shows where)"
    click.echo(f"treble-bridge: unforeseen {type(error).__name__}: {redact_text(str(error))}{advice}", err=True)
    return int(ExitCode.FAILURE)


@click.group(
    cls=LazyGroup, epilog=_EPILOG, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100}
)
@click.version_option(VERSION, prog_name="treble-bridge")
@click.option("--debug", is_flag=True, envvar="TREBLE_BRIDGE_DEBUG", help="Show tracebacks of errors.")
def cli(debug: bool) -> None:
    """Takes Treble.ai webhooks, keeps them on disk before it answers, and forwards each as one event to Kafka.

    \b
    Example:
      treble-bridge check --config bridge.yaml && treble-bridge run --config bridge.yaml
    """
    del debug  # LazyGroup reads it


@cli.command()
@config_option(loaded=False)
def run(config: Path) -> ExitCode:
    """Take webhooks and forward them to Kafka.

    Runs until SIGTERM or SIGINT. SIGHUP, or a change of the file, reloads the configuration. Logs go to stdout.

    \b
    Example:
      treble-bridge run --config bridge.yaml
    """
    from bridge.service import run as run_service  # noqa: PLC0415 - the whole bridge: not for --help

    return run_service(load_configuration(config), config)
