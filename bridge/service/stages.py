"""The stages of one running service, and what a new configuration changes in them.

What the metrics show of a configuration itself: until when its credentials and certificates are valid, and zeros.

A counter that first shows up with a 1 has not grown, as Prometheus sees it; what an alert waits for starts at 0.

Why the service ends, with which exit code, and whether it may still take its time.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from bridge.auth import REASONS
from bridge.errors import ConfigError, ExitCode
from bridge.forward import Forwarder
from bridge.ingress import Ingress
from bridge.ingress.tls import certificate_end_s
from bridge.journal import Journal
from bridge.kafka.client import client_options
from bridge.service.reload import Reloader
from bridge.service.topic_watch import TopicWatch
from bridge.settings.models import Settings
from bridge.settings.sources import credential_ends, secrets_of
from bridge.telemetry import Telemetry
from bridge.telemetry.logs import Logs
from bridge.telemetry.tracing.start import Tracing
from bridge.transform.dead_letter import REASONS as QUARANTINE_REASONS
from bridge.transform.prepare import Preparer


def expose(settings: Settings, telemetry: Telemetry) -> None:
    """Show `settings`, which are in force from now on. Reads the client certificate for Kafka, where there is one."""
    telemetry.counters_begin(settings.sources, REASONS, QUARANTINE_REASONS)
    telemetry.credentials_end(credential_ends(settings.sources))
    security = settings.kafka.security
    if security.certificate_file is not None:
        password = security.key_password.get_secret_value() if security.key_password else ""
        end_s = certificate_end_s(security.certificate_file, security.key_file, password, as_client=True)
        telemetry.certificate_ends("kafka", end_s)
    else:
        telemetry.certificate_ends("kafka", None)


@dataclass(slots=True)
class Stages:
    """What runs. `settings` is the configuration in force."""

    settings: Settings
    telemetry: Telemetry
    journal: Journal
    preparer: Preparer
    ingress: Ingress
    forwarder: Forwarder
    topics: TopicWatch
    logs: Logs | None
    reloader: Reloader | None = None
    tracing: Tracing | None = None

    def topic_names(self) -> list[str]:
        """All topics that the configuration in force can lead to."""
        return sorted(self.preparer.topics())

    def apply(self, settings: Settings, changed: Sequence[str]) -> None:
        """Put a configuration in force without dropping a request. `changed` are the paths of keys that differ.

        Raises ConfigError, with nothing changed, for one that can't be: what can fail comes first.
        """
        reconnect = any(key.startswith("kafka.") for key in changed)
        if reconnect:
            client_options(settings.kafka)  # a certificate without its key, say: the connection that exists goes on
        try:
            preparer = Preparer(settings, lambda: self.journal.id)
            self.ingress.reconfigure(settings)
        except ValueError as error:
            raise ConfigError(f"this configuration can't be put in force: {error}") from error
        self.forwarder.reconfigure(preparer, settings, reconnect=reconnect)
        self.topics.reconfigure(settings, preparer.topics())
        if self.logs is not None:
            self.logs.set_secrets(secret for _, secret in secrets_of(settings))
            self.logs.set_level(settings.log.level)
        self.telemetry.verbose = settings.log.level == "debug"
        self.preparer, self.settings = preparer, settings
        expose(settings, self.telemetry)


class Ending:
    """The one place that is asked to end. The first cause counts, unless a failure comes on top of an orderly stop."""

    def __init__(self) -> None:
        self.cause = ""
        self.exit_code = ExitCode.OK
        self._asked = asyncio.Event()
        self._hurried = asyncio.Event()

    @property
    def asked(self) -> bool:
        """Whether the end has begun."""
        return self._asked.is_set()

    @property
    def hurried(self) -> bool:
        """Whether nothing should be waited for any more."""
        return self._hurried.is_set()

    def ask(self, cause: str, exit_code: ExitCode = ExitCode.OK) -> None:
        """Begin the end. Asked again, it hastens: a second signal, or a stage that failed while others still drain."""
        if self.asked:
            self._hurried.set()
        if not self.asked or (exit_code is not ExitCode.OK and self.exit_code is ExitCode.OK):
            self.cause, self.exit_code = cause, exit_code
        self._asked.set()

    async def wait(self) -> None:
        """Return when the end has begun."""
        await self._asked.wait()

    async def pause(self, seconds: float) -> None:
        """Wait `seconds`, less when hurried."""
        if seconds <= 0 or self.hurried:
            return
        try:
            async with asyncio.timeout(seconds):
                await self._hurried.wait()
        except TimeoutError:
            return
