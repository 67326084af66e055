"""`treble-bridge journal drain`: forward what an abandoned journal still holds."""

import sys
from pathlib import Path
from typing import Any, Final

import click

from bridge.cli.console import note, print_json
from bridge.cli.options import DurationType, config_option, json_option, load_configuration
from bridge.errors import ExitCode

DATABASE: Final = "journal.db"


class AbandonedPath(click.ParamType):  # type: ignore[type-arg]  # generic in newer versions of click only
    """A folder that exists, be there a journal in it or not; the database inside it names the same."""

    name = "path"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Path:
        """The folder. Raises JournalUnusableError where this user may not look."""
        path = Path(value)
        folder = path.parent if path.name == DATABASE else path
        from bridge.journal.lock import find_journal  # noqa: PLC0415 - not for --help

        # Whoever may not look into it must not hear that nothing is in it.
        if not find_journal(folder) and not folder.is_dir():
            self.fail(f"there is no folder {folder}", param, ctx)
        return folder


@click.command("drain")
@click.argument("path", type=AbandonedPath())
@config_option()
@click.option(
    "--wait",
    type=DurationType(),
    default="0",
    show_default=True,
    help="How long to wait for an owner of the journal to end.",
)
@click.option(
    "--deadline",
    type=DurationType(),
    default="10m",
    show_default=True,
    help="How long to forward at the most; 0 is as long as it takes.",
)
@json_option
def drain_journal(path: Path, config: Path, wait: float, deadline: float, as_json: bool) -> ExitCode:
    """Forward what an abandoned journal still holds, once, and end. Takes no webhooks and opens no port.

    Under the journal's own identity, and as the bridge would: in order, without what Kafka has already, through the
    same topics, duplicates window and quarantine. The configuration says how and to which Kafka; its `journal.path`
    is not used. A journal that has an owner is refused (exit code 3). Where there is no journal there is nothing to
    do, and none is made.

    Exit code 0: nothing is left, parked entries included. 7: it ended before that, by --deadline or a signal, and says
    how many entries are left and why; nothing is lost, and the next drain or bridge goes on.

    \b
    Example:
      treble-bridge journal drain /mnt/journal-2 --config bridge.yaml --wait 30s --deadline 10m
    """
    settings = load_configuration(config).settings
    from bridge.cli.journal_text import drained_as_json, drained_text  # noqa: PLC0415 - not for --help
    from bridge.journal.offline.inspect import has_journal  # noqa: PLC0415
    from bridge.service.drain import NO_JOURNAL, drain  # noqa: PLC0415

    drained = NO_JOURNAL
    if has_journal(path):
        tell = _tell if sys.stderr.isatty() else None
        drained = drain(settings, path, wait_s=wait, deadline_s=deadline, tell=tell)
    if as_json:
        print_json(drained_as_json(drained, path))
    else:
        click.echo(drained_text(drained, path))
    return drained.exit_code


def _tell(done: int, left: int) -> None:
    note(f"{done} done, {left} left")
