"""A slow link from this process's Kafka clients to the brokers: so many bytes a second, all connections together."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiokafka.client
import pytest

CHUNK_BYTES = 8 << 10
LOCAL = "127.0.0.1"


class SlowLink:
    """What clients send goes at `bytes_per_s`; answers come at once."""

    def __init__(self, bytes_per_s: float) -> None:
        self.bytes_per_s = bytes_per_s
        self._ports: dict[tuple[str, int], int] = {}
        self._servers: list[asyncio.Server] = []
        self._turn = asyncio.Lock()
        self._carrying: set[asyncio.Task[None]] = set()

    async def way_to(self, host: str, port: int) -> int:
        """The local port that leads there."""
        if (host, port) not in self._ports:

            def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
                task = asyncio.create_task(self._carry(reader, writer, host, port))
                self._carrying.add(task)
                task.add_done_callback(self._carrying.discard)

            server = await asyncio.start_server(carry, LOCAL, 0, limit=CHUNK_BYTES)
            self._servers.append(server)
            self._ports[host, port] = server.sockets[0].getsockname()[1]
        return self._ports[host, port]

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, host: str, port: int) -> None:
        with contextlib.suppress(OSError):
            to_reader, to_writer = await asyncio.open_connection(host, port)
            back = asyncio.create_task(_copy(to_reader, writer))
            try:
                while data := await reader.read(CHUNK_BYTES):
                    async with self._turn:
                        await asyncio.sleep(len(data) / self.bytes_per_s)
                    to_writer.write(data)
                    await to_writer.drain()
            finally:
                back.cancel()
                to_writer.close()
                writer.close()

    async def close(self) -> None:
        """Take no more connections, and end those there are."""
        for server in self._servers:
            server.close()
        for task in self._carrying:
            task.cancel()
        await asyncio.gather(*self._carrying, return_exceptions=True)


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(64 << 10):
            writer.write(data)
            await writer.drain()


@asynccontextmanager
async def slow_link(bytes_per_s: float) -> AsyncIterator[SlowLink]:
    """Inside the block, every new connection of aiokafka goes over such a link."""
    link, connect = SlowLink(bytes_per_s), aiokafka.client.create_conn

    async def by_link(host: str, port: int, **options: Any) -> Any:
        return await connect(LOCAL, await link.way_to(host, port), **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(aiokafka.client, "create_conn", by_link)
        try:
            yield link
        finally:
            await link.close()
