"""Whether the topics are as the configuration wants them: made, compared, reported; asked until they are.

It never stops the bridge. A topic that is missing holds up its own queue; a bridge that refused to start for it would
refuse webhooks, which nobody sends again. A hard answer is what `check --live` and `topics` are for.
"""

import asyncio
import contextlib
import random
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from bridge.errors import SinkError
from bridge.kafka.errors import delay_s
from bridge.kafka.topics import UNUSABLE, Difference, Topics, merged, system_topics
from bridge.model import TopicSpec
from bridge.settings.models import Settings
from bridge.telemetry import Telemetry

LOOK_AGAIN_S = 5.0


class TopicWatch:
    """The topics of one configuration. `fit` says whether all were as wanted at the last look.

    `is_missing` says whether the forwarder waits for a topic.
    """

    def __init__(
        self,
        settings: Settings,
        specs: Mapping[str, TopicSpec],
        telemetry: Telemetry,
        is_missing: Callable[[], bool],
    ) -> None:
        self._telemetry = telemetry
        self._is_missing = is_missing
        self._changed = asyncio.Event()
        self._problem = ""
        self._differences: tuple[Difference, ...] = ()
        self._tries = 0
        self.reconfigure(settings, specs)

    @property
    def fit(self) -> bool:
        """Whether nothing is known to be wrong: also when it is too early to know."""
        return self._state in {"ok", "off"} or (self._state == "unknown" and not self._tries)

    @property
    def unusable(self) -> Mapping[str, str]:
        """The topics that could take no records at the last look, each with the sentence that says why."""
        return {found.topic: found.sentence for found in self._differences if found.kind in UNUSABLE}

    def reconfigure(self, settings: Settings, specs: Mapping[str, TopicSpec]) -> None:
        """Want these topics from now on, and look at once."""
        self._kafka, self._mode = settings.kafka, settings.topics.create
        self._specs: Sequence[TopicSpec] = merged([*specs.values(), *system_topics(settings)])
        self._state = "unknown"
        self._changed.set()

    def status(self) -> Mapping[str, Any]:
        """For /status and /readyz: `state` is unknown, off, ok or differ."""
        return {
            "state": self._state,
            "create": self._mode,
            "differences": [found.sentence for found in self._differences],
            "problem": self._problem or None,
        }

    async def run(self) -> None:
        """Look until all is well, then whenever a topic is said to be gone. Ends by cancellation only.

        The positions topic has no queue; without it there is no connection, and only that shows.
        """
        while True:
            self._changed.clear()
            if self._mode == "off":
                self._state, self._differences = "off", ()
            elif self._state != "ok" or self._is_missing():
                await self._look()
            pause_s = LOOK_AGAIN_S
            if self._tries:
                pause_s = delay_s(self._tries, self._kafka.backoff, self._kafka.backoff_max, random.random())  # noqa: S311 - jitter
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause_s):
                    await self._changed.wait()

    async def _look(self) -> None:
        topics = Topics(self._kafka)
        look = topics.create_missing if self._mode == "missing" else topics.compare
        try:
            found = await look(self._specs)
        except SinkError as error:
            self._tries += 1
            self._problem = str(error)
            self._telemetry.topics_unknown(error)
            return
        if self._changed.is_set():  # while it was being found out: it is about what was wanted before
            return
        differences = tuple(found)
        news = differences != self._differences or self._state == "unknown"
        self._tries, self._problem = 0, ""
        self._differences, self._state = differences, "differ" if any(d.blocking for d in found) else "ok"
        if news and differences:
            self._telemetry.topics_differ([found.sentence for found in differences])
        elif news:
            self._telemetry.topics_checked(len(self._specs))
