"""HTTP in: a POST becomes a submission on stable storage, and only then a 200.

The way of a request, a file a step:

    server       listens, counts connections, sweeps for what takes too long, swaps the configuration
    connection   one client: clocks of its phases, refusals at the door, errors of the protocol; `wire` beneath it is
                 the one file that knows aiohttp from the inside
    intake       the order of the checks: path → method → credentials → declared size → body → JSON → journal → answer
    routes       URL → source and hint; `headers` what is kept of the request, `reading` its body, `limits` bounds
    confirming   waits for the journal, with the deadline for the answer
    answers      what a client sees

The decisions on credentials are `bridge.auth`; nothing here compares a secret.
"""

from bridge.ingress.acknowledge import AppendsEntries
from bridge.ingress.server import Ingress

__all__ = ["AppendsEntries", "Ingress"]
