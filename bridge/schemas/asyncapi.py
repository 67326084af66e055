"""The topics and what is on them as an AsyncAPI 3 document, for the configuration that is given.

Without a configuration it describes the default topics of a source named `treble`.
"""

from dataclasses import replace
from typing import Any

from bridge.catalogue import TABLE, UNKNOWN, EventType
from bridge.model import TopicSpec
from bridge.schemas.event import (
    CONTENT_TYPES,
    QUARANTINE,
    headers_schema,
    payload_schema,
    quarantine_headers_schema,
    quarantine_schema,
    title,
)
from bridge.schemas.examples import JOURNAL_ID, Example, examples, quarantine_example
from bridge.settings.models import Settings
from bridge.transform.prepare import Destination, Preparer
from bridge.version import VERSION

ASYNCAPI_VERSION = "3.0.0"
BINDING_VERSION = "0.5.0"

DEFAULTS: dict[str, Any] = {
    "kafka": {"bootstrap_servers": ["localhost:9092"]},
    "sources": {"treble": {"auth": "none"}},
}

_KEYS = {
    "session": "the conversation's id",
    "contact": "the phone in E.164, else WhatsApp's id of the person (BSUID)",
    "phone": "the phone in E.164",
    "template": "the template's name",
    "event_id": "the event's id",
    "path": "what stands at the path in the body that the configuration names",
}
_DELIVERY = {
    "exactly_once": "Each event is on its topic exactly once for consumers that read with isolation level"
    " read_committed.",
    "at_least_once": "Each event is on its topic at least once: after a crash, some come again with the same id.",
}


def asyncapi(settings: Settings | None = None) -> dict[str, Any]:
    """The document. `settings` None describes the defaults, with the server as a variable."""
    given = settings or Settings.model_validate(DEFAULTS)
    preparer = Preparer(given, JOURNAL_ID)
    known = {**TABLE, **{name: _own_type(name) for name in given.events}}
    types = [known[name] for name, destination in preparer.destinations.items() if not destination.drop]
    messages = {event_type.name: _message(event_type, given, preparer) for event_type in types}
    schemas = {event_type.name: payload_schema(event_type, given.kafka.format) for event_type in types}
    on_topic: dict[str, list[str]] = {}
    for event_type in types:
        on_topic.setdefault(preparer.destinations[event_type.name].topic, []).append(event_type.name)
    on_topic[given.topics.quarantine] = [QUARANTINE]
    specs = preparer.topics()
    return {
        "asyncapi": ASYNCAPI_VERSION,
        "id": "urn:treble-bridge:asyncapi",
        "info": {
            "title": "treble-bridge",
            "version": VERSION,
            "description": f"Webhooks of Treble.ai as events on Kafka. {_DELIVERY[given.kafka.delivery]}"
            " In arrival order per key; the key's murmur2 hash is the partition. Repeated webhooks have the same id.",
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": CONTENT_TYPES[given.kafka.format],
        "servers": _servers(settings),
        "channels": {topic: _channel(topic, names, specs[topic]) for topic, names in on_topic.items()},
        "operations": {f"send.{topic}": _operation(topic, names) for topic, names in on_topic.items()},
        "components": {
            "messages": {**messages, QUARANTINE: _quarantined(preparer)},
            "schemas": {**schemas, QUARANTINE: quarantine_schema()},
        },
    }


def _own_type(name: str) -> EventType:
    """An event type of the configuration's own: its data is the body, of which nothing is known."""
    about = f"When a webhook is what the configuration calls {name}. Its data is the body as it was sent."
    return replace(TABLE[UNKNOWN], name=name, fires=about, fields=(), samples={})


def _servers(settings: Settings | None) -> dict[str, Any]:
    if settings is None:
        variable = {"default": "localhost:9092", "description": "One of Kafka's bootstrap servers, host:port."}
        return {"kafka": {"host": "{bootstrap}", "protocol": "kafka", "variables": {"bootstrap": variable}}}
    protocol = "kafka-secure" if settings.kafka.security.protocol.endswith("SSL") else "kafka"
    hosts = enumerate(settings.kafka.bootstrap_servers)
    return {f"kafka-{number}": {"host": host, "protocol": protocol} for number, host in hosts}


def _channel(topic: str, names: list[str], spec: TopicSpec) -> dict[str, Any]:
    binding: dict[str, Any] = {
        "topic": topic,
        "partitions": spec.partitions,
        "replicas": spec.replication_factor,
        "bindingVersion": BINDING_VERSION,
    }
    if spec.retention_ms is not None:
        binding["topicConfiguration"] = {"retention.ms": spec.retention_ms}
    return {
        "address": topic,
        "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in names},
        "bindings": {"kafka": binding},
    }


def _operation(topic: str, names: list[str]) -> dict[str, Any]:
    channel = f"#/channels/{topic}"
    return {
        "action": "send",
        "summary": f"The bridge writes {' and '.join(names)}.",
        "channel": {"$ref": channel},
        "messages": [{"$ref": f"{channel}/messages/{name}"} for name in names],
    }


def _message(event_type: EventType, settings: Settings, preparer: Preparer) -> dict[str, Any]:
    return {
        "name": title(event_type.name),
        "title": event_type.name,
        "summary": event_type.fires,
        "contentType": CONTENT_TYPES[settings.kafka.format],
        "headers": headers_schema(event_type, settings.kafka.format),
        **_keyed(event_type.name, key_meaning(preparer.destinations[event_type.name])),
        "examples": [_example(example) for example in examples(event_type, preparer)],
    }


def _quarantined(preparer: Preparer) -> dict[str, Any]:
    schema = quarantine_schema()
    return {
        "name": schema["title"],
        "title": QUARANTINE,
        "summary": schema["description"],
        "contentType": "application/json",
        "headers": quarantine_headers_schema(),
        **_keyed(QUARANTINE, "the event's id where it has one, else a hash of source and body"),
        "examples": [_example(quarantine_example(preparer))],
    }


def _keyed(name: str, about: str) -> dict[str, Any]:
    key = {"type": "string", "minLength": 1, "description": f"UTF-8, never empty: {about}."}
    return {
        "payload": {"$ref": f"#/components/schemas/{name}"},
        "bindings": {"kafka": {"key": key, "bindingVersion": BINDING_VERSION}},
    }


def key_meaning(destination: Destination) -> str:
    """What a record's key is, in words: the first that the event has."""
    kinds = destination.key_kinds[: destination.key_kinds.index("event_id") + 1]
    return ", else ".join(_KEYS[kind] for kind in kinds)


def _example(example: Example) -> dict[str, Any]:
    return {
        "name": example.variant,
        "summary": f"With the key {example.key}",
        "headers": example.headers,
        "payload": example.value,
    }
