"""The group of commands: help, examples, lazy loading, exit codes."""

import resource
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from bridge.cli import COMMANDS, EXIT_CODES, LazyGroup, cli
from bridge.errors import ConfigError, ExitCode, FencedError

ROOT = Path(__file__).parents[3]
HEAVY = ("aiohttp", "aiokafka", "apsw", "pydantic", "prometheus_client", "rich", "yaml", "asyncio")


def walk(command: click.Command, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    yield path, command
    if isinstance(command, click.Group):
        context = click.Context(command, info_name=path[-1])
        for name in command.list_commands(context):
            inner = command.get_command(context, name)
            assert inner is not None
            yield from walk(inner, (*path, name))


def commands(name: str) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """A command of the table, and what is below it."""
    command = cli.get_command(click.Context(cli), name)
    assert command is not None
    return walk(command, ("treble-bridge", name))


@pytest.mark.parametrize("name", COMMANDS)
def test_every_number_is_bounded(name: str) -> None:
    """But the one that any number will do for. What comes after an option goes into libraries that have bounds."""
    for path, command in commands(name):
        for parameter in command.params:
            if isinstance(parameter.type, click.types.IntParamType | click.types.FloatParamType):
                assert parameter.name == "seed" or getattr(parameter.type, "max", None) is not None, (path, parameter)


@pytest.mark.parametrize(
    "arguments",
    [
        ["quarantine", "ls", "--limit"],
        ["tail", "--kafka", "127.0.0.1:1", "topic", "--count"],
        ["send", "--url", "http://127.0.0.1:1/webhooks/treble", "--count"],
        ["explain", "--partitions"],
    ],
    ids=lambda arguments: " ".join(arguments[:2]),
)
@pytest.mark.parametrize("number", [1 << 63, "9" * 5000], ids=["2^63", "5000 digits"])
def test_a_number_beyond_all_bounds_is_a_wrong_option(
    arguments: list[str], number: object, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("TREBLE_BRIDGE_CONFIG", str(tmp_path / "bridge.yaml"))
    result = CliRunner().invoke(cli, [*arguments, str(number)])
    assert result.exit_code == ExitCode.USAGE, result.output
    assert f"Invalid value for '{arguments[-1]}'" in result.output


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help_with_an_example_of_its_own(name: str) -> None:
    for path, command in commands(name):
        result = CliRunner().invoke(command, ["--help"], prog_name=" ".join(path))
        assert result.exit_code == 0, result.output
        _, found, examples = result.output.partition("Example")
        assert found, result.output
        assert " ".join(path) in examples
        for parameter in command.params:
            if isinstance(parameter, click.Option) and parameter.name != "help":
                assert parameter.help, f"{parameter.opts} of {path} has no help"


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_is_documented(name: str) -> None:
    pages = [*sorted((ROOT / "docs").rglob("*.md")), ROOT / "README.md"]
    text = "\n".join(page.read_text() for page in pages)
    for path, _ in commands(name):
        assert " ".join(path) in text, f"`{' '.join(path)}` stands neither in README.md nor in docs/"


def test_every_exit_code_is_in_the_help_and_in_the_operations_page() -> None:
    assert set(EXIT_CODES) == set(ExitCode)
    help_text = CliRunner().invoke(cli, ["--help"]).output
    page = (ROOT / "docs" / "reference.md").read_text()
    for code, meaning in EXIT_CODES.items():
        assert f"{int(code)}  {meaning}" in help_text
        assert f"| {int(code)} |" in page, f"exit code {int(code)} is not in docs/reference.md"


@pytest.mark.parametrize("name", COMMANDS)
def test_the_commands_own_help_begins_with_the_summary_in_the_list(name: str) -> None:
    command = cli.get_command(click.Context(cli), name)
    assert command is not None
    assert (command.help or "").startswith(COMMANDS[name].removesuffix("."))


def test_help_loads_no_library_that_it_does_not_need() -> None:
    script = f"""
import sys
from bridge.cli import cli
try:
    cli(["--help"], standalone_mode=True)
except SystemExit:
    pass
print(sorted(set({HEAVY}) & set(sys.modules)), file=sys.stderr)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stderr.strip() == "[]"


def test_help_is_there_in_the_blink_of_an_eye() -> None:
    def timed(*command: str) -> float:
        """CPU seconds: other work on the machine must not decide."""
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([sys.executable, *command], capture_output=True, check=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

    # Against the interpreter itself, and the best of some.
    bare = min(timed("-c", "import click") for _ in range(5))
    assert min(timed("-m", "bridge", "--help") for _ in range(5)) - bare < 0.15


def group_of(error: BaseException) -> LazyGroup:
    """A group like the real one, with a command that fails."""

    @click.group(cls=LazyGroup)
    @click.option("--debug", is_flag=True)
    def group(debug: bool) -> None:
        pass

    @click.command()
    def run() -> None:
        raise error

    group.get_command = lambda ctx, cmd_name: run  # type: ignore[method-assign]
    assert isinstance(group, LazyGroup)
    return group


def test_an_expected_error_is_a_line_on_stderr_with_its_own_exit_code() -> None:
    for error, code in ((ConfigError("line 3: wrong"), 2), (FencedError("another runs"), 6)):
        result = CliRunner().invoke(group_of(error), ["run"])
        assert (result.exit_code, result.stdout) == (code, "")
        assert result.stderr == f"treble-bridge: {error}\n"
    grouped = ExceptionGroup("tasks", [ExceptionGroup("inner", [ConfigError("deep")])])
    result = CliRunner().invoke(group_of(grouped), ["run"])
    assert (result.exit_code, result.stderr) == (2, "treble-bridge: deep\n")


def test_an_unforeseen_error_is_one_masked_line_and_its_traceback_only_when_asked_for() -> None:
    error = RuntimeError("at https://u:secret@host/?token=hidden for +573176477608")
    quiet = CliRunner().invoke(group_of(error), ["run"])
    assert quiet.exit_code == 1
    assert quiet.stderr.startswith("treble-bridge: unforeseen RuntimeError: at https://***@host/?token=***")
    assert "Traceback" not in quiet.stderr
    assert "317" not in quiet.stderr
    loud = CliRunner().invoke(group_of(error), ["--debug", "run"])
    assert loud.exit_code == 1
    assert "Traceback" in loud.stderr


def test_an_interrupt_is_quiet() -> None:
    result = CliRunner().invoke(group_of(KeyboardInterrupt()), ["run"])
    assert (result.exit_code, result.output) == (130, "")


def test_an_unknown_command_is_a_usage_error() -> None:
    result = CliRunner().invoke(cli, ["fly"])
    assert result.exit_code == ExitCode.USAGE
    assert "No such command 'fly'" in result.output
