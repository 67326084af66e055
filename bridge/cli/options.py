"""Options that several commands share, and the configuration that they name."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click

if TYPE_CHECKING:
    from bridge.settings.load import Loaded
    from bridge.settings.models import Kafka

F = TypeVar("F", bound=Callable[..., Any])

CONFIG_VARIABLE = "TREBLE_BRIDGE_CONFIG"

ID_MAX: Final = (1 << 63) - 1
"""The largest id that an entry can have, and the largest number that the journal can look for."""

ENTRY_ID: Final = click.IntRange(1, ID_MAX)
COUNT: Final = click.IntRange(1, 1_000_000_000)
LIMIT: Final = click.IntRange(0, 1_000_000_000)
"""As COUNT; 0 is without limit."""


def config_option(*, required: bool = True) -> Callable[[F], F]:
    """`--config FILE`, or the environment's TREBLE_BRIDGE_CONFIG."""
    return click.option(
        "-c",
        "--config",
        type=click.Path(path_type=Path),
        metavar="FILE",
        envvar=CONFIG_VARIABLE,
        show_envvar=True,
        required=required,
        help="The configuration.",
    )


json_option: Callable[[F], F] = click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")


class DurationType(click.ParamType):  # type: ignore[type-arg]  # generic in newer versions of click only
    """A duration with its unit, as in the configuration; seconds as a float once parsed."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """`30s` → 30.0."""
        from bridge.settings.units import parse_duration  # noqa: PLC0415 - pydantic must not slow down --help

        try:
            return parse_duration(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)


class RateType(click.ParamType):  # type: ignore[type-arg]  # generic in newer versions of click only
    """A rate with its unit, as in the configuration; events per second once parsed."""

    name = "rate"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """`100/s` → 100.0."""
        from bridge.settings.units import parse_rate  # noqa: PLC0415 - pydantic must not slow down --help

        try:
            return parse_rate(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)


class SizeType(click.ParamType):  # type: ignore[type-arg]  # generic in newer versions of click only
    """A size with its unit, as in the configuration; bytes once parsed."""

    name = "size"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """`2GiB` → 2147483648."""
        from bridge.settings.units import parse_size  # noqa: PLC0415 - as above

        try:
            return parse_size(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)


def kafka_at(address: str) -> "Kafka":
    """The settings of a broker without security, given by --kafka."""
    from pydantic import ValidationError  # noqa: PLC0415 - not for --help

    from bridge.settings.models import Kafka  # noqa: PLC0415

    try:
        return Kafka.model_validate({"bootstrap_servers": address})
    except ValidationError:
        raise click.UsageError(f"--kafka {address}: expected host:port") from None


def load_configuration(path: Path) -> "Loaded":
    """The configuration at `path`; its warnings go to stderr. Raises ConfigError."""
    from bridge.catalogue import TABLE  # noqa: PLC0415 - as above
    from bridge.settings.load import load  # noqa: PLC0415

    loaded = load(path, TABLE.keys())
    for warning in loaded.warnings:
        click.echo(f"treble-bridge: {warning}", err=True)
    return loaded
