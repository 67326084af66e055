"""A short digest that says whether two processes run the same configuration."""

import hashlib
import json

from bridge.settings.models import Settings
from bridge.settings.secrets import secrets_of

_ROUNDS = 20_000  # some milliseconds once a load: a weak secret must not be guessed from what /status shows


def config_hash(settings: Settings) -> str:
    """16 hex digits over the effective configuration, defaults included.

    Equal settings have equal digests in every process. A changed secret changes it, and only through a slow key
    derivation over all secrets together, salted with the rest of the configuration.
    """
    shown = json.dumps(settings.model_dump(mode="json"), sort_keys=True, default=str).encode()
    salt = hashlib.sha256(shown).digest()
    hidden = json.dumps(sorted([str(at), secret] for at, secret in secrets_of(settings))).encode()
    return hashlib.pbkdf2_hmac("sha256", hidden, salt, _ROUNDS).hex()[:16]
