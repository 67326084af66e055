"""One line an event, JSON on a pipe, nothing in it that must not be seen, whatever is logged."""

import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bridge.telemetry import Telemetry
from bridge.telemetry.logs import Logs

SECRET = "geheim-0123456789"
PHONE = "573176477608"


class Captured:
    """The log of a test: what was written so far, as bytes and as parsed lines."""

    def __init__(self) -> None:
        self.written: list[bytes] = []
        self.logs = Logs("info", "json", sink=self.written.append, secrets=[SECRET])

    @property
    def text(self) -> str:
        assert self.logs.writer.flush(timeout_s=10)
        return b"".join(self.written).decode()

    @property
    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.text.splitlines()]


@pytest.fixture
def captured() -> Iterator[Captured]:
    captured = Captured()
    yield captured
    captured.logs.close()


def test_a_line_names_its_event_its_level_its_time_and_its_meaning(captured: Captured) -> None:
    Telemetry().topic_paused("treble.message.read", "missing", "no such topic")
    (line,) = captured.lines
    assert line.pop("@timestamp").endswith("Z")
    assert line == {
        "log.level": "warning",
        "event.name": "topic.paused",
        "message": "A topic can't take records; it is paused, the others go on",
        "topic": "treble.message.read",
        "state": "missing",
        "reason": "no such topic",
    }


def test_an_unforeseen_error_comes_with_its_traceback_masked(captured: Captured) -> None:
    with pytest.raises(ValueError, match="invalid literal") as raised:
        int(f"cannot read +{PHONE} with {SECRET}")
    Telemetry().service_failed("ingress", raised.value)
    (line,) = captured.lines
    assert line["error.type"] == "ValueError"
    assert line["error.message"] == "invalid literal for int() with base 10: 'cannot read +57******08 with ***'"
    assert "Traceback" in line["error.stack_trace"]
    assert PHONE not in captured.text
    assert SECRET not in captured.text


def test_the_secret_of_a_new_configuration_and_of_the_one_before_are_both_hidden(captured: Captured) -> None:
    captured.logs.set_secrets(["neues-geheimnis"])
    Telemetry().log.warning("x.y", old=SECRET, new="neues-geheimnis")
    (line,) = captured.lines
    assert (line["old"], line["new"]) == ("***", "***")


def test_a_changed_level_is_in_force_at_once(captured: Captured) -> None:
    log = Telemetry().log
    log.debug("x.before")
    captured.logs.set_level("debug")
    log.debug("x.debug")
    captured.logs.set_level("error")
    log.warning("x.after")
    assert [line["event.name"] for line in captured.lines] == ["x.debug"]


def test_a_library_that_repeats_itself_is_heard_once_and_as_a_warning(captured: Captured) -> None:
    logger = logging.getLogger("aiokafka.conn")
    for node in range(100):
        logger.error("Unable connect to node with id %s: %s", node, f"+{PHONE}")
    (line,) = captured.lines
    assert line["log.level"] == "warning"
    assert line["log.logger"] == "aiokafka.conn"
    assert line["message"] == "Unable connect to node with id 0: +57******08"


def test_a_library_record_that_cannot_be_rendered_harms_nobody(captured: Captured) -> None:
    record = logging.LogRecord("aiohttp.server", logging.ERROR, __file__, 1, "%d", ("not a number",), None)
    captured.logs._handler.handle(record)
    (line,) = captured.lines
    assert line["log.logger"] == "aiohttp.server"


class Hostile:
    """A value whose text can't be made."""

    def __str__(self) -> str:
        raise RuntimeError("no text")

    __repr__ = __str__


@pytest.mark.parametrize(
    "value",
    [
        "\ud83d",
        "a\nforged line",
        "\x1b[31mred",
        Hostile(),
        {"deep": [{"deeper": Hostile()}]},
        {1: {2: {3: {4: {5: {6: {7: PHONE}}}}}}},
        b"bytes " + PHONE.encode(),
        float("nan"),
        [10**5000],
        "9" * 100_000,
        [PHONE] * 1000,
        ("x" * 1990) + PHONE,
    ],
)
def test_any_value_makes_one_line_that_is_bounded_and_masked(captured: Captured, value: object) -> None:
    Telemetry().log.warning("x.y", value=value)
    assert len(captured.lines) == 1
    assert len(captured.text) < 5000
    assert PHONE not in captured.text


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(st.characters(exclude_categories=())),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters(exclude_categories=())), inner),
    max_leaves=10,
)


@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(value=JSON)
def test_no_value_breaks_the_log(captured: Captured, value: object) -> None:
    before = len(captured.lines)
    Telemetry().log.warning("x.y", value=value)
    assert len(captured.lines) == before + 1


def test_on_a_console_a_value_cannot_forge_a_line() -> None:
    written: list[bytes] = []
    logs = Logs("info", "console", sink=written.append)
    Telemetry().log.warning("x.y", value="a\n2026-01-01 [error] forged \x1b[31m")
    logs.close()
    text = b"".join(written).decode()
    assert text.count("\n") == 1
    assert "\x1b" not in text


def test_the_operators_names_are_whole_in_every_line_and_a_line_that_makes_a_topic_can_be_pasted() -> None:
    written: list[bytes] = []
    brokers = [f"kafka-10203{n}4050:9092" for n in (1, 2)]
    logs = Logs("info", "json", sink=written.append)
    logs.set_secrets([SECRET], [brokers[0], "acme-57300555."])
    logs.set_secrets([SECRET], [brokers[1]])
    line = f"kafka-topics.sh --bootstrap-server {brokers[0]} --topic t --config retention.ms=604800000"
    telemetry = Telemetry()
    telemetry.topics_differ([line])
    telemetry.topics_unknown(ConnectionError(f"{brokers[0]} and {brokers[1]} for +{PHONE}"))
    telemetry.topic_paused("acme-57300555.message.read", "missing", "acme-57300555.message.read is missing")
    logs.close()
    differ, unknown, paused = [json.loads(text) for text in b"".join(written).splitlines()]
    assert differ["differences"] == [line]
    assert unknown["error.message"] == f"{brokers[0]} and {brokers[1]} for +57******08"
    assert (paused["topic"], paused["reason"]) == (
        "acme-57300555.message.read",
        "acme-57300555.message.read is missing",
    )


def test_a_secret_is_hidden_in_the_operators_lines_too(captured: Captured) -> None:
    Telemetry().topics_differ([f"--command-config {SECRET}"])
    assert captured.lines[0]["differences"] == ["--command-config ***"]
