"""A message was opened by the person."""

from bridge.catalogue.definition import Field
from bridge.catalogue.events import receipt
from bridge.catalogue.shapes import Time

EVENT = receipt(
    "read",
    fires="When the person opened the message of a block.",
    at=Field("read_at", Time("When the message was opened.")),
    rank=20,
)
