"""`kill -9` at random moments: every id that was acknowledged is there, ids go on, positions don't go back."""

import asyncio
import random
import subprocess
import sys
import time
from pathlib import Path

from bridge.journal.offline.inspect import verify
from tests.unit.journal.making import open_journal, submission

ROUNDS = 6

CHILD = """
import asyncio, os, sys
from pathlib import Path
from bridge.model import Positions
from tests.unit.journal.making import open_journal, submission

def say(text):  # at once, in one write: nothing half is left when the process is killed
    os.write(1, (text + "\\n").encode())

async def appender(journal, number):
    while True:
        entry_id = await journal.append(submission(f"{number}" * 200))
        say(f"a {entry_id}")

async def forwarder(journal):
    while True:
        await journal.wait_for(journal.positions.next_id + 20)
        batch = await journal.read(journal.positions.next_id, 100, 1 << 20)
        dedupe_keys = [(entry.id.to_bytes(16, "little"), entry.received_at_ms) for entry in batch]
        await journal.advance(Positions(batch[-1].id + 1), dedupe_keys, positions_offset=batch[-1].id)
        say(f"p {batch[-1].id + 1}")

async def main():
    journal = open_journal(Path(sys.argv[1]), max_bytes=16 << 20, retain_bytes=200_000)
    say("open")
    await asyncio.gather(*(appender(journal, number) for number in range(16)), forwarder(journal))

asyncio.run(main())
"""


async def test_kill_9_loses_nothing_that_was_acknowledged(tmp_path: Path) -> None:
    chance = random.Random(20)
    highest, position = 0, 1
    for _ in range(ROUNDS):
        lines = await asyncio.to_thread(run_and_kill, tmp_path, chance.uniform(0.02, 0.4))
        ids = {int(line[2:]) for line in lines if line.startswith("a ")}
        position = max([position, *(int(line[2:]) for line in lines if line.startswith("p "))])
        assert not ids or min(ids) > highest, "an id was given twice"
        highest = max([highest, *ids])

        journal = open_journal(tmp_path / "journal", retain_bytes=200_000)
        assert journal.positions.next_id >= position
        assert journal.positions_offset is None or journal.positions_offset >= position - 1
        pending = {entry.id for entry in await journal.read(journal.positions.next_id, 10**6, 1 << 30)}
        assert {i for i in ids if i >= journal.positions.next_id} <= pending
        forwarded = [i.to_bytes(16, "little") for i in range(max(1, position - 500), position)]
        assert set(await journal.seen(forwarded, 0)) == set(forwarded)
        highest = max(highest, await journal.append(submission()))
        await journal.close()
        report = await asyncio.to_thread(verify, tmp_path / "journal")
        assert (report.damage, report.findings) == ((), ())
    assert highest > 100


def run_and_kill(folder: Path, after_s: float) -> list[str]:
    """Run the child until it is `after_s` old; what it has said."""
    command = [sys.executable, "-c", CHILD, str(folder / "journal")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "open\n"
        time.sleep(after_s)  # the moment is what is random here
        child.kill()
        return child.stdout.read().splitlines()
