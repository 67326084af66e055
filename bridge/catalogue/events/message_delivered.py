"""A message reached the person's phone."""

from bridge.catalogue.definition import Field
from bridge.catalogue.events import receipt
from bridge.catalogue.shapes import Time

EVENT = receipt(
    "delivered",
    fires="When the message of a block was delivered to the phone.",
    at=Field("delivered_at", Time("When the phone had the message.")),
    rank=10,
)
