"""HTTP in: a POST becomes a submission on stable storage, and only then a 200.

The path of a request, a file a step:

    server       start, stop, the sweep for what takes too long, new configuration
    listener     the port; `tls` its certificates, renewed while it runs
    connection   one client: its time limits, broken HTTP; beneath it `fast_path`, which knows aiohttp from the inside
    slow_path    a request whose body still comes, or that is not the plain case
    checks       path → method → credentials → declared size → body → JSON → journal → response
    routes       URL → source and hint; `headers` what is kept of the request; `limits` bounds; `content_coding` gzip
    acknowledge  waits for the journal, with the deadline for the response
    responses    what a client sees

The decisions on credentials are `bridge.auth`; nothing here compares a secret.
"""

from bridge.ingress.server import Ingress

__all__ = ["Ingress"]
