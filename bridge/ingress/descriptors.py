"""File descriptors: each connection is one, and the journal and Kafka need theirs.

Without this, as many connections as the system's usual 1024 descriptors would leave none to open a database with.
"""

import resource

KEPT_FREE = 128  # for everything but connections


def connections_that_fit(wanted: int) -> int:
    """Raise this process's own limit as far as `wanted` connections need and the system lets it. How many fit then."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = wanted + KEPT_FREE
    if soft != resource.RLIM_INFINITY and soft < needed:
        raised = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
        if raised > soft:
            resource.setrlimit(resource.RLIMIT_NOFILE, (raised, hard))
            soft = raised
    if soft == resource.RLIM_INFINITY:
        return wanted
    return min(wanted, max(soft - KEPT_FREE, soft // 2))
