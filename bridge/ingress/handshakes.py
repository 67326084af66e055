"""TLS: connections are accepted one by one, and count from then on, not only once their handshake is over.

A server of the event loop knows nothing of a connection until its handshake is done: whoever opens connections and says
nothing would have as many of this process's descriptors as he likes. So here is a loop of our own that accepts.
"""

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Callable

_AFTER_AN_ERROR_S = 0.1  # no descriptors, for instance: the next try finds some, perhaps


class Handshakes:
    """Accepts connections and makes their handshakes.

    `factory` makes the protocol of a connection whose handshake went well. `may_begin` is asked at each connection,
    with the number of handshakes that are under way; where it says no, the connection is closed without a word.
    """

    def __init__(self, factory: Callable[[], asyncio.BaseProtocol], may_begin: Callable[[int], bool]) -> None:
        self._factory, self._may_begin = factory, may_begin
        self._context: ssl.SSLContext | None = None
        self._limit_s = 0.0
        self._accepting: list[asyncio.Task[None]] = []
        self._under_way: set[asyncio.Task[None]] = set()

    @property
    def accepts(self) -> bool:
        """Whether connections are accepted now."""
        return bool(self._accepting)

    def use(self, context: ssl.SSLContext, limit_s: float) -> None:
        """Begin handshakes with this context from now on; each may take `limit_s` seconds."""
        self._context, self._limit_s = context, limit_s

    def accept_from(self, listening: socket.socket) -> None:
        """Accept from a listening socket, which must not block and stay open until `stop`."""
        self._accepting.append(asyncio.create_task(self._accept(listening), name="ingress accept"))

    def stop(self) -> None:
        """Accept no more. Handshakes that are under way go on."""
        for task in self._accepting:
            task.cancel()
        self._accepting = []

    def cut_off(self) -> None:
        """End the handshakes that are under way."""
        for task in self._under_way:
            task.cancel()

    async def _accept(self, listening: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                link, _ = await loop.sock_accept(listening)
            except OSError:
                await asyncio.sleep(_AFTER_AN_ERROR_S)
                continue
            if self._may_begin(len(self._under_way)):
                task = asyncio.create_task(self._shake(link), name="ingress handshake")
                self._under_way.add(task)
                task.add_done_callback(self._under_way.discard)
            else:
                link.close()
            await asyncio.sleep(0)  # accepting may succeed at once, again and again: others have their turn

    async def _shake(self, link: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        with contextlib.suppress(OSError):  # refused, broken off, or out of time: nobody is there to be told
            await loop.connect_accepted_socket(
                self._factory,
                link,
                ssl=self._context,
                ssl_handshake_timeout=self._limit_s,
                ssl_shutdown_timeout=self._limit_s,
            )
