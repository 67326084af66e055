"""Kafka, bridge and consumer: put up before a run, taken down after it, whatever happens in between."""

import asyncio
import json
import secrets
import shutil
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple

import aiohttp

from bridge.demo.broker import Broker, EmbeddedBroker, GivenBroker
from bridge.demo.caller import Caller
from bridge.demo.errors import StageError
from bridge.demo.plan import Plan
from bridge.demo.processes import Child, Guard
from bridge.demo.screen import Screen
from bridge.kafka.consumer import Reader
from bridge.settings.models import Kafka

START_S: Final = 20.0
STOP_S: Final = 8.0
LOOK_S: Final = 0.03


@dataclass(frozen=True, slots=True)
class Options:
    """What the user wants. `kafka` None is the embedded one; `keep` is a folder that stays, and with it the topics."""

    kafka: Kafka | None
    outage_s: float
    keep: Path | None
    port: int


@dataclass(frozen=True, slots=True)
class Stage:
    """What is up. `url` and `admin_url` are the bridge's two ports."""

    plan: Plan
    broker: Broker
    bridge: Child
    caller: Caller
    reader: Reader
    url: str

    async def end_bridge(self) -> int:
        """Stop the bridge in order. Returns its exit code."""
        return await self.bridge.end(STOP_S)


class _Ports(NamedTuple):
    url: str
    admin_url: str


@asynccontextmanager
async def staged(options: Options, screen: Screen) -> AsyncIterator[Stage]:
    """A stage for one run. Raises a BridgeError when it can't be put up; `screen` gets the bridge's last words then."""
    async with AsyncExitStack() as closing:
        plan, broker, guard = await _with_kafka(options, closing, screen)
        plan.config_file.write_text(plan.configuration())
        bridge = await Child.start(
            [sys.executable, "-m", "bridge", "run", "--config", str(plan.config_file)],
            log=plan.log_file,
            environment=plan.environment(),
        )
        closing.push_async_callback(bridge.end, STOP_S)
        await guard.watch(bridge)
        try:
            ports = await _started(bridge)
            screen.staged(plan, broker.name, bridge.pid, ports.url, ports.admin_url)
            caller = await closing.enter_async_context(Caller(plan, *ports))
            await _topics_there(caller, bridge)
            reader = await closing.enter_async_context(
                Reader(
                    broker.settings,
                    plan.topics(),
                    from_beginning=True,
                    committed=True,
                    fetch_wait_s=broker.fetch_wait_s,
                )
            )
            yield Stage(plan, broker, bridge, caller, reader, ports.url)
        except Exception as error:
            screen.failed(bridge.last_words())
            cause: Exception = error
            while isinstance(cause, ExceptionGroup):  # what goes on beside an act ends the act
                cause = cause.exceptions[0]
            if isinstance(cause, aiohttp.ClientError | TimeoutError):
                raise StageError("the bridge's admin port did not answer") from error
            raise cause from None


async def _with_kafka(options: Options, closing: AsyncExitStack, screen: Screen) -> tuple[Plan, Broker, Guard]:
    """A folder, a guard, a Kafka, and the plan that names them. What must go at the end goes on `closing`."""
    broker: Broker
    if options.kafka is None:
        embedded = broker = await EmbeddedBroker.start()
        closing.push_async_callback(broker.close)
        prefix, replicas, child = "", 1, embedded.child
    else:
        given = broker = await GivenBroker.reach(options.kafka)
        closing.push_async_callback(broker.close)
        prefix, replicas, child = f"demo-{secrets.token_hex(4)}.", given.replication_factor, None
    folder = options.keep or Path(tempfile.mkdtemp(prefix="treble-bridge-demo-"))
    if options.keep is None:
        closing.callback(shutil.rmtree, folder, ignore_errors=True)
    guard = await Guard.start(None if options.keep else folder)
    closing.push_async_callback(guard.release)
    if child is not None:
        await guard.watch(child)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    plan = Plan(
        folder=folder.absolute(),
        servers=broker.servers,
        real=broker.real,
        token=f"demo-{secrets.token_urlsafe(18)}",
        api_key=f"demo-{secrets.token_urlsafe(18)}",
        prefix=prefix,
        replication_factor=replicas,
        port=options.port,
    )
    await broker.prepare(plan)
    if options.keep is None:
        closing.push_async_callback(_cleaned_up, broker, plan, screen)
    return plan, broker, guard


async def _cleaned_up(broker: Broker, plan: Plan, screen: Screen) -> None:
    if left := await broker.clean_up(plan):
        screen.say(f"These topics could not be removed: {left}.")


async def _started(bridge: Child) -> _Ports:
    """Wait until the bridge says that it takes webhooks, and where."""
    ports: list[_Ports] = []

    def said() -> bool:
        for line in bridge.last_words().splitlines():
            if '"service.started"' in line:
                fields = json.loads(line)
                ports.append(_Ports(f"http://{fields['ingress'][0]}", f"http://{fields['admin'][0]}"))
        return bool(ports)

    await _until(said, bridge, "the bridge did not start")
    return ports[0]


async def _topics_there(caller: Caller, bridge: Child) -> None:
    """Wait until the topics are as the configuration wants them (or nobody looks after them)."""
    state = ""
    deadline_s = time.monotonic() + START_S
    while state not in {"ok", "off"}:
        topics = (await caller.status())["topics"]
        state = topics["state"]
        if state == "differ" or time.monotonic() > deadline_s or bridge.exit_code is not None:
            found = "; ".join(topics["differences"]) or topics["problem"] or "no answer"
            raise StageError(f"the bridge has not its topics: {found}")
        await asyncio.sleep(LOOK_S)


async def _until(holds: Callable[[], bool], bridge: Child, otherwise: str) -> None:
    deadline_s = time.monotonic() + START_S
    while not holds():
        if bridge.exit_code is not None:
            raise StageError(f"{otherwise}: it ended with exit code {bridge.exit_code}")
        if time.monotonic() > deadline_s:
            raise StageError(f"{otherwise} within {START_S:.0f} s")
        await asyncio.sleep(LOOK_S)
