"""What a valid configuration amounts to, as JSON: URLs to paste, kinds of credentials, topics. No secret is in it."""

from collections.abc import Iterator
from typing import Any

from bridge.catalogue import HINTS
from bridge.cli.topics import wanted_topics
from bridge.settings.changes import config_hash
from bridge.settings.models import Alternative, SecretValues, Settings, Source, each_value
from bridge.settings.units import format_duration, format_rate
from bridge.transform.prepare import Preparer, key_kind_name


def summary(settings: Settings, base_url: str) -> dict[str, Any]:
    """`base_url` is scheme and host as Treble reaches them, such as https://hooks.example.com."""
    return {
        "hash": config_hash(settings),
        "kafka": {
            "bootstrap_servers": list(settings.kafka.bootstrap_servers),
            "protocol": settings.kafka.security.protocol,
            "delivery": settings.kafka.delivery,
            "format": settings.kafka.format,
        },
        "journal": settings.journal.path,
        "sources": [_source(name, source, base_url.rstrip("/")) for name, source in settings.sources.items()],
        "event_types": _event_types(settings),
        "topics": _topics(settings),
    }


def _source(name: str, source: Source, base_url: str) -> dict[str, Any]:
    ways = () if source.auth == "none" else source.auth
    return {
        "name": name,
        "timezone": source.timezone,
        "credentials": [list(_conditions(way)) for way in ways],
        "rate_limit": source.rate_limit and f"{format_rate(source.rate_limit.rate)}, {source.rate_limit.burst} at once",
        "responses": sorted(source.responses),
        "urls": [
            {"hint": hint, "event_type": event_type, "url": url}
            for hint, event_type in [("", None), *HINTS.items()]
            for url in _urls(base_url + source.path_of(name), hint, ways)
        ],
    }


def _urls(base: str, hint: str, ways: tuple[Alternative, ...]) -> list[str]:
    """A URL for each way in which an alternative wants something in it; most want nothing."""
    found = []
    for way in ways or (None,):
        path = "/<path secret>" if way is not None and way.path_secret is not None else ""
        query = f"?{way.query.name}=<secret>" if way is not None and way.query is not None else ""
        found.append(f"{base}{path}{f'/{hint}' if hint else ''}{query}")
    return list(dict.fromkeys(found))


def _conditions(way: Alternative) -> Iterator[str]:
    """The conditions of an alternative in words; of secrets only how many values they have, and until when."""
    if way.bearer is not None:
        yield f"Authorization: Bearer <secret>{_generations(way.bearer)}"
    headers = way.header if isinstance(way.header, tuple) else () if way.header is None else (way.header,)
    for header in headers:
        yield f"{header.name}: <secret>{_generations(header.value)}"
    if way.basic is not None:
        yield f"basic authentication as {way.basic.username}{_generations(way.basic.password)}"
    if way.query is not None:
        yield f"?{way.query.name}=<secret> in the URL{_generations(way.query.value)}"
    if way.path_secret is not None:
        yield f"a secret in the URL's path{_generations(way.path_secret)}"
    if way.hmac is not None:
        signed = f" over {way.hmac.timestamp_header} and body" if way.hmac.timestamp_header else ""
        yield f"{way.hmac.header}: HMAC-{way.hmac.algorithm}{signed}{_generations(way.hmac.secret)}"
    if way.client_ip is not None:
        yield f"from {', '.join(map(str, way.client_ip))}"


def _generations(values: SecretValues) -> str:
    listed = each_value(values)
    ends = [f"value {number} until {value.not_after}" for number, value in enumerate(listed, 1) if value.not_after]
    if len(listed) == 1 and not ends:
        return ""
    return f" ({', '.join([f'{len(listed)} values' if len(listed) > 1 else 'one value', *ends])})"


def _event_types(settings: Settings) -> list[dict[str, Any]]:
    return [
        {"event_type": name, "topic": None, "key": None}
        if to.drop
        else {"event_type": name, "topic": to.topic, "key": key_kind_name(settings, name, to.key_kinds[0])}
        for name, to in Preparer(settings, "").destinations.items()
    ]


def _topics(settings: Settings) -> list[dict[str, Any]]:
    specs, uses = wanted_topics(settings)
    return [
        {
            "topic": spec.name,
            "receives": uses[spec.name],
            "partitions": spec.partitions,
            "replication_factor": spec.replication_factor,
            "retention": None if spec.retention_ms is None else format_duration(spec.retention_ms / 1000),
        }
        for spec in specs
    ]
