"""What a run has to tell. How it looks is the command line's business."""

from typing import Protocol

from bridge.demo.ledger import Sent, Verdict
from bridge.demo.plan import Plan
from bridge.kafka.consumer import Incoming


class Screen(Protocol):
    """Where a run shows what happens. Nothing it is given may be shown without masking phones."""

    def say(self, text: str) -> None:
        """A sentence about what goes on."""

    def staged(self, plan: Plan, kafka: str, pid: int, url: str, admin_url: str) -> None:
        """Kafka and the bridge are up."""

    def act(self, title: str, about: str) -> None:
        """A new act begins."""

    def sent(self, sent: Sent) -> None:
        """A webhook was answered."""

    def came_out(self, record: Incoming, seconds: float | None) -> None:
        """A record is readable on Kafka, `seconds` after its webhook was posted (None: posted by somebody else)."""

    def closed(self, plan: Plan, verdict: Verdict, seconds: float) -> None:
        """The counts are in, `seconds` after the start."""

    def invite(self, plan: Plan, url: str, curl: str) -> None:
        """It stays up: this is how to post a webhook."""

    def failed(self, log: str) -> None:
        """It did not go well; this is what the bridge said last."""
