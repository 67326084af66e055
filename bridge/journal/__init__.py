"""The journal: the durable queue between the ingress and Kafka, one folder, one process that writes.

    journal         what the rest of the program uses: append, read, defer, advance, seen; its reading thread
    writer          the writing thread: group commit
    storage         the steps that change tables; queries: those that read them
    maintenance     what the writer does besides: retention, expiry, checkpoints, figures
    capacity        how full it is, and whether it takes one more
    tail_cache      the newest entries, for a forwarder at the front
    dedupe_window   the window of duplicates, in memory and on disk
    database        opening, recovery, versions; errors of SQLite are translated here
    lock            one process owns a journal; folders that this user may not use
    schema          what is on the disk
    offline/        for the command line: inspect (also verify), replay (also unpin, renew), salvage

Nothing in here knows what an event is, or Kafka.
"""

from bridge.journal.journal import Journal
from bridge.journal.maintenance import Limits

__all__ = ["Journal", "Limits"]
