"""The demo's child processes. Whatever happens to the demo, none of them outlives it.

They are in sessions of their own, so that Ctrl-C in a terminal reaches the demo alone, which ends them in order. For
the case that the demo itself is killed there is a guard: a shell that reads from the demo until there is nobody any
more, then kills what it was told to watch, and removes the temporary folder.
"""

import asyncio
import contextlib
import os
import signal
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Final, Self

LOG_LINES_SHOWN: Final = 25
_LOG_BYTES_READ: Final = 64 << 10
_GUARD: Final = """
pids=
while read -r word pid; do
  case $word in watch) pids="$pids $pid" ;; release) exit 0 ;; esac
done
[ -z "$pids" ] || kill -KILL $pids 2>/dev/null
[ -z "$1" ] || rm -rf -- "$1"
"""


class Child:
    """One child process. What it writes goes to `log`, unless it is `spoken_with`."""

    def __init__(self, process: Process, log: Path | None) -> None:
        self._process = process
        self.log = log

    @classmethod
    async def start(
        cls, arguments: Sequence[str], *, log: Path | None = None, environment: Mapping[str, str] | None = None
    ) -> Self:
        """Start it. Without a log file its input and output are pipes, for `ask`."""
        with contextlib.ExitStack() as closing:
            output: IO[bytes] | None = None if log is None else closing.enter_context(log.open("ab"))
            process = await asyncio.create_subprocess_exec(
                *arguments,
                stdin=PIPE if output is None else DEVNULL,
                stdout=PIPE if output is None else output,
                stderr=DEVNULL if output is None else output,
                env={**os.environ, **(environment or {})},
                start_new_session=True,
            )
        return cls(process, log)

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    @property
    def exit_code(self) -> int | None:
        """How it ended; None while it runs."""
        return self._process.returncode

    async def tell(self, line: str) -> None:
        """Write a line to its input."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{line}\n".encode())
        await self._process.stdin.drain()

    async def line(self, limit_s: float) -> str | None:
        """The next line of its output; None when there is none in time, or it has ended."""
        assert self._process.stdout is not None
        try:
            async with asyncio.timeout(limit_s):
                return (await self._process.stdout.readline()).decode().strip() or None
        except TimeoutError:
            return None

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal, if it runs."""
        with contextlib.suppress(ProcessLookupError):
            self._process.send_signal(number)

    async def end(self, limit_s: float) -> int:
        """SIGTERM, and SIGKILL when it has not ended in time. Returns its exit code (negative: by which signal)."""
        self.signal(signal.SIGTERM)
        try:
            async with asyncio.timeout(limit_s):
                return await self._process.wait()
        except TimeoutError:
            return await self.kill()

    async def ended(self) -> int:
        """Wait for it to end by itself. Returns its exit code."""
        return await self._process.wait()

    async def kill(self) -> int:
        """End it now, frozen or not."""
        self.signal(signal.SIGKILL)
        if self._process.stdin is not None:
            self._process.stdin.close()
        return await self._process.wait()

    def last_words(self, lines: int = LOG_LINES_SHOWN) -> str:
        """The end of its log."""
        if self.log is None or not self.log.exists():
            return ""
        with self.log.open("rb") as file:
            file.seek(max(0, self.log.stat().st_size - _LOG_BYTES_READ))
            return "\n".join(file.read().decode(errors="replace").splitlines()[-lines:])


class Guard:
    """Ends the children when the demo is gone without having done so."""

    def __init__(self, shell: Child) -> None:
        self._shell = shell

    @classmethod
    async def start(cls, folder: Path | None) -> Self:
        """Start watching. `folder` is removed with the children."""
        return cls(await Child.start(["/bin/sh", "-c", _GUARD, "guard", str(folder or "")]))

    async def watch(self, child: Child) -> None:
        """Take a child into care."""
        await self._shell.tell(f"watch {child.pid}")

    async def release(self) -> None:
        """All children have ended: go."""
        with contextlib.suppress(OSError):
            await self._shell.tell("release")
        await self._shell.kill()
