"""Why the service ends, with which exit code, and whether it may still take its time."""

import asyncio

from bridge.errors import ExitCode


class Ending:
    """The one place that is asked to end. The first cause counts, unless a failure comes on top of an orderly stop."""

    def __init__(self) -> None:
        self.cause = ""
        self.exit_code = ExitCode.OK
        self._asked = asyncio.Event()
        self._hurried = asyncio.Event()

    @property
    def asked(self) -> bool:
        """Whether the end has begun."""
        return self._asked.is_set()

    @property
    def hurried(self) -> bool:
        """Whether nothing should be waited for any more."""
        return self._hurried.is_set()

    def ask(self, cause: str, exit_code: ExitCode = ExitCode.OK) -> None:
        """Begin the end. Asked again, it hastens: a second signal, or a stage that failed while others still drain."""
        if self.asked:
            self._hurried.set()
        if not self.asked or (exit_code is not ExitCode.OK and self.exit_code is ExitCode.OK):
            self.cause, self.exit_code = cause, exit_code
        self._asked.set()

    async def wait(self) -> None:
        """Return when the end has begun."""
        await self._asked.wait()

    async def pause(self, seconds: float) -> None:
        """Wait `seconds`, less when hurried."""
        if seconds <= 0 or self.hurried:
            return
        try:
            async with asyncio.timeout(seconds):
                await self._hurried.wait()
        except TimeoutError:
            return
