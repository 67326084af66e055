"""`python -m bridge` is the command `treble-bridge`."""

import io
import sys


def main() -> None:
    """Run the command line. What the terminal's encoding does not have is printed as an escape."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    from bridge.cli import cli  # noqa: PLC0415 - keeps `python -m bridge --help` quick

    cli()


if __name__ == "__main__":
    main()
