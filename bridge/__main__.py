"""`python -m bridge` is the command `treble-bridge`."""


def main() -> None:
    """Run the command line."""
    from bridge.cli import cli  # noqa: PLC0415 - keeps `python -m bridge --help` quick

    cli()


if __name__ == "__main__":
    main()
