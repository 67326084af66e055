"""What a configuration may say, but probably shouldn't: warnings. Pure; no message holds a secret."""

import datetime as dt
import re
from collections.abc import Iterator
from typing import Final

from bridge.settings.kafka import Kafka
from bridge.settings.models import Settings
from bridge.settings.section import Loc, Network
from bridge.settings.sources import SecretValues, Source, each_value, secrets_of

SECRET_CHARS_MIN = 8
_BROKER_TRANSACTION_MAX_S = 900.0
_UNFILLED: Final = (
    (re.compile(r"\$[A-Za-z_][A-Za-z0-9_]*"), "a name after $, word for word: a variable is written ${NAME}"),
    (re.compile(r"<[^<>]*>"), "text in < >, word for word: put the value in its place"),
    (re.compile(r".*\{\{.*\}\}.*", re.DOTALL), "holds {{ }}, word for word: nothing has filled that in"),
    (re.compile(r"file:/.*"), "a path after file:, word for word: a file's content is written ${file:/path}"),
)
"""What a secret looks like that was meant to be something else."""

Warnings = Iterator[tuple[Loc, str]]


def lint(settings: Settings, now: dt.datetime) -> Warnings:
    """Key paths and warnings. `now` is what `not_after` is held against."""
    for at, secret in secrets_of(settings):
        yield from ((at, what) for written, what in _UNFILLED if written.fullmatch(secret.strip()))
        if at[0] == "sources" and "bearer" in at[4:] and secret[:7].lower() == "bearer ":
            yield at, "begins with Bearer, which requests have in front of it by themselves: name the rest alone"
        if len(secret) < SECRET_CHARS_MIN and at[0] != "tracing":  # what a collector asks for may be a tenant's number
            yield at, f"shorter than {SECRET_CHARS_MIN} characters: easy to guess"
    yield from _everyone(("server", "trusted_proxies"), settings.server.trusted_proxies, "X-Forwarded-For of everyone")
    for name, source in settings.sources.items():
        yield from _source(("sources", name), source, now)
    yield from _kafka(settings.kafka)
    yield from _privacy(settings)


def _privacy(settings: Settings) -> Warnings:
    hiding = any(not rules.keeps_raw or rules.hides for rules in settings.privacy.topics.values())
    if hiding and settings.privacy.of(settings.topics.quarantine) is None:
        instead = "name it here with raw: drop, or with raw: keep"
        yield ("privacy", "topics"), f"{settings.topics.quarantine} still gets whole bodies: {instead}"
    for topic, rules in settings.privacy.topics.items() if settings.privacy.hash_key is None else ():
        if rules.fields and not rules.keeps_raw:
            guessed = "what an id is made of can be found by trying, unless it is hashed with a privacy.hash_key"
            yield ("privacy", "topics", topic, "fields"), guessed


def _source(at: Loc, source: Source, now: dt.datetime) -> Warnings:
    if source.auth == "none":
        yield (*at, "auth"), "none: everyone who knows the URL may post"
    for index, alternative in enumerate(source.alternatives):
        here = (*at, "auth", index)
        yield from _everyone((*here, "client_ip"), alternative.client_ip or (), "every address")
        for place, values in alternative.secrets():
            yield from _rotation((*here, *place), values, now)
    for event_type, body in source.responses.items():
        for index, pair in enumerate(body.get("user_session_keys", [])):
            if not isinstance(pair["value"], str):
                key: Loc = ("responses", event_type, "user_session_keys", index, "value")
                yield (*at, *key), "not text: Treble's values are text; write it in quotes"


def _rotation(at: Loc, values: SecretValues, now: dt.datetime) -> Warnings:
    """Values that no longer count, and values that are listed twice, so that one `not_after` says nothing."""
    listed = each_value(values)
    expired = [value for value in listed if (end := value.expires()) is not None and end <= now]
    if len(expired) == len(listed):
        yield at, "not_after is over for every value: nobody can pass"
    for index, value in enumerate(listed):
        place = (*at, index) if isinstance(values, tuple) else at
        if value in expired and len(expired) < len(listed):
            yield (*place, "not_after"), "is over: the value is refused, and can be removed"
        if value.value in [earlier.value for earlier in listed[:index]]:
            yield place, "the same value is listed twice"


def _everyone(at: Loc, networks: tuple[Network, ...], what: str) -> Warnings:
    for index, network in enumerate(networks):
        if network.prefixlen == 0:
            yield (*at, index), f"takes {what}"


def _kafka(kafka: Kafka) -> Warnings:
    security: Loc = ("kafka", "security")
    if kafka.security.protocol == "SASL_PLAINTEXT":
        yield (*security, "protocol"), "SASL_PLAINTEXT: credentials and events cross the network unencrypted"
    if not kafka.security.verify_hostname:
        yield (*security, "verify_hostname"), "false: another host with a certificate of the same CA is believed"
    if kafka.transaction_timeout > _BROKER_TRANSACTION_MAX_S:
        above = "above 15m, which brokers refuse unless transaction.max.timeout.ms is raised"
        yield ("kafka", "transaction_timeout"), above
