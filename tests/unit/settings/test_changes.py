"""A new configuration is compared by effective values; what a running bridge can't take stays as it runs."""

import pytest

from bridge.errors import ConfigError
from bridge.settings.changes import Changes, changes, is_reloadable, merged
from bridge.settings.reference import options
from tests.unit.settings.given import EVENT_TYPES, KAFKA, SOURCES, loaded

BASE = f"{KAFKA}{SOURCES}"
SECURED = KAFKA.replace("}", ", security: {protocol: SASL_SSL, username: u, password: p}}")
SOURCE = "sources: {treble: {auth: [{bearer: "


@pytest.mark.parametrize(
    ("text", "reloadable", "restart"),
    [
        (BASE, [], []),
        (f"{BASE}# a remark\nlog: {{level: info}}\n", [], []),
        (f"{BASE}log: {{level: debug, format: json}}\n", ["log.level"], ["log.format"]),
        (f"{BASE}server: {{max_body: 2MiB, listen: ':80'}}\n", ["server.max_body"], ["server.listen"]),
        (f"{BASE}journal: {{retain: 1h}}\n", [], ["journal.retain"]),
        (f"{BASE}topics: {{map: {{message.read: x}}}}\n", ["topics.map.message.read"], []),
        (f"{BASE}duplicates: {{window: 1h}}\n", ["duplicates.window"], []),
        (
            f"{BASE}duplicates: {{semantic_window: {{message.read: 9s}}}}\n",
            ["duplicates.semantic_window.message.read"],
            [],
        ),
        (f"{BASE}events: {{mine: {{when: {{a: b}}}}}}\n", ["events.mine"], []),
        (f'{BASE}privacy: {{topics: {{"*": {{raw: drop}}}}}}\n', ["privacy.topics.*"], []),
        (f"{KAFKA}{SOURCE}another-long-token}}]}}}}\n", ["sources.treble.auth[0].bearer"], []),
        (f"{KAFKA}{SOURCE}long-enough-token}}]}}, b: {{auth: none}}}}\n", ["sources.b"], []),
        (f"{KAFKA}sources: {{b: {{auth: none}}}}\n", ["sources.treble", "sources.b"], []),
        (f"{KAFKA}{SOURCE}long-enough-token}}, {{client_ip: 10.0.0.1}}]}}}}\n", ["sources.treble.auth"], []),
        (
            f"{SOURCES}kafka: {{bootstrap_servers: [b:1], format: plain}}\n",
            ["kafka.bootstrap_servers[0]"],
            ["kafka.format"],
        ),
        (
            f"{SOURCES}{SECURED}",
            ["kafka.security.protocol", "kafka.security.username", "kafka.security.password"],
            [],
        ),
    ],
)
def test_changes_are_named_by_key_path(text: str, reloadable: list[str], restart: list[str]) -> None:
    found = changes(loaded(BASE).settings, loaded(text).settings)
    assert found == Changes(tuple(reloadable), tuple(restart))
    assert bool(found) == bool(reloadable or restart)


@pytest.mark.parametrize(
    "path", ["server.listen", "server.tls.key", "admin.listen", "journal.path", "kafka.delivery", "log.format"]
)
def test_what_is_built_once_needs_a_restart(path: str) -> None:
    assert path in {option.path for option in options()}
    assert not is_reloadable(tuple(path.split(".")))


def test_what_needs_a_restart_stays_as_it_runs() -> None:
    running = loaded(BASE).settings
    new = loaded(
        f"{SOURCES}kafka: {{bootstrap_servers: [b:1], delivery: at_least_once}}\n"
        "server: {listen: ':80', ack_deadline: 2s}\n"
        "log: {level: debug, format: json}\ntopics: {map: {message.read: x}}\n"
    ).settings
    result = merged(running, new, EVENT_TYPES)
    assert changes(running, result).restart == ()
    assert changes(result, new).reloadable == ()
    assert (result.server.ack_deadline, result.log.level, result.topics) == (2.0, "debug", new.topics)
    assert (result.kafka.bootstrap_servers, result.kafka.delivery) == (("b:1",), "exactly_once")


def test_a_change_that_only_fits_after_the_restart_is_refused_as_a_whole() -> None:
    running = loaded(f"{SOURCES}kafka: {{bootstrap_servers: [a:1], positions_topic: old}}\n").settings
    new = loaded(f"{BASE}topics: {{map: {{message.read: old}}}}\n").settings
    with pytest.raises(
        ConfigError, match=r"not possible without a restart: topics\.map\.message\.read: old is reserved"
    ):
        merged(running, new, EVENT_TYPES)
    small = loaded(f"{BASE}journal: {{max_bytes: 1MiB}}\n").settings
    large = loaded(f"{BASE}server: {{max_body: 2MiB}}\n").settings
    with pytest.raises(ConfigError, match=r"not possible without a restart: server\.max_body: expected"):
        merged(small, large, EVENT_TYPES)
