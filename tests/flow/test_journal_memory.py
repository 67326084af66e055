"""A backlog lives on the disk: the process does not grow with it, and drains it at the same size."""

import subprocess
import sys
from pathlib import Path

ENTRIES = 150_000
GROWTH_MIB_MAX = 30

CHILD = """
import asyncio, sys
from pathlib import Path
from bridge.model import Positions
from tests.unit.journal.making import open_journal, submission

def resident_mib():
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1]) / 1024

async def main():
    journal = open_journal(Path(sys.argv[1]), max_bytes=1 << 30)
    for _ in range(10):
        await asyncio.gather(*(journal.append(submission(b"x" * 300)) for _ in range(200)))
    before = resident_mib()
    for _ in range(int(sys.argv[2]) // 500):
        await asyncio.gather(*(journal.append(submission(b"x" * 300)) for _ in range(500)))
    filled = resident_mib()
    while True:
        batch = await journal.read(journal.positions.next_id, 1000, 1 << 20)
        if not batch:
            break
        await journal.seen([entry.id.to_bytes(16, "little") for entry in batch], 0)
        identities = [(entry.id.to_bytes(16, "little"), entry.received_at_ms) for entry in batch]
        await journal.advance(Positions(batch[-1].id + 1), identities)
    print(before, filled, resident_mib(), journal.usage().pending)
    await journal.close()

asyncio.run(main())
"""


def test_memory_does_not_grow_with_the_backlog(tmp_path: Path) -> None:
    command = [sys.executable, "-c", CHILD, str(tmp_path / "journal"), str(ENTRIES)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=100)
    before, filled, drained, pending = map(float, done.stdout.split())
    assert pending == 0
    assert filled - before < GROWTH_MIB_MAX
    assert drained - before < GROWTH_MIB_MAX
