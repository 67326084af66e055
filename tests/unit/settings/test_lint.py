"""What is valid and doubtful is a warning."""

import pytest

from tests.unit.settings.given import KAFKA, SOURCES, warnings

TOKEN = "long-enough-token"
UNFILLED = "word for word, and unfilled: a variable is written ${NAME}"


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("auth: none", ["auth: none: everyone who knows the URL may post"]),
        ("auth: [{bearer: short}]", ["auth[0].bearer: shorter than 8 characters: easy to guess"]),
        (f"auth: [{{bearer: [{TOKEN}, {TOKEN}]}}]", ["auth[0].bearer[1]: the same value is listed twice"]),
        (
            f"auth: [{{bearer: [{TOKEN}, {{value: {TOKEN}-old, not_after: 2026-06-30}}]}}]",
            ["auth[0].bearer[1].not_after: is over: the value is refused, and can be removed"],
        ),
        (
            f"auth: [{{header: {{name: X, value: {{value: {TOKEN}, not_after: '2026-07-01T11:59:59Z'}}}}}}]",
            ["auth[0].header.value: not_after is over for every value: nobody can pass"],
        ),
        (f"auth: [{{bearer: {{value: {TOKEN}, not_after: 2026-07-01}}}}]", []),
        (f"auth: [{{bearer: {{value: {TOKEN}, not_after: '2026-07-01T14:00:01+02:00'}}}}]", []),
        (f"auth: [{{bearer: {{value: {TOKEN}, not_after: 9999-12-31}}}}]", []),
        ("auth: [{client_ip: [10.0.0.0/8, '::/0']}]", ["auth[0].client_ip[1]: takes every address"]),
        (
            f"auth: [{{bearer: {TOKEN}}}], responses: {{message.read: {{user_session_keys: [{{key: a, value: 5}}]}}}}",
            [
                (
                    "responses.message.read.user_session_keys[0].value: "
                    "not text: Treble's values are text; write it in quotes"
                )
            ],
        ),
    ],
)
def test_doubts_about_a_source(source: str, expected: list[str]) -> None:
    assert warnings(f"{KAFKA}sources:\n  t: {{{source}}}\n") == [f"3: sources.t.{text}" for text in expected]


@pytest.mark.parametrize(
    ("secret", "expected"),
    [
        ("$TREBLE_TOKEN", "a name after $, word for word: a variable is written ${NAME}"),
        ("<the value of TREBLE_TOKEN>", "text in < >, word for word: put the value in its place"),
        ("{{ .Values.token }}", "holds {{ }}, word for word: nothing has filled that in"),
        ("file:/run/secrets/token", "a path after file:, word for word: a file's content is written ${file:/path}"),
        *((text, UNFILLED) for text in ("$(TREBLE_TOKEN)", "$(cat /run/secrets/token)", "%TREBLE_TOKEN%")),
        *((text, UNFILLED) for text in ("@TREBLE_TOKEN@", "$env:TREBLE_TOKEN", "env:TREBLE_TOKEN", "$${TREBLE_TOKEN}")),
        ('"long-enough-token"', "quotes stand around it, and are part of it: remove the inner ones"),
        ("`long-enough-token`", "quotes stand around it, and are part of it: remove the inner ones"),
        ("“long-enough-token”", "holds U+201C (left double quotation mark): is that meant?"),
        ("long\u00a0enough-token", "holds U+00A0 (no-break space): is that meant?"),
        ("long\u200benough-token", "holds U+200B (zero width space): is that meant?"),
        ("\ufefflong-enough-token", "holds U+FEFF (byte order mark): is that meant?"),
        ("long\u2013enough-token", "holds U+2013 (en dash): is that meant?"),
        ("long\ufffdenough-token", "holds U+FFFD (replacement character): is that meant?"),
    ],
)
def test_a_secret_that_was_meant_to_be_something_else_is_doubtful_and_not_shown(secret: str, expected: str) -> None:
    (found,) = warnings(f"{KAFKA}sources:\n  t: {{auth: [{{header: {{name: X, value: '{secret}'}}}}]}}\n")
    assert found == f"3: sources.t.auth[0].header.value: {expected}"
    assert secret not in found
    security = f"{{protocol: SASL_SSL, username: a, password: '{secret}'}}"
    (found,) = warnings(f"{SOURCES}kafka:\n  bootstrap_servers: [a:1]\n  security: {security}\n")
    assert found == f"4: kafka.security.password: {expected}"


def test_a_bearer_token_that_says_bearer_is_doubtful_and_a_header_that_does_is_not() -> None:
    source = f"{KAFKA}sources:\n  bearer: {{auth: [{{ALTERNATIVE}}]}}\n"
    (found,) = warnings(source.replace("ALTERNATIVE", f"bearer: ['bearer {TOKEN}']"))
    assert found.startswith("3: sources.bearer.auth[0].bearer[0]: begins with Bearer, which requests have")
    header = f"header: {{name: Authorization, value: 'Bearer {TOKEN}'}}"
    assert warnings(source.replace("ALTERNATIVE", header)) == []


@pytest.mark.parametrize(
    "token",
    [
        "a-long$TOKEN",
        "$1-long-enough",
        "a<long>token",
        "long:file:/token",
        "{long}-enough",
        "pässwörd-long",
        "50%-of-100%",
    ],
)
def test_a_token_with_some_of_these_characters_is_not_doubtful(token: str) -> None:
    assert warnings(f"{KAFKA}sources:\n  t: {{auth: [{{bearer: '{token}'}}]}}\n") == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("transaction_timeout: 16m", "kafka.transaction_timeout: above 15m"),
        (
            f"security: {{protocol: SASL_PLAINTEXT, username: a, password: {TOKEN}}}",
            "kafka.security.protocol: SASL_PLAINTEXT: credentials and events cross the network unencrypted",
        ),
        ("security: {protocol: SSL, verify_hostname: false}", "kafka.security.verify_hostname: false: another host"),
    ],
)
def test_doubts_about_kafka(text: str, expected: str) -> None:
    (found,) = warnings(f"{SOURCES}kafka:\n  bootstrap_servers: [a:1]\n  {text}\n")
    assert found.startswith(f"4: {expected}")


def test_believing_everyones_forwarded_address_is_doubtful() -> None:
    (found,) = warnings(f"{KAFKA}{SOURCES}server: {{trusted_proxies: 0.0.0.0/0}}\n")
    assert found == "3: server.trusted_proxies[0]: takes X-Forwarded-For of everyone"


def test_a_sound_configuration_has_no_doubts() -> None:
    assert warnings(KAFKA + SOURCES) == []


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("long-enough\r\n", "holds U+000D (carriage return): is that meant?"),
        ("long-enough\n\n", "holds U+000A (line break): is that meant?"),
        ("long-enough\t", "holds U+0009 (tab): is that meant?"),
        (" long-enough", "begins or ends with a space: is that meant?"),
    ],
)
def test_white_space_around_a_password_that_came_from_elsewhere_is_doubtful(value: str, message: str) -> None:
    security = "{protocol: SASL_SSL, username: a, password: '${P}'}"
    (found,) = warnings(f"{SOURCES}kafka:\n  bootstrap_servers: [a:1]\n  security: {security}\n", {"P": value})
    assert found == f"4: kafka.security.password: {message}"


def test_text_that_is_no_secret_may_hold_a_strange_character_too() -> None:
    (found,) = warnings(f"{SOURCES}kafka:\n  bootstrap_servers: [a:1]\n  client_id: “bridge”\n")
    assert found == "4: kafka.client_id: holds U+201C (left double quotation mark): is that meant?"
    assert (
        warnings(f"{KAFKA}sources:\n  t: {{auth: [{{bearer: {TOKEN}}}], responses: {{message.read: {{a: “b”}}}}}}\n")
        == []
    )


@pytest.mark.parametrize(
    ("written", "warned"),
    [("pa$$word-long", True), ("$$word-long", True), ("pa$$$$word-long", False), ("pa$word-long", False)],
)
def test_a_doubled_dollar_that_becomes_one_is_a_warning(written: str, warned: bool) -> None:
    found = warnings(f"{KAFKA}sources:\n  t: {{auth: [{{bearer: {written}}}]}}\n")
    assert found == ["3: sources.t.auth[0].bearer: $$ stands for one $: two are written $$$$"] * warned
