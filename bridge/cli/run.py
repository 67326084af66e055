"""`treble-bridge run`: the bridge itself."""

from pathlib import Path

import click

from bridge.cli.options import config_option, load_configuration
from bridge.errors import ExitCode


@click.command()
@config_option()
def run(config: Path) -> ExitCode:
    """Take webhooks and forward them to Kafka.

    Runs until SIGTERM or SIGINT. SIGHUP, or a change of the file, reloads the configuration. Logs go to stdout.

    \b
    Example:
      treble-bridge run --config bridge.yaml
    """
    from bridge.service import run as run_service  # noqa: PLC0415 - the whole bridge: not for --help

    return run_service(load_configuration(config), config)
