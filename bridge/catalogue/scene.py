"""The facts that a sample body tells: who, which conversation, what was said, when. Times are UTC."""

import datetime as dt
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Scene:
    """One moment of an invented conversation. The defaults are a scene like any other."""

    country_code: str = "+57"
    cellphone: str = "3005550134"
    session_id: str = "5e0c94b1d7a24c3f8e6b90a1f2d3c4b5a6978877665544332211aabb"
    flow_id: int = 48213
    name: str = "Ana"
    question: str = (
        "Hi Ana, this is Casa Verde. Your order 1042 left our warehouse this morning and should reach you before six."
        " Will somebody be at home?"
    )
    options: tuple[str, ...] = ("Yes, all day", "Another day")
    answer: str = "yes, we are here"
    template: str = "order_on_its_way"
    event_id: str = "66d0a1b2c3d4e5f607182930"
    sent_at: dt.datetime = dt.datetime(2026, 6, 22, 15, 19, 6, 473256, tzinfo=dt.UTC)
    at: dt.datetime = dt.datetime(2026, 6, 22, 15, 19, 8, tzinfo=dt.UTC)


def naive(moment: dt.datetime) -> str:
    """A time as flow webhooks write it: no zone, and microseconds only where there are some."""
    return moment.astimezone(dt.UTC).replace(tzinfo=None).isoformat(" ")


def zulu(moment: dt.datetime) -> str:
    """A time as global events write it: ISO 8601 with milliseconds and Z."""
    return moment.astimezone(dt.UTC).replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"
