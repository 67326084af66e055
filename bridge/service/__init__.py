"""The composition root: builds every stage, starts them in order, decides when and how they end.

`service` holds the process and the order, `stages` what runs and why it ends, `health` what the `admin` port shows,
`reload` a changed configuration, `topic_watch` the fitness of topics. `drain` is the same for an abandoned journal,
without the taking of webhooks. No rule about an event or a request is here.
"""

from bridge.service.service import Service, run

__all__ = ["Service", "run"]
