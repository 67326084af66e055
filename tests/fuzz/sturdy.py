"""What must hold of a bridge whatever was sent to it."""

from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from bridge.journal.offline import inspect
from tests.flow.running import BridgeProcess
from tests.fuzz.talking import Reply, ask, request

MEMORY_KIB_MAX = 200 * 1024
_QUIET = {"warning", "info", "debug"}


class Sturdy:
    """A bridge process under fire, and its journal."""

    def __init__(self, process: BridgeProcess, journal: Path) -> None:
        self.process = process
        self.port = process.port
        self._journal = journal
        self._read_to = 0

    def is_unharmed(self) -> None:
        """It runs, answers a good request with 200, has had nothing to complain about, and is not swollen."""
        assert self.process.running, self.process.log.text[-2000:]
        assert ask(self.port, request()) == [Reply(200, "")]
        assert "Traceback" not in self.process.log.text
        loud = [line for line in self.process.log.lines() if line["log.level"] not in _QUIET]
        assert not loud, loud[:3]
        assert self._peak_kib() < MEMORY_KIB_MAX

    def newly_kept(self) -> list[bytes]:
        """The bodies that came into the journal since the last call, oldest first."""
        listed = inspect.list_entries(self._journal, inspect.Filter(), None)
        new = [each.id for each in listed if each.id > self._read_to]
        self._read_to = max([self._read_to, *new])
        found = [inspect.get_entry(self._journal, each) for each in new]
        return [each[0].body for each in found if each is not None]

    def has_kept(self, bodies: Iterable[bytes]) -> None:
        """Each of these bodies is in the journal, as often as it is given, and nothing else is new in it."""
        assert Counter(self.newly_kept()) == Counter(bodies)

    def _peak_kib(self) -> int:
        status = Path(f"/proc/{self.process.pid}/status").read_text(encoding="ascii")
        (line,) = [line for line in status.splitlines() if line.startswith("VmHWM")]
        return int(line.split()[1])
