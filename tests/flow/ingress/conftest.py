"""The ingress is tested on uvloop, as the program runs it."""

import asyncio
from collections.abc import Callable, Mapping

import uvloop


def pytest_asyncio_loop_factories() -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """The loop of every asynchronous test here."""
    return {"uvloop": uvloop.new_event_loop}
