"""What can't be true together is refused, with the key that doesn't fit and what would."""

import pytest

from bridge.settings.models import Settings
from tests.unit.settings.given import KAFKA, SOURCES, error, errors, loaded

SASL = "protocol: SASL_SSL, mechanism: SCRAM-SHA-512, username: bridge, password: long-enough"

PROCESS = [
    ("server: {ack_deadline: 4501ms}", "server.ack_deadline: expected 4500ms at the most"),
    ('server: {listen: ":8081"}', "admin.listen: expected another port than server.listen"),
    ("server: {max_body: 3GiB}", "server.max_body: expected journal.max_bytes at the most"),
    ("journal: {max_bytes: 1GiB, retain_bytes: 2GiB}", "journal.retain_bytes: expected max_bytes at the most"),
]
KAFKAS = [
    ("call_timeout: 20s", "kafka.call_timeout: expected less than transaction_timeout"),
    ("request_timeout: 11s", "kafka.request_timeout: expected call_timeout at the most"),
    ("linger: 10s", "kafka.linger: expected less than call_timeout"),
    ("backoff: 11s", "kafka.backoff: expected backoff_max at the most"),
    ("positions_topic: a b", "kafka.positions_topic: expected a legal topic name"),
    ("positions_topic: treble.quarantine", "topics.quarantine: expected another topic than kafka.positions_topic"),
    (
        "positions_topic: treble.message.read",
        "topics.default: treble.message.read is reserved: expected another topic than kafka.positions_topic",
    ),
    ("security: {username: bridge}", "kafka.security.username: has no effect with protocol PLAINTEXT"),
    ("security: {password: long-enough}", "kafka.security.password: has no effect with protocol PLAINTEXT"),
    (
        "security: {protocol: SSL, mechanism: SCRAM-SHA-256}",
        "kafka.security.mechanism: has no effect with protocol SSL",
    ),
    ("security: {ca_file: /etc/hosts}", "kafka.security.ca_file: has no effect with protocol PLAINTEXT"),
    ("security: {verify_hostname: false}", "kafka.security.verify_hostname: has no effect with protocol PLAINTEXT"),
    (
        "security: {protocol: SASL_SSL, username: x}",
        "kafka.security.password: missing: protocol SASL_SSL with mechanism PLAIN needs it",
    ),
    ("security: {protocol: SASL_SSL, password: long-enough}", "kafka.security.username: missing"),
    (
        "security: {protocol: SASL_SSL, mechanism: OAUTHBEARER}",
        "kafka.security.mechanism: OAUTHBEARER needs either oauth_token_file or oauth_token",
    ),
    (
        "security: {protocol: SASL_SSL, mechanism: OAUTHBEARER, oauth_token: long-enough, username: x}",
        "kafka.security.username: has no effect with mechanism OAUTHBEARER",
    ),
    (
        f"security: {{{SASL}, oauth_token: long-enough}}",
        "kafka.security.oauth_token: has no effect with mechanism SCRAM-SHA-512",
    ),
    (
        "security: {protocol: SSL, certificate_file: /etc/hosts}",
        "kafka.security.certificate_file: expected key_file beside it",
    ),
    ("security: {protocol: SSL, key_file: /etc/hosts}", "kafka.security.key_file: expected certificate_file beside it"),
    (
        "security: {protocol: SSL, key_password: long-enough}",
        "kafka.security.key_password: expected key_file beside it",
    ),
]
TOPICS = [
    ("default: a b", "topics.default: expected a legal topic name"),
    ("map: {message.read: __consumer_offsets}", "topics.map.message.read: expected a legal topic name"),
    ("quarantine: __transaction_state", "topics.quarantine: expected a legal topic name"),
    ("quarantine: __consumer.offsets", "topics.quarantine: __consumer.offsets and __consumer_offsets differ only by"),
    ("default: '{type}'", "topics.default: expected a legal topic name"),
    ("quarantine: '..'", "topics.quarantine: expected a legal topic name"),
    (
        "map: {message.read: treble.quarantine}",
        "topics.map.message.read: treble.quarantine is reserved: expected another topic than topics.quarantine",
    ),
    ("map: {message.read: treble.bridge.positions}", "topics.map.message.read: treble.bridge.positions is reserved"),
    ("default: treble.quarantine", "topics.default: treble.quarantine is reserved"),
    (
        "map: {message.read: a.b, message.delivered: a_b}",
        "topics.map.message.delivered: a_b and a.b differ only by . and _",
    ),
    ("map: {message.read: {drop: true, topic: x}}", "topics.map.message.read.topic: has no effect beside drop: true"),
    (
        "map: {message.read: {topic: x, partitions: 2}, message.delivered: {topic: x, partitions: 3}}",
        "topics.map.message.delivered.partitions: differs from that of message.read, which has the same topic",
    ),
]
SOURCE = [
    (
        "auth: [{basic: {username: 'a:b', password: long-enough}}]",
        "auth[0].basic.username: expected a name without a colon",
    ),
    (
        "auth: [{hmac: {header: X, secret: long-enough, tolerance: 1m}}]",
        "auth[0].hmac.tolerance: has no effect without timestamp_header",
    ),
    (
        "auth: [{hmac: {header: X, secret: long-enough, timestamp_header: x}}]",
        "auth[0].hmac.timestamp_header: expected another header",
    ),
    (
        "auth: [{bearer: long-enough, basic: {username: a, password: long-enough}}]",
        "auth[0]: bearer, basic and the header Authorization are one header",
    ),
    (
        "auth: [{bearer: long-enough, header: {name: authorization, value: long-enough}}]",
        "auth[0]: bearer, basic and the header Authorization are one header",
    ),
    (
        "auth: [{header: [{name: X-A, value: long-enough}, {name: x-a, value: longer-enough}]}]",
        "auth[0].header: the same header twice",
    ),
    ('auth: [{bearer: "line\\nbreak"}]', "auth[0].bearer: holds a line break or control character"),
    (
        'auth: [{header: {name: X, value: [long-enough, {value: "long-enough\\n"}]}}]',
        "auth[0].header.value[1].value: holds a line break or control character",
    ),
    ('auth: [{header: {name: X, value: " long-enough"}}]', "auth[0].header.value: begins or ends with a space"),
    (
        "auth: [{bearer: long-enough, hmac: {header: authorization, secret: long-enough}}]",
        "auth[0].hmac.header: authorization carries another credential already",
    ),
    (
        "auth: [{basic: {username: a, password: long-enough}, hmac: {header: Authorization, secret: long-enough}}]",
        "auth[0].hmac.header: Authorization carries another credential already",
    ),
    (
        "auth: [{header: {name: X-S, value: long-enough}, hmac: {header: x-s, secret: long-enough}}]",
        "auth[0].hmac.header: x-s carries another credential already",
    ),
    (
        "auth: [{header: {name: T, value: long-enough}, hmac: {header: X, secret: long-enough, timestamp_header: T}}]",
        "auth[0].hmac.timestamp_header: T carries another credential already",
    ),
    (
        'auth: [{hmac: {header: X, secret: long-enough, prefix: " a="}}]',
        "auth[0].hmac.prefix: expected printable ASCII",
    ),
    ("auth: [{hmac: {header: X, secret: long-enough, prefix: é=}}]", "auth[0].hmac.prefix: expected printable ASCII"),
    ('auth: [{hmac: {header: X, secret: long-enough, prefix: "a\\n"}}]', "auth[0].hmac.prefix: expected printable"),
    ("auth: [{path_secret: long/enough}]", "auth[0].path_secret: expected only"),
    (
        "auth: none, responses: {message.read: {user_session_keys: {a: b}}}",
        "responses.message.read.user_session_keys: expected a list of {key: …, value: …}",
    ),
]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        *((f"{KAFKA}{SOURCES}{text}\n", message) for text, message in PROCESS),
        *((f"{SOURCES}kafka:\n  bootstrap_servers: [a:1]\n  {text}\n", message) for text, message in KAFKAS),
        *((f"{KAFKA}{SOURCES}topics:\n  {text}\n", message) for text, message in TOPICS),
        *((f"{KAFKA}sources:\n  t: {{{text}}}\n", f"sources.t.{message}") for text, message in SOURCE),
    ],
)
def test_a_contradiction_is_refused(text: str, message: str) -> None:
    assert error(text).partition(": ")[2].startswith(message)


PATHS = [
    ("none", "/hooks", "/hooks", True),
    ("none", "/hooks", "/hooks/read", True),
    ("none", "/hooks/read", "/hooks", True),
    ("none", "/hooks", "/hooks/a/b", False),
    ("none", "/hooks/a", "/hooks/b", False),
    ("none", "/hooks", "/hooksx", False),
    ("none", None, "/webhooks/a", True),
    ("none", None, "/webhooks/a/read", True),
    ("[{path_secret: long-enough}]", "/hooks", "/hooks/a/b", True),
    ("[{path_secret: long-enough}]", "/hooks", "/hooks/a/b/c", False),
    ("[{path_secret: long-enough}]", "/hooks/a/b", "/hooks", False),
]


@pytest.mark.parametrize(("auth", "first", "second", "overlap"), PATHS)
def test_sources_that_one_request_could_mean_both_are_refused(
    auth: str, first: str | None, second: str, overlap: bool
) -> None:
    path = "" if first is None else f", path: {first}"
    text = f"{KAFKA}sources:\n  a: {{auth: {auth}{path}}}\n  b: {{auth: none, path: {second}}}\n"
    if overlap:
        assert error(text).startswith("4: sources.b.path: overlaps with source a: below ")
    else:
        assert list(loaded(text).settings.sources) == ["a", "b"]


def test_what_only_looks_like_a_contradiction_is_taken() -> None:
    text = (
        f"{KAFKA}{SOURCES}server: {{ack_deadline: 4500ms, listen: ':0'}}\nadmin: {{listen: ':0'}}\n"
        "journal: {max_bytes: 1MiB}\n"  # below the default of retain_bytes, which yields
        "topics: {default: everything, map: {message.read: {topic: x, partitions: 2}, message.delivered: x}}\n"
    )
    settings = loaded(text).settings
    assert settings.topics.topic_of("unknown") == "everything"
    assert settings.topics.topic_of("message.delivered") == "x"


def test_a_source_without_credentials_cannot_even_be_built() -> None:
    nothing: list[object] = [[], [{}], [{"bearer": []}], [{"header": []}], [{"client_ip": []}], None, {}, ""]
    for auth in nothing:
        with pytest.raises(ValueError, match="auth"):
            Settings.model_validate({"kafka": {"bootstrap_servers": ["a:1"]}, "sources": {"t": {"auth": auth}}})


def test_a_network_of_ipv4_inside_ipv6_is_the_ipv4_network() -> None:
    text = f"{KAFKA}server: {{trusted_proxies: ['::ffff:10.0.0.0/104', '2001:db8::/32', '::/0']}}\n"
    found = loaded(text + "sources: {t: {auth: [{client_ip: '::ffff:192.0.2.0/120, ::ffff:192.0.2.7'}]}}\n").settings
    assert [str(each) for each in found.server.trusted_proxies] == ["10.0.0.0/8", "2001:db8::/32", "::/0"]
    auth = found.sources["t"].auth
    assert auth != "none"
    assert [str(each) for each in auth[0].client_ip or ()] == ["192.0.2.0/24", "192.0.2.7/32"]


def test_a_topic_is_measured_with_its_event_type() -> None:
    def lengths(prefix: int) -> list[str]:
        return errors(f"{KAFKA}{SOURCES}topics: {{default: '{'x' * prefix}{{event_type}}'}}\n")

    loaded(f"{KAFKA}{SOURCES}topics: {{default: '{'x' * 230}{{event_type}}'}}\n")
    (found,) = lengths(231)
    assert found.startswith(
        f"3: topics.default: {'x' * 231}conversation.closed (250 characters) is none: expected a legal"
    )
    assert len(lengths(245)) == 5
    own = f"topics: {{default: '{'x' * 230}{{event_type}}'}}\nevents: {{{'y' * 20}: {{when: {{a: b}}}}}}\n"
    assert "(250 characters)" in error(KAFKA + SOURCES + own)
