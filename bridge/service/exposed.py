"""What the metrics show of a configuration itself: until when its credentials and certificates are valid, and zeros.

A counter that first shows up with a 1 has not grown, as Prometheus sees it; what an alert waits for starts at 0.
"""

from bridge.certificates import certificate_end_s
from bridge.credentials import REASONS
from bridge.quarantine import REASONS as QUARANTINE_REASONS
from bridge.settings.expiries import credential_ends
from bridge.settings.models import Settings
from bridge.telemetry import Telemetry


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
