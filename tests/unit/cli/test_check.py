"""`treble-bridge check`: an error to mend, or what the configuration amounts to; never a secret."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from bridge.catalogue import HINTS, TABLE
from bridge.cli import cli
from tests.kafka_broker.certificates import Authority
from tests.unit.settings.test_errors import NOBODY
from tests.unit.settings.test_secrecy import CANARY, EVERYWHERE, OAUTH

SMALL = "kafka: {bootstrap_servers: ['127.0.0.1:1'], call_timeout: 300ms, request_timeout: 200ms}\n"
SOURCE = "sources:\n  treble:\n    auth: [{bearer: long-enough-token}]\n"


def everywhere(folder: Path) -> str:
    """Every kind of secret, with a certificate and a key that can be used."""
    certificate, key = Authority(folder, "ca").issue("client", password=f"{CANARY}-key")
    text = EVERYWHERE.replace("certificate_file: /etc/hosts", f"certificate_file: {certificate}")
    return text.replace("key_file: /etc/hosts", f"key_file: {key}")


def check(folder: Path, text: str, *arguments: str) -> Result:
    (folder / "bridge.yaml").write_text(text, encoding="utf-8")
    return CliRunner().invoke(cli, ["check", str(folder / "bridge.yaml"), *arguments])


def test_a_valid_configuration_shows_urls_to_paste_and_the_topic_of_each_event_type(tmp_path: Path) -> None:
    result = check(tmp_path, SMALL + SOURCE, "--url", "https://hooks.example.com/")
    assert result.exit_code == 0, result.output
    for hint in HINTS:
        assert f"https://hooks.example.com/webhooks/treble/{hint} " in result.output
    for event_type in TABLE:
        assert f"treble.{event_type} " in result.output
    assert "bridge.yaml is fine: 0 errors, 0 warnings, config hash " in result.output


def test_every_error_is_shown_with_its_line_and_nothing_else(tmp_path: Path) -> None:
    result = check(tmp_path, f"{SMALL}sources: {{treble: {{}}}}\nlog: {{level: loud}}\n")
    assert result.exit_code == 2
    path = tmp_path / "bridge.yaml"
    assert result.output.splitlines() == [
        f"error: {path}:2: sources.treble.auth: {NOBODY}",
        f'error: {path}:3: log.level: expected debug, info, warning or error, found "loud"',
        f"{path} can't be used: 2 errors, 0 warnings",
    ]


def test_a_warning_is_shown_and_is_no_error(tmp_path: Path) -> None:
    result = check(tmp_path, f"{SMALL}sources: {{treble: {{auth: none}}}}\n")
    assert result.exit_code == 0
    assert "warning: " in result.output
    assert "none, everyone may post" in result.output


def test_a_file_that_is_not_there_is_exit_code_2(tmp_path: Path) -> None:
    result = CliRunner().invoke(cli, ["check", str(tmp_path / "none.yaml")])
    assert result.exit_code == 2
    assert "No such file" in result.output
    assert CliRunner().invoke(cli, ["check"]).exit_code == 2


def test_the_file_may_be_named_as_for_the_other_commands(tmp_path: Path) -> None:
    (tmp_path / "bridge.yaml").write_text(SMALL + SOURCE, encoding="utf-8")
    assert CliRunner().invoke(cli, ["check", "--config", str(tmp_path / "bridge.yaml")]).exit_code == 0
    variable = {"TREBLE_BRIDGE_CONFIG": str(tmp_path / "bridge.yaml")}
    assert CliRunner().invoke(cli, ["check"], env=variable).exit_code == 0


def test_json_says_the_same_to_programs(tmp_path: Path) -> None:
    good = json.loads(check(tmp_path, SMALL + SOURCE, "--json").output)
    assert (good["ok"], good["problems"]) == (True, [])
    assert {row["event_type"] for row in good["configuration"]["event_types"]} == set(TABLE)
    assert "treble.bridge.positions" in [row["topic"] for row in good["configuration"]["topics"]]
    bad = json.loads(check(tmp_path, f"{SMALL}sources: {{t: {{auth: x}}}}\n", "--json").output)
    (problem,) = bad["problems"]
    assert (bad["ok"], bad["configuration"]) == (False, None)
    assert (problem["severity"], problem["path"], problem["line"]) == ("error", "sources.t.auth", 2)


def test_credentials_are_shown_by_their_kind_with_their_generations(tmp_path: Path) -> None:
    text = everywhere(tmp_path).replace("not_after: 2020-01-01", "not_after: 2099-01-01")
    (one, two) = json.loads(check(tmp_path, text, "--json").output)["configuration"]["sources"]
    assert one["credentials"][0] == [
        "Authorization: Bearer <secret>",
        "X-A: <secret>",
        "X-B: <secret> (2 values, value 2 until 2099-01-01)",
        "?token=<secret> in the URL",
        "a secret in the URL's path",
        "X-S: HMAC-sha256",
        "from 10.0.0.0/8",
    ]
    assert one["credentials"][1] == ["basic authentication as u"]
    assert two["credentials"] == [["Authorization: Bearer <secret> (2 values)"]]
    read = [row["url"] for row in one["urls"] if row["hint"] == "read"]
    assert read == [
        "https://<your host>/webhooks/one/<path secret>/read?token=<secret>",
        "https://<your host>/webhooks/one/read",
    ]


def test_dropped_types_and_topics_of_ones_own_are_shown(tmp_path: Path) -> None:
    topics = (
        "topics: {map: {message.read: {drop: true}, message.delivered: {topic: mine, partitions: 3, key: phone}}}\n"
    )
    about = json.loads(check(tmp_path, SMALL + SOURCE + topics, "--json").output)["configuration"]
    by_type = {row["event_type"]: row for row in about["event_types"]}
    assert by_type["message.read"]["topic"] is None
    assert (by_type["message.delivered"]["topic"], by_type["message.delivered"]["key"]) == ("mine", "phone")
    (mine,) = [row for row in about["topics"] if row["topic"] == "mine"]
    assert (mine["partitions"], mine["receives"]) == (3, ["message.delivered"])
    assert "(dropped)" in check(tmp_path, SMALL + SOURCE + topics).output


@pytest.mark.parametrize(("rest", "code"), [("", 0), ("lgo: {}\n", 2)])
@pytest.mark.parametrize("oauth", [False, True])
@pytest.mark.parametrize("arguments", [(), ("--json",)])
def test_no_output_shows_a_secret(
    tmp_path: Path, rest: str, code: int, oauth: bool, arguments: tuple[str, ...]
) -> None:
    result = check(tmp_path, (OAUTH if oauth else everywhere(tmp_path)) + rest, *arguments)
    assert result.exit_code == code, result.output
    assert CANARY not in result.output


@pytest.mark.parametrize("arguments", [(), ("--json",)])
def test_live_without_kafka_is_exit_code_7_and_says_which_server_does_not_answer(
    tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    result = check(tmp_path, SMALL + SOURCE, "--live", *arguments)
    assert result.exit_code == 7, result.output
    assert "127.0.0.1:1" in result.output


def test_live_with_a_certificate_that_is_none_is_exit_code_2(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("nothing", encoding="utf-8")
    security = f"security: {{protocol: SSL, ca_file: {tmp_path}/ca.pem}}"
    result = check(tmp_path, f"kafka: {{bootstrap_servers: ['127.0.0.1:1'], {security}}}\n{SOURCE}", "--live")
    assert result.exit_code == 2, result.output
    assert "ca_file" in result.output


def problems(folder: Path, text: str, *arguments: str) -> list[str]:
    found = json.loads(check(folder, text, "--json", *arguments).output)["problems"]
    return [f"{row['severity']} {row['line']} {row['path']}: {row['message']}" for row in found]


def test_the_certificate_of_the_port_and_its_key_must_be_a_pair(tmp_path: Path) -> None:
    authority = Authority(tmp_path, "ca")
    (certificate, key), (_, other) = authority.issue("here"), authority.issue("there")
    tls = "server: {tls: {certificate: CERTIFICATE, key: KEY}}\n".replace("CERTIFICATE", str(certificate))
    assert problems(tmp_path, SMALL + SOURCE + tls.replace("KEY", str(key))) == []
    (found,) = problems(tmp_path, SMALL + SOURCE + tls.replace("KEY", str(other)))
    assert found.startswith("error 5 server.tls: no certificate with its private key in ")
    assert check(tmp_path, SMALL + SOURCE + tls.replace("KEY", str(other))).exit_code == 2


def test_the_certificate_and_the_key_for_kafka_must_be_a_pair(tmp_path: Path) -> None:
    authority = Authority(tmp_path, "ca")
    (certificate, _), (_, other) = authority.issue("here"), authority.issue("there")
    security = f"security: {{protocol: SSL, certificate_file: {certificate}, key_file: {other}}}"
    (found,) = problems(tmp_path, f"kafka: {{bootstrap_servers: ['a:1'], {security}}}\n{SOURCE}")
    assert found.startswith("error 1 kafka.security.")
    assert str(certificate) in found


def test_a_token_file_for_kafka_must_hold_a_token(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("\n", encoding="utf-8")
    security = f"security: {{protocol: SASL_SSL, mechanism: OAUTHBEARER, oauth_token_file: {tmp_path}/token}}"
    (found,) = problems(tmp_path, f"kafka: {{bootstrap_servers: ['a:1'], {security}}}\n{SOURCE}")
    assert found.startswith("error 1 kafka.security.oauth_token_file: ")


def test_check_says_that_it_did_not_ask_kafka(tmp_path: Path) -> None:
    asks = "Kafka was not asked: --live asks it"
    assert check(tmp_path, SMALL + SOURCE).output.splitlines()[-1] == asks
    assert asks not in check(tmp_path, SMALL + SOURCE, "--live").output


@pytest.mark.parametrize(
    "url", ["HTTPS://Hooks.Example.com/", " https://hooks.example.com", "https://hooks.example.com//"]
)
def test_the_url_of_the_host_is_normalized(tmp_path: Path, url: str) -> None:
    output = check(tmp_path, SMALL + SOURCE, "--url", url).output
    assert "    https://hooks.example.com/webhooks/treble/read " in output


@pytest.mark.parametrize(
    "url",
    [
        "hooks.example.com",
        "ftp://hooks.example.com",
        "https://",
        "https://hooks.example.com:99999",
        "https://user:password@hooks.example.com",
        "https://hooks.example.com?a=b",
        "https://hooks.example.com#a",
        "https://hooks example.com",
    ],
)
def test_a_url_that_no_path_can_stand_behind_is_refused(tmp_path: Path, url: str) -> None:
    result = check(tmp_path, SMALL + SOURCE, "--url", url)
    assert result.exit_code == 2
    assert "Invalid value for '--url'" in result.output


def test_the_file_may_be_named_by_the_home_of_the_user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "bridge.yaml").write_text(SMALL + SOURCE, encoding="utf-8")
    for arguments in (["~/bridge.yaml"], ["--config", "~/bridge.yaml"]):
        assert CliRunner().invoke(cli, ["check", *arguments]).exit_code == 0


NEVER_MATCHES = [
    (
        "privacy: {hash_key: long-enough-for-a-key, topics: {'*': {raw: drop, fields: {data.no_such: hash}}}}",
        "privacy.topics.*.fields.data.no_such: never matches: no event there has it",
    ),
    (
        "events:\n  flow.started: {when: {a: x}}\n  flow.restarted: {when: {a: x, b: '*'}}",
        "events.flow.restarted.when: never matches: flow.started, which stands before it, takes all of these",
    ),
]


@pytest.mark.parametrize(("rule", "message"), NEVER_MATCHES)
def test_a_rule_that_never_matches_is_a_warning(tmp_path: Path, rule: str, message: str) -> None:
    (found,) = problems(tmp_path, f"{SMALL}{SOURCE}{rule}\n")
    assert found.startswith("warning ")
    assert message in found


@pytest.mark.parametrize(
    "rule",
    [
        "privacy: {hash_key: long-enough-for-a-key, topics: {'*': {raw: drop, fields: {data.question.text: drop}}}}",
        "events:\n  flow.started: {when: {a: x, b: y}}\n  flow.restarted: {when: {a: x}}",
    ],
)
def test_a_rule_that_matches_something_is_no_warning(tmp_path: Path, rule: str) -> None:
    assert problems(tmp_path, f"{SMALL}{SOURCE}{rule}\n") == []
