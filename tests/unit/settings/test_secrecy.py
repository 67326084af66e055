"""No secret shows: not in what a configuration prints, not in any error about it, not in its hash."""

import json
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.errors import ConfigError
from bridge.settings.changes import config_hash
from bridge.settings.load import load
from bridge.settings.reference import options
from bridge.settings.sources import names_of, secrets_of
from tests.unit.settings.given import EVENT_TYPES, KAFKA, loaded

CANARY = "c4n4ry"

EVERYWHERE = f"""\
kafka:
  bootstrap_servers: [a:1]
  security:
    protocol: SASL_SSL
    username: bridge
    password: {CANARY}-kafka
    certificate_file: /etc/hosts
    key_file: /etc/hosts
    key_password: {CANARY}-key
sources:
  one:
    auth:
      - bearer: {CANARY}-bearer
        header:
          - name: X-A
            value: {CANARY}-header
          - {{name: X-B, value: [{CANARY}-b1, {{value: {CANARY}-b2, not_after: 2020-01-01}}]}}
        query: {{name: token, value: {CANARY}-query}}
        path_secret: {CANARY}-path
        hmac: {{header: X-S, secret: "{CANARY}-hmac"}}
        client_ip: 10.0.0.0/8
      - basic: {{username: u, password: '{CANARY}-basic'}}
  two:
    auth: [{{bearer: [{CANARY}-first, {CANARY}-second]}}]
privacy: {{hash_key: {CANARY}-for-hashing}}
"""
OAUTH = (
    "kafka: {bootstrap_servers: [a:1], security: {protocol: SASL_SSL, mechanism: OAUTHBEARER, "
    f"oauth_token: {CANARY}-oauth}}}}\nsources: {{t: {{auth: none}}}}\n"
)


def test_the_canary_sits_in_every_secret_place() -> None:
    places = {option.path.rpartition(".")[2] for option in options() if option.kind.startswith("secret")}
    found = {
        next(step for step in reversed(at) if isinstance(step, str))
        for text in (EVERYWHERE, OAUTH)
        for at, secret in secrets_of(loaded(text).settings)
        if secret.startswith(CANARY)
    }
    assert found == places


@pytest.mark.parametrize("text", [EVERYWHERE, OAUTH])
def test_settings_print_and_dump_without_secrets(text: str) -> None:
    result = loaded(text)
    settings = result.settings
    for shown in (repr(settings), str(settings), str(settings.model_dump()), settings.model_dump_json(), repr(result)):
        assert CANARY not in shown
        assert "**********" in shown
    assert CANARY not in json.dumps([str(warning) for warning in result.warnings])


# Each way to damage a line that holds a secret. `@` is the line's text before it, `$` the secret.
DAMAGES = [
    "@*$",
    "@&$",
    "@!$",
    "@%$",
    "@`$",
    '@"$',
    "@'$",
    "@[$",
    "@{$",
    "@{$}",
    "@[$]",
    "@[[$]]",
    "@{$: $}",
    "@{value: {$: 1}}",
    "@{value: $, $: 1}",
    "@{value: $, not_after: $}",
    "@$: $",
    "@$: |",
    "@|$",
    "@>$",
    "@- $",
    "@? $",
    "@<<: $",
    "@{<<: $}",
    "@${$}",
    "@${$",
    "@${file:$}",
    "@${file:/$}"[:-1],
    "@\t$",
    "@$\n@$",
    "@\n$",
    "@\n$: 1",
    "@\n  $:",
    '@"\\q$"',
    '@"\\n$"',
    "@!!int $",
    "@!!binary $",
    "@$\x01",
]


@pytest.mark.parametrize("damage", DAMAGES)
def test_no_error_shows_a_secret_however_its_line_is_damaged(damage: str, tmp_path: Path) -> None:
    lines = EVERYWHERE.splitlines()
    shown = []
    for index, line in enumerate(lines):
        if CANARY not in line:
            continue
        before, _, after = line.partition(CANARY)
        secret = CANARY + after.rstrip("}],\"'").split(",")[0].split("}")[0]
        changed = damage.replace("$", "\0").replace("@", before.rstrip("\"'")).replace("\0", secret)
        text = "\n".join([*lines[:index], changed, *lines[index + 1 :]])
        shown += outcome(text.replace("file:/" + secret, "file:/none"), tmp_path)
    assert shown
    assert [text for text in shown if CANARY in text] == []


@settings(deadline=None)  # the machine may be busy
@given(st.data())
def test_no_error_shows_a_secret_wherever_a_character_goes_astray(data: st.DataObject) -> None:
    text = data.draw(st.sampled_from([EVERYWHERE, OAUTH]))
    amid = [i for i in range(len(text)) if CANARY in text[max(0, i - 12) : i + 12]]
    at = data.draw(st.sampled_from(amid))
    astray = data.draw(st.sampled_from([*list("{}[],:&*!|>@`\"'#%\\\t -?$~="), "${", "$", ": ", " #", "!!"]))
    drop = data.draw(st.integers(0, 2))
    with TemporaryDirectory() as folder:
        for shown in outcome(text[:at] + astray + text[at + drop :], Path(folder)):
            assert CANARY not in shown


def outcome(text: str, folder: Path) -> list[str]:
    """All that a user sees of a configuration: its errors, or its warnings and its settings."""
    path = folder / "secrecy.yaml"
    path.write_text(text, encoding="utf-8")
    try:
        result = load(path, EVENT_TYPES, variables={})
    except ConfigError as error:
        return [str(error), repr(error)]
    return [repr(result.settings), *map(str, result.warnings)]


def test_the_hash_is_that_of_the_effective_values() -> None:
    short = KAFKA + "sources: {t: {auth: [{bearer: token-one}]}}\n"
    same = (
        "sources: {t: {auth: [{bearer: '${T}'}]}}\nkafka: {bootstrap_servers: localhost:9092, batch_bytes: 4194304}\n"
    )
    assert config_hash(loaded(short).settings) == config_hash(loaded(same, {"T": "token-one"}).settings)
    assert len(config_hash(loaded(short).settings)) == 16


def test_the_hash_changes_with_every_option_and_every_secret() -> None:
    hashes = {config_hash(loaded(EVERYWHERE).settings)}
    for number in range(EVERYWHERE.count(CANARY)):
        parts = EVERYWHERE.split(CANARY)
        changed = CANARY.join(parts[: number + 1]) + f"{CANARY}x" + CANARY.join(parts[number + 1 :])
        hashes.add(config_hash(loaded(changed).settings))
    hashes.add(config_hash(loaded(EVERYWHERE + "log: {level: debug}\n").settings))
    assert len(hashes) == EVERYWHERE.count(CANARY) + 2


def test_the_names_of_a_configuration_are_all_its_texts_but_secrets() -> None:
    text = (
        "kafka: {bootstrap_servers: ['ip-10-20-30-40:9092']}\njournal: {path: /srv/30055501}\n"
        "topics: {default: 'a1.{event_type}.b2', map: {message.read: {topic: reads-1}}}\n"
        f"sources: {{s-2: {{auth: [{{bearer: {CANARY}}}]}}}}\n"
    )
    names = set(names_of(loaded(text).settings))
    assert names >= {"ip-10-20-30-40:9092", "ip-10-20-30-40", "/srv/30055501", "a1.", ".b2", "reads-1", "s-2"}
    assert not any(CANARY in name for name in names)
