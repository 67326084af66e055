"""What is wrong in a configuration, or probably not meant: where it stands, what was expected, what was found. Pure.

`explain` says what is wrong, `lint` what is valid and probably not meant.

What was found is shown only where no secret can stand: not below `auth`, `security` or another of `_SECRETIVE`, and as
the file writes it, so that of an expanded `${VAR}` only the name appears.
"""

import datetime as dt
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, Final, Literal

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from bridge.errors import ConfigError
from bridge.settings.document import Document
from bridge.settings.models import Kafka, Settings
from bridge.settings.reference import NAME, options, section_at
from bridge.settings.section import CONTRADICTION, Contradictions, Loc, Network, walk
from bridge.settings.slips import odd_character, text_slip
from bridge.settings.sources import SecretValues, Source, each_value, secrets_of

_SECRETIVE = {"auth", "security", "hash_key", "headers", "endpoint"}
_FOUND_CHARS_MAX = 40
SECRET_CHARS_MIN = 8
_BROKER_TRANSACTION_MAX_S = 900.0
_UNFILLED: Final = (
    (re.compile(r"\$[A-Za-z_][A-Za-z0-9_]*"), "a name after $, word for word: a variable is written ${NAME}"),
    (re.compile(r"<[^<>]*>"), "text in < >, word for word: put the value in its place"),
    (re.compile(r".*\{\{.*\}\}.*", re.DOTALL), "holds {{ }}, word for word: nothing has filled that in"),
    (
        re.compile(r"\$[({].*[)}]|%[^%\s]+%|@[A-Za-z_]+@|\$?env:\w+"),
        "word for word, and unfilled: a variable is written ${NAME}",
    ),
    (re.compile(r"([\"'`]).*\1"), "quotes stand around it, and are part of it: remove the inner ones"),
    (re.compile(r"file:/.*"), "a path after file:, word for word: a file's content is written ${file:/path}"),
)
"""What a secret looks like that was meant to be something else."""

_MAPPING = "expected a mapping (lines of `key: value`)"
_EXPECTED = {
    "string_type": "expected text",
    **dict.fromkeys(("int_parsing", "int_type", "int_from_float"), "expected a whole number"),
    "int_parsing_size": "expected a smaller number",
    **dict.fromkeys(("bool_parsing", "bool_type"), "expected true or false"),
    "tuple_type": "expected a list (each line begins with `- `)",
    **dict.fromkeys(("dict_type", "mapping_type", "model_type", "model_attributes_type"), _MAPPING),
    "union_tag_invalid": "expected text, or a mapping",
}
_HOW_TO_AUTH: Final = 'say who may post, such as `auth: [{bearer: "${TREBLE_TOKEN}"}]`, or `auth: none` for everyone'
_REFERENCES = re.compile(r"(\$\{[^}]*\})+")
_HALVED = re.compile(r"(?<!\$)\$\$(?![${])")
_LIMITS = {
    "greater_than": ("gt", "expected more than {}"),
    "greater_than_equal": ("ge", "expected {} or more"),
    "less_than": ("lt", "expected less than {}"),
    "less_than_equal": ("le", "expected {} at the most"),
}


@dataclass(frozen=True, slots=True)
class ConfigProblem:
    """One error or warning, or a note. Never holds a secret. `line` is 0, and `file` "", where no file is meant."""

    severity: Literal["error", "warning", "note"]
    path: str
    message: str
    file: str = ""
    line: int = 0

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}: " if self.line else f"{self.file}: " if self.file else ""
        return f"{place}{self.path}: {self.message}" if self.path else f"{place}{self.message}"


class InvalidSettingsError(ConfigError):
    """The configuration can't be used. `problems` has every error; `files` are those that it refers to."""

    def __init__(self, file: str, problems: Iterable[ConfigProblem], files: Iterable[str] = ()) -> None:
        self.problems = tuple(problems)
        self.files = tuple(files)
        lines = [str(problem) for problem in self.problems]
        super().__init__(lines[0] if len(lines) == 1 else "\n  ".join([f"{file}: {len(lines)} errors", *lines]))


def explain(error: ValidationError, document: Document) -> Contradictions:
    """The key path and the message of each error, without those that follow from a scalar that was not expanded."""
    for details in error.errors(include_url=False):
        # Without the tags of union members, and without pydantic's mark for the keys of mappings.
        loc = tuple(
            step for step in details["loc"] if isinstance(step, int) or not (step[:1] == "\0" or step == "[key]")
        )
        if details["type"] == "too_short" and details["input"]:
            continue  # pydantic counts what is left of a list whose items have errors of their own
        if not any(loc[: len(broken)] == broken for broken in document.broken):
            yield _explained(details, loc, document)


def is_secretive(loc: Loc) -> bool:
    """Whether a key path leads to where secrets stand: nothing that was written there is shown."""
    return any(step in _SECRETIVE for step in loc)


def _explained(details: ErrorDetails, loc: Loc, document: Document) -> tuple[Loc, str]:
    kind, context = details["type"], details.get("ctx", {})
    if kind == "extra_forbidden":
        return loc, _unknown_key(loc)
    if kind == "missing":
        return loc, _missing(loc)
    if kind == CONTRADICTION:
        return loc, str(context["text"])
    if _EXPECTED.get(kind) == _MAPPING and details["input"] is not None and _is_key_without_name(loc):
        return loc, f"{loc[-1]} stands where a name belongs: indent it, below a name"
    return loc, _expected(kind, context, details["msg"]) + _found(kind, details["input"], loc, document)


def _expected(kind: str, context: Mapping[str, Any], message: str) -> str:
    if kind == "literal_error":
        choices = re.findall(r"'([^']*)'", str(context["expected"]))
        return f"expected {_or(choices)}"
    if kind in _LIMITS:
        key, text = _LIMITS[kind]
        return text.format(f"{context[key]:g}")
    if kind in {"string_too_short", "too_short"}:
        return "must not be empty"
    if kind == "value_error":
        return str(context["error"])
    return _EXPECTED.get(kind, message)


def _found(kind: str, value: Any, loc: Loc, document: Document) -> str:
    """Where no secret can stand, the text; else only what kind of thing was found. Then what it may come from."""
    mapping = _EXPECTED.get(kind) == _MAPPING
    if value is None:
        return ", found nothing" + (": indent its keys below it" if mapping else "")
    if isinstance(value, Mapping):
        return f", found a mapping{text_slip(str(next(iter(value), '')))}"
    if isinstance(value, list | tuple):
        dashed = mapping and value and isinstance(value[0], Mapping)
        return "" if kind == "too_short" else ", found a list" + (": write its keys without `- `" if dashed else "")
    text = document.written.get(loc) or document.written.get(loc[:-1])
    if value == "" and text and _REFERENCES.fullmatch(text):
        return f": {text} is empty"
    slip = text_slip(str(value), shape=mapping)
    if text is None or is_secretive(loc):
        hidden = kind in {"string_too_short", "too_short", "value_error", "literal_error"}
        return ("" if hidden else ", found text") + slip
    shown = text if len(text) <= _FOUND_CHARS_MAX else f"{text[:_FOUND_CHARS_MAX]}…"
    return (f', found "{shown}"' if text.isprintable() else ", found something else") + slip


def _is_key_without_name(loc: Loc) -> bool:
    """Whether a section's key stands where the name of such a section belongs."""
    section = section_at(loc)
    return section is not None and section_at(loc[:-1]) is None and loc[-1] in section.model_fields


def _unknown_key(loc: Loc) -> str:
    """A key that nothing has: with the nearest known one, or where this one belongs."""
    above, key = loc[:-1], str(loc[-1])
    known = _keys_at(above)
    if slip := text_slip(key, shape=":" in key):
        return f"unknown key{slip}"
    if above == ("topics",) and key in {"prefix", "topic_prefix"}:
        return 'unknown key; did you mean default: "acme.{event_type}"?'
    if near := get_close_matches(key, known, 1, 0.8 if is_secretive(above) else 0.6):
        return f"unknown key; did you mean {near[0]}?"
    if elsewhere := _elsewhere(loc):
        deeper = elsewhere.count(".") >= len(loc)
        return f"unknown key here; {elsewhere} is one" + (
            f": indent it below {elsewhere.split('.')[-2].removesuffix('[]')}" * deeper
        )
    return f"unknown key; expected {_or(known)}"


def shown_path(loc: Loc) -> Loc:
    """A key path as it may be shown. What stands in a key's place may be a secret whose line went astray.

    So the path ends before what doesn't look like a key; amid secrets, before what is no certain one.
    """
    for depth, step in enumerate(loc):
        above, known = loc[:depth], _keys_at(loc[:depth])
        if not isinstance(step, str) or step in known:
            continue
        if known and not re.fullmatch(r"[A-Za-z_.-]{1,40}", step):
            return above
        if is_secretive(above) and not get_close_matches(step, known, 1, 0.8) and not _elsewhere(loc[: depth + 1]):
            return above
    return loc


def _keys_at(loc: Loc) -> list[str]:
    section = section_at(loc)
    return list(section.model_fields) if section else []


def _elsewhere(loc: Loc) -> str | None:
    """The full path of the only option of this name; one that is deep in another section is not meant."""
    paths = [option.path for option in options() if option.path.rsplit(".", 1)[-1] == loc[-1]]
    if len(paths) != 1 or (len(loc) > 1 and paths[0].count(".") > 1 and paths[0].split(".")[0] != loc[0]):
        return None
    return paths[0].replace(f".{NAME}", ".<name>")


def _missing(loc: Loc) -> str:
    section = section_at(loc[:-1])
    if section is Source and loc[-1] == "auth":
        return f"an alternative is missing: {_HOW_TO_AUTH}"
    field = section.model_fields.get(str(loc[-1])) if section else None
    return f"missing: {field.description}" if field and field.description else "missing"


def _or(words: list[str]) -> str:
    return "".join(words) if len(words) < 2 else f"{', '.join(words[:-1])} or {words[-1]}"


def lint(settings: Settings, now: dt.datetime, written: Mapping[Loc, str]) -> Contradictions:
    """Key paths and warnings. `now` is what `not_after` is held against; `written` is the file's own text."""
    # Only of a secret: a path that has $$ in it is written so because somebody read what it stands for.
    halved = (at for at, _ in secrets_of(settings) if _HALVED.search(written.get(at, "")))
    yield from ((at, "$$ stands for one $: two are written $$$$") for at in halved)
    texts = ((at, item) for at, item in walk(settings) if isinstance(item, str) and "responses" not in at)
    for at, text in (*texts, *secrets_of(settings)):
        if odd := odd_character(text):
            yield at, f"holds {odd}: is that meant?"
    for at, secret in secrets_of(settings):
        if secret != secret.strip() and not odd_character(secret):
            yield at, "begins or ends with a space: is that meant?"
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


def _privacy(settings: Settings) -> Contradictions:
    hiding = any(not rules.keeps_raw or rules.hides for rules in settings.privacy.topics.values())
    if hiding and settings.privacy.of(settings.topics.quarantine) is None:
        instead = "name it here with raw: drop, or with raw: keep"
        yield ("privacy", "topics"), f"{settings.topics.quarantine} still gets whole bodies: {instead}"
    for topic, rules in settings.privacy.topics.items():
        if rules.phone is not None:
            renamed = f"contact: {rules.phone} is its name now: it covers the phone, WhatsApp's ids and the user name"
            yield ("privacy", "topics", topic, "phone"), renamed
    for topic, rules in settings.privacy.topics.items() if settings.privacy.hash_key is None else ():
        if rules.fields and not rules.keeps_raw:
            guessed = "what an id is made of can be found by trying, unless it is hashed with a privacy.hash_key"
            yield ("privacy", "topics", topic, "fields"), guessed


def _source(at: Loc, source: Source, now: dt.datetime) -> Contradictions:
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


def _rotation(at: Loc, values: SecretValues, now: dt.datetime) -> Contradictions:
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


def _everyone(at: Loc, networks: tuple[Network, ...], what: str) -> Contradictions:
    for index, network in enumerate(networks):
        if network.prefixlen == 0:
            yield (*at, index), f"takes {what}"


def _kafka(kafka: Kafka) -> Contradictions:
    security: Loc = ("kafka", "security")
    if kafka.security.protocol == "SASL_PLAINTEXT":
        yield (*security, "protocol"), "SASL_PLAINTEXT: credentials and events cross the network unencrypted"
    if not kafka.security.verify_hostname:
        yield (*security, "verify_hostname"), "false: another host with a certificate of the same CA is believed"
    if kafka.transaction_timeout > _BROKER_TRANSACTION_MAX_S:
        above = "above 15m, which brokers refuse unless transaction.max.timeout.ms is raised"
        yield ("kafka", "transaction_timeout"), above
