"""What a journal is on disk: the rules that code and operators rely on, the files, the tables, and the SQL of these.

- One process writes. Any number may read while it does, through SQLite only: a program that opens and closes
  `journal.db` by itself, inside a process that has it open through SQLite, takes that process's locks away (POSIX).
- An entry is written once and never changed. It is deleted only when it is forwarded and no longer retained.
- Entry ids grow by one, in the order of arrival, from 1 on; none is used twice, even when all entries are deleted:
  the next id is above both the highest entry and `state.next_id`, and nothing above `next_id` is ever deleted.
- Everything that one commit holds becomes durable together: entries, positions, deferred rows, dedupe keys.
- The database is never vacuumed (that would move tables, and stall): freed pages are used again. So the file does not
  shrink, and what is bounded is the pages in use.

A journal is a folder (mode 0700) with these files (mode 0600):

    journal.db        SQLite, WAL mode; what follows describes its tables
    journal.db-wal    the write-ahead log: commits go there first, and are synced there before anybody is answered
    journal.db-shm    the log's index, shared memory; worthless after a crash, and made anew
    owner.lock        locked (flock) by the process that writes; names its pid and host

Versions: `application_id` says that a database is a journal, `user_version` which version of the schema it has.
`SCHEMA[n]` brings version n to n + 1, in one transaction; a database from a newer program is refused, not guessed at.

Tables of version 3 (a table keeps the name that it got first: what is on disks is not renamed):

    state             one row. journal_id: UUID, made at the first start, names the journal in Kafka. next_id and behind
                      (JSON, topic → entry id): the journal's copy of the positions. kafka_offset: where in the
                      positions topic they were read or written last. deleted: how many ids up to the highest have no
                      entry any more, so that entries are counted without a scan. unconfirmed_from (since version 2):
                      the first id given since Kafka's positions were compared last; null between that and the next
                      opening. Were this a restored copy, Kafka may count ids from there on that mean other entries.
                      doubts (since version 3): what is unknown of the transactions so far, JSON, null when nothing
                      is. ends: [[topic, partition, first offset, [entry id, ...]], ...], records for which Kafka may
                      have written no marker, and their entries where those go again if it has not. unclear: null, or
                      the last transaction, where it isn't known whether it counts (`model.InDoubtTransaction`)
    entries           one accepted request each. received_at: ms since the epoch. stream_end: bytes of all entries up to
                      and including this one (headers and body), so that the bytes between two ids are known without a
                      scan. headers: JSON object, empty when there are none. body: as it came
    parked            deferred entries: those that could not be forwarded with their neighbours, because their topic
                      is paused. One is pending while its id is not below that topic's position
    held              pinned entries, which retention must keep: their dead letter carries only a part of them
    identities_log    the latest dedupe keys, in order: each row is a string of 22-byte items,
                      16 bytes of dedupe key, 6 bytes of received_at (ms, big-endian). Rows leave once they are merged
    identities        the same, merged: sorted by dedupe key. received_at is the 6 bytes, whose order is that of time
"""

from typing import Final

FORMAT_APPLICATION_ID: Final = 0x7472_626A  # "trbj"
DATABASE: Final = "journal.db"
LOCK: Final = "owner.lock"
PAGE_BYTES: Final = 4096
WAL_FRAME_BYTES: Final = PAGE_BYTES + 24
FOLDER_MODE: Final = 0o700
FILE_MODE: Final = 0o600

DEDUPE_KEY_BYTES: Final = 16
TIME_BYTES: Final = 6
ITEM_BYTES: Final = DEDUPE_KEY_BYTES + TIME_BYTES
BUCKETS: Final = 256
"""Parts in which `identities` is merged and swept: by the first byte of a dedupe key."""

SCHEMA: tuple[str, ...] = (
    """
    CREATE TABLE state (
        one INTEGER PRIMARY KEY CHECK (one = 1),
        journal_id TEXT NOT NULL,
        created_at INTEGER NOT NULL,
        next_id INTEGER NOT NULL,
        behind TEXT NOT NULL,
        kafka_offset INTEGER,
        deleted INTEGER NOT NULL
    ) STRICT;
    CREATE TABLE entries (
        id INTEGER PRIMARY KEY,
        received_at INTEGER NOT NULL,
        stream_end INTEGER NOT NULL,
        source TEXT NOT NULL,
        hint TEXT NOT NULL,
        headers BLOB NOT NULL,
        body BLOB NOT NULL
    ) STRICT;
    CREATE TABLE parked (
        topic TEXT NOT NULL,
        entry_id INTEGER NOT NULL,
        event_type TEXT NOT NULL,
        PRIMARY KEY (topic, entry_id)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX parked_by_entry ON parked (entry_id);
    CREATE TABLE held (entry_id INTEGER PRIMARY KEY) STRICT;
    CREATE TABLE identities_log (seq INTEGER PRIMARY KEY, items BLOB NOT NULL) STRICT;
    CREATE TABLE identities (
        identity BLOB PRIMARY KEY,
        received_at BLOB NOT NULL
    ) STRICT, WITHOUT ROWID;
    """,
    "ALTER TABLE state ADD COLUMN unconfirmed_from INTEGER",
    "ALTER TABLE state ADD COLUMN doubts TEXT",
)

VERSION: Final = len(SCHEMA)
