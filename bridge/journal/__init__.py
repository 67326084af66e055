"""The journal: the durable queue between the ingress and Kafka, one folder, one owner.

    journal      what the rest of the program uses: append, read, park, advance, seen
    writer       the writing thread: group commit
    reader       the reading thread
    recent       the newest entries, for a forwarder at the front
    maintenance       what the writer does besides: retention, expiry, checkpoints, figures
    storage      the steps that change tables; queries: those that read them
    waiting      who waits for an entry that is not there yet
    window       the window of duplicates; identities: its part in memory, identity_table: on disk
    capacity     how full it is, and whether it takes one more
    database     opening, recovery, versions; errors of SQLite are translated here
    lock    one process owns a journal
    access       folders that this user may not use
    layout       what is on the disk
    inspect, verify, salvage, replay   for the command line, without a running bridge

Nothing in here knows what an event is, or Kafka.
"""

from bridge.journal.journal import Journal

__all__ = ["Journal"]
