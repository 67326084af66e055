"""The stages of one running service, and what a new configuration changes in them."""

from collections.abc import Sequence
from dataclasses import dataclass

from bridge.errors import ConfigError
from bridge.forward import Forwarder
from bridge.ingress import Ingress
from bridge.journal import Journal
from bridge.kafka.security import client_options
from bridge.prepare import Preparer
from bridge.reload import Reloader
from bridge.service.exposed import expose
from bridge.service.topic_watch import TopicWatch
from bridge.settings.models import Settings
from bridge.settings.secrets import secrets_of
from bridge.telemetry import Telemetry
from bridge.telemetry.logs import Logs
from bridge.tracing.start import Tracing


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
