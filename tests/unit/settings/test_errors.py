"""One look at an error is enough to mend the file: line, key path, what was wrong, what was expected."""

import sys
import tomllib
import zoneinfo
from collections.abc import Iterator
from pathlib import Path

import pytest

from bridge.errors import ConfigError, ExitCode
from bridge.settings.load import load
from bridge.settings.problems import InvalidSettingsError
from tests.unit.settings.given import EVENT_TYPES, KAFKA, SOURCES, error, errors, loaded

AUTH = "[{bearer: long-enough-token}]"
NOBODY = (
    'an alternative is missing: say who may post, such as `auth: [{bearer: "${TREBLE_TOKEN}"}]`, '
    "or `auth: none` for everyone"
)

SHAPES = [
    ("server: {max_boddy: 1MiB}", "server.max_boddy: unknown key; did you mean max_body?"),
    ("window: 3h", "window: unknown key here; duplicates.window is one: indent it below duplicates"),
    ("server: {max_boddy: }", "server.max_boddy: unknown key; did you mean max_body?"),
    (
        "foo: 1",
        (
            "foo: unknown key; expected server, admin, journal, kafka, sources, topics, events, duplicates, privacy, "
            "log or tracing"
        ),
    ),
    (
        "server: {max_body: 5MB/s}",
        'server.max_body: expected a size, such as 64KiB, 1MiB, 2GiB or a number of bytes, found "5MB/s"',
    ),
    ("server: {max_body: 0}", 'server.max_body: expected more than 0, found "0"'),
    (
        "server: {body_timeout: 10}",
        'server.body_timeout: expected a duration with its unit, such as 250ms, 3s, 5m, 24h or 30d, found "10"',
    ),
    ("server: {max_connections: many}", 'server.max_connections: expected a whole number, found "many"'),
    ("server: {max_connections: 0}", 'server.max_connections: expected 1 or more, found "0"'),
    ("server: {max_connections: [1]}", "server.max_connections: expected a whole number, found a list"),
    (
        "server: {listen: 8080}",
        'server.listen: expected host:port, such as 0.0.0.0:8080, or :8080 for IPv4 and IPv6, found "8080"',
    ),
    ("server: here", 'server: expected a mapping (lines of `key: value`), found "here"'),
    (
        "server: {trusted_proxies: [10.0.0.1/8]}",
        (
            "server.trusted_proxies[0]: expected a network such as 10.0.0.0/8, or an address (host bits are set), "
            'found "10.0.0.1/8"'
        ),
    ),
    ("server: {tls: {certificate: /x}}", "server.tls.key: missing: PEM file with the private key"),
    ("topics: {create: sometimes}", 'topics.create: expected missing, verify or off, found "sometimes"'),
    (
        "topics: {map: {message.read: [a]}}",
        "topics.map.message.read: expected a mapping (lines of `key: value`), found a list",
    ),
    (
        "topics: {map: {message.read: a b}}",
        (
            "topics.map.message.read: expected a legal topic name: 1 to 249 of the characters A-Z a-z 0-9 . _ -, "
            'and none of Kafka\'s own topics, found "a b"'
        ),
    ),
    (
        "topics: {map: {message.read: {drop: maybe}}}",
        'topics.map.message.read.drop: expected true or false, found "maybe"',
    ),
    (
        "topics: {map: {message.reed: x}}",
        (
            "topics.map.message.reed: unknown event type; did you mean message.read? "
            "known are conversation.closed, message.delivered, message.read, message.timed_out, unknown"
        ),
    ),
    (
        'log: {level: "a\\u0007b"}',
        (
            "log.level: expected debug, info, warning or error, found something else; "
            "it holds U+0007 (control character)"
        ),
    ),
]


@pytest.mark.parametrize(("text", "message"), SHAPES)
def test_an_error_says_what_was_expected_and_what_was_found(text: str, message: str) -> None:
    assert error(f"{KAFKA}{SOURCES}{text}\n") == f"3: {message}"


CREDENTIALS = [
    ("{}", f"t.auth: {NOBODY}"),
    ("{auth: }", f"t.auth: {NOBODY}"),
    ("{auth: []}", "t.auth: must not be empty"),
    ("{auth: None}", "t.auth: expected a list of credentials, or none where everyone may post"),
    ("{auth: s3cret-token}", "t.auth: expected a list of credentials, or none where everyone may post"),
    ("{auth: {bearer: s3cret-token}}", "t.auth: expected a list (each line begins with `- `), found a mapping"),
    ("{auth: [s3cret-token]}", "t.auth[0]: expected a mapping (lines of `key: value`), found text"),
    (
        "{auth: [{}]}",
        "t.auth[0]: no condition: expected at least one of bearer, header, basic, query, path_secret, hmac, client_ip",
    ),
    ("{auth: [{baerer: s3cret-token}]}", "t.auth[0].baerer: unknown key; did you mean bearer?"),
    (
        "{auth: [{s3cret-token}]}",
        "t.auth[0]: unknown key; expected bearer, header, basic, query, path_secret, hmac or client_ip",
    ),
    ("{auth: [{bearer: ''}]}", "t.auth[0].bearer: must not be empty"),
    ("{auth: [{bearer: []}]}", "t.auth[0].bearer: must not be empty"),
    ("{auth: [{bearer: [[s3cret-token]]}]}", "t.auth[0].bearer[0]: expected text, or a mapping, found a list"),
    ("{auth: [{bearer: {value: [s3cret-token]}}]}", "t.auth[0].bearer.value: expected text, found a list"),
    (
        "{auth: [{bearer: [s3cret-token, {value: x-long-value, not_after: s3cret}]}]}",
        "t.auth[0].bearer[1].not_after: expected a date such as 2026-12-31, or a moment such as 2026-12-31T18:00:00Z",
    ),
    (
        "{auth: [{bearer: {value: x-long-value, not_after: 1700000000}}]}",
        "t.auth[0].bearer.not_after: expected a date such as 2026-12-31, or a moment such as 2026-12-31T18:00:00Z",
    ),
    (
        "{auth: [{header: 'X-API-Key: s3cret'}]}",
        "t.auth[0].header: expected a mapping (lines of `key: value`), found text",
    ),
    (
        "{auth: [{header: {name: 'X API', value: s3cret-token}}]}",
        "t.auth[0].header.name: expected a header's name, such as X-API-Key",
    ),
    (
        "{auth: [{hmac: {header: X, secret: s3cret-token, algorithm: md5}}]}",
        "t.auth[0].hmac.algorithm: expected sha256, sha512 or sha1",
    ),
    (
        "{auth: [{client_ip: [10.0.0.300]}]}",
        "t.auth[0].client_ip[0]: expected a network such as 10.0.0.0/8, or an address",
    ),
    ("{auth: [{client_ip: []}]}", "t.auth[0].client_ip: must not be empty"),
    (
        f"{{auth: {AUTH}, timezone: America/Bogta}}",
        (
            "t.timezone: unknown time zone: expected an IANA name such as America/Bogota; "
            'did you mean America/Bogota?, found "America/Bogta"'
        ),
    ),
    (
        f"{{auth: {AUTH}, timezone: ../../etc/passwd}}",
        't.timezone: unknown time zone: expected an IANA name such as America/Bogota, found "../../etc/passwd"',
    ),
    (
        f"{{auth: {AUTH}, path: hooks}}",
        't.path: expected a URL path such as /hooks/treble: starts with /, no / at its end, no query, found "hooks"',
    ),
    (
        f"{{auth: {AUTH}, rate_limit: {{rate: 5}}}}",
        't.rate_limit.rate: expected a rate above zero, such as 100/s, 600/m or 1000/h, found "5"',
    ),
    (
        f"{{auth: {AUTH}, responses: {{message.read: 5}}}}",
        't.responses.message.read: expected a mapping (lines of `key: value`), found "5"',
    ),
]


@pytest.mark.parametrize(("source", "message"), CREDENTIALS)
def test_an_error_amid_credentials_shows_nothing_that_was_written_there(source: str, message: str) -> None:
    found = error(f"{KAFKA}sources: {{t: {source}}}\n")
    assert found == f"2: sources.{message}"
    assert "s3cret" not in found


@pytest.mark.parametrize(
    "path", ["/", "//a", "/a/", "/a//b", "/a/../b", "/a/.", "a", "/a?b=c", "/a b", "/ä", "/a#b", "/a\\n"]
)
def test_a_path_that_is_no_url_path_is_refused(path: str) -> None:
    assert "expected a URL path" in error(f'{KAFKA}sources: {{t: {{auth: none, path: "{path}"}}}}\n')


@pytest.mark.parametrize("name", ["a b", "-a", "ä", "a/b", "x" * 65])
def test_a_name_that_no_url_can_hold_is_refused_for_a_source(name: str) -> None:
    assert "expected a source's name" in error(f'{KAFKA}sources: {{"{name}": {{auth: none}}}}\n')


def test_all_errors_come_at_once_and_in_the_order_of_the_file() -> None:
    text = (
        "server: {max_body: big}\nkafka:\n  call_timeout: 60s\n  bootstrap_servers: ['${HOSTS}']\n"
        "sources:\n  a: {auth: [{bearer: ['${TOKEN}']}], responses: {message.raed: {}}}\n  a: {auth: none}\n"
        "topics: {map: {message.dilivered: x}}\nlgo: {}\n"
    )
    found = errors(text)
    assert [line.split(": ")[:2] for line in found] == [
        ["1", "server.max_body"],
        ["4", "kafka.bootstrap_servers[0]"],
        ["6", "sources.a.auth[0].bearer[0]"],
        ["6", "sources.a.responses.message.raed"],
        ["7", "sources.a"],
        ["8", "topics.map.message.dilivered"],
        ["9", "lgo"],
    ]
    assert found[1].endswith("the environment variable HOSTS is not set")


def test_the_message_names_the_file_and_counts_the_errors(tmp_path: Path) -> None:
    path = tmp_path / "bridge.yaml"
    path.write_text(f"{KAFKA}sources:\n  t: {{auth: nobody}}\nlog: {{level: loud}}\n", encoding="utf-8")
    with pytest.raises(InvalidSettingsError) as caught:
        load(path, EVENT_TYPES)
    assert caught.value.exit_code is ExitCode.USAGE
    assert str(caught.value).splitlines() == [
        f"{path}: 2 errors",
        f"  {path}:3: sources.t.auth: expected a list of credentials, or none where everyone may post",
        f'  {path}:4: log.level: expected debug, info, warning or error, found "loud"',
    ]


def test_a_file_that_is_not_there_is_an_error_with_its_reason(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"configuration .*/none\.yaml cannot be read: No such file"):
        load(tmp_path / "none.yaml", EVENT_TYPES)
    with pytest.raises(ConfigError, match="is not a regular file"):
        load(tmp_path, EVENT_TYPES)


def test_certificates_that_cannot_be_read_are_errors(tmp_path: Path) -> None:
    (tmp_path / "crt").touch()
    tls = f"server: {{tls: {{certificate: {tmp_path}/crt, key: {tmp_path}/key}}}}\n"
    assert (
        error(KAFKA + SOURCES + tls) == f"3: server.tls.key: {tmp_path}/key cannot be read: No such file or directory"
    )
    (tmp_path / "key").touch()
    assert loaded(KAFKA + SOURCES + tls).files == (f"{tmp_path}/crt", f"{tmp_path}/key")


@pytest.fixture
def no_time_zones(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A machine without a time zone database, neither the system's nor the package's."""
    before = zoneinfo.TZPATH
    for name in ("tzdata", *(name for name in sys.modules if name.startswith("tzdata."))):
        monkeypatch.setitem(sys.modules, name, None)
    zoneinfo.reset_tzpath([])
    zoneinfo.ZoneInfo.clear_cache()
    yield
    zoneinfo.reset_tzpath(before)


@pytest.mark.usefixtures("no_time_zones")
def test_a_machine_without_a_time_zone_database_is_told_so_and_not_that_the_name_is_wrong() -> None:
    assert error(f"{KAFKA}sources: {{t: {{auth: {AUTH}, timezone: America/Bogota}}}}") == (
        "2: sources.t.timezone: this machine has no time zone database: install the package tzdata, found "
        '"America/Bogota"'
    )


def test_the_time_zone_database_is_among_what_is_installed_with_the_program() -> None:
    root = Path(__file__).parents[3]
    needed = tomllib.loads((root / "pyproject.toml").read_text())["project"]["dependencies"]
    assert any(one.startswith("tzdata") for one in needed)
    for file in ("runtime", "demo", "otel", "dev"):
        assert "\ntzdata==" in (root / "requirements" / f"{file}.txt").read_text(), file
