"""`treble-bridge send` against the real service: each scenario gets the answers that it expects, or says so."""

import asyncio
import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner, Result

from bridge.catalogue import TABLE
from bridge.catalogue.samples import SCENARIOS
from bridge.cli import cli
from bridge.errors import ExitCode
from tests.fakes.sink import ScriptedSink
from tests.flow.conftest import StartInside
from tests.flow.running import BridgeInside


async def send(bridge: BridgeInside, *arguments: str, as_json: bool = True) -> Result:
    """Run `send` with the bridge's own configuration, at the port that it really listens on."""
    config = bridge.config.with_name("send.yaml")
    document = yaml.safe_load(bridge.config.read_text())
    document["server"]["listen"] = bridge.url.removeprefix("http://")
    config.write_text(yaml.safe_dump(document))
    options = ["--config", str(config), "--seed", "7", *(["--json"] if as_json else [])]
    return await asyncio.to_thread(CliRunner().invoke, cli, ["send", *options, *arguments])


def lines(result: Result) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    *each, total = [json.loads(line) for line in result.stdout.splitlines()]
    return each, total


def ids(sink: ScriptedSink) -> list[str]:
    """Ids of the events that came out, in order."""
    return [json.loads(record.value)["id"] for record in sink.taken]


@pytest.fixture
def sink() -> ScriptedSink:
    return ScriptedSink()


@pytest.fixture
async def bridge(start_inside: StartInside, sink: ScriptedSink) -> BridgeInside:
    started: BridgeInside = await start_inside(sink=sink, topics={"create": "off", "default": "t.{event_type}"})
    return started


def test_help_names_the_scenarios_that_there_are() -> None:
    text = CliRunner().invoke(cli, ["send", "--help"]).output
    for name, scenario in SCENARIOS.items():
        (line,) = [line for line in text.splitlines() if line.split()[:1] == [name]]
        assert line.endswith(f"({scenario.counted}, {scenario.count})")
        assert scenario.about.partition(":")[0] in line


@pytest.mark.parametrize("event_type", [name for name in TABLE if name != "unknown"])
async def test_each_type_is_taken_with_a_field_set(bridge: BridgeInside, event_type: str) -> None:
    result = await send(bridge, "--type", event_type, "--set", "added.by=me", as_json=False)
    assert result.exit_code == 0, result.output
    assert result.stdout.startswith("200 in ")
    assert event_type in result.stdout


async def test_a_conversation_is_taken_in_its_order(bridge: BridgeInside) -> None:
    each, total = lines(await send(bridge, "--scenario", "conversation", "--count", "2"))
    assert total["answers"] == {"200": 10}
    assert total["unexpected"] == 0
    first = [line["type"] for line in each[:5]]
    assert first[0] == "message.delivered"
    assert first[-1] == "conversation.closed"
    assert [line["type"] for line in each[5:]] == first
    assert len({line["session"] for line in each[:5]}) == 1
    assert len({line["session"] for line in each}) == 2


async def test_a_campaign_has_every_type_but_one(bridge: BridgeInside) -> None:
    result = await send(bridge, "--scenario", "campaign")
    each, total = lines(result)
    assert result.exit_code == 0
    assert total["answers"] == {"200": len(each)}
    assert set(TABLE) - {line["type"] for line in each} == {"unknown", "condition.evaluated"}


async def test_duplicates_are_all_taken_and_one_event_of_each_comes_out(
    bridge: BridgeInside, sink: ScriptedSink, http: Any
) -> None:
    result = await send(bridge, "--scenario", "duplicates", "--type", "all", "--count", "9")
    assert result.exit_code == 0
    assert lines(result)[1]["answers"] == {"200": 18}
    await bridge.all_forwarded(http)
    assert len(ids(sink)) == len(set(ids(sink))) == 9


async def test_malformed_bodies_are_answered_400_and_the_one_that_is_json_200(bridge: BridgeInside) -> None:
    result = await send(bridge, "--scenario", "malformed")
    each, total = lines(result)
    assert result.exit_code == 0, result.output
    assert total["answers"] == {"400": 6, "200": 1}
    assert all(line["as_expected"] and line["about"] for line in each)
    assert all("not-json" in line["answer"] for line in each if line["status"] == 400)


async def test_missing_and_wrong_credentials_are_answered_401_and_the_right_ones_200(bridge: BridgeInside) -> None:
    result = await send(bridge, "--scenario", "unauthorized", "--count", "3")
    each, total = lines(result)
    assert result.exit_code == 0, result.output
    assert total["answers"] == {"401": 6, "200": 1}
    assert Counter(line.get("about") for line in each) == {
        "without credentials": 3, "with wrong credentials": 3, None: 1
    }  # fmt: skip


async def test_a_burst_is_taken_whole_and_summed_up(bridge: BridgeInside, http: Any) -> None:
    result = await send(bridge, "--scenario", "burst", "--type", "all", "--count", "300")
    each, total = lines(result)
    assert result.exit_code == 0, result.output
    assert (each, total["sent"], total["answers"]) == ([], 300, {"200": 300})
    await bridge.all_forwarded(http)


async def test_the_same_seed_sends_the_same_scenario(bridge: BridgeInside, sink: ScriptedSink, http: Any) -> None:
    came_out = []
    for _ in range(2):
        assert (await send(bridge, "--scenario", "campaign", "--count", "3")).exit_code == 0
        await bridge.all_forwarded(http)
        came_out.append(len(set(ids(sink))))
    assert came_out[0] == came_out[1] == len(ids(sink)) == 13, "the second time all were duplicates"


async def test_an_answer_that_is_not_as_expected_is_marked_and_exits_with_8(
    start_inside: StartInside, sink: ScriptedSink
) -> None:
    bridge = await start_inside(sink=sink, sources={"treble": {"auth": "none"}})
    arguments = ("--header", "X-Any: thing", "--scenario", "unauthorized")
    result = await send(bridge, *arguments, as_json=False)
    assert result.exit_code == ExitCode.MISMATCH
    assert "EXPECTED 401" in result.stdout
    assert "2 not as expected" in result.stdout
    each, total = lines(await send(bridge, *arguments))
    assert total["unexpected"] == 2
    assert [line["as_expected"] for line in each] == [False, False, True]


async def test_wrong_credentials_where_none_are_asked_for_are_a_usage_error(
    start_inside: StartInside, sink: ScriptedSink
) -> None:
    bridge = await start_inside(sink=sink, sources={"treble": {"auth": "none"}})
    assert (await send(bridge, "--scenario", "unauthorized")).exit_code == ExitCode.USAGE
    assert (await send(bridge, "--scenario", "campaign", "--type", "all")).exit_code == ExitCode.USAGE


async def test_above_a_rate_limit_a_burst_is_told_to_wait(start_inside: StartInside, sink: ScriptedSink) -> None:
    limit = {"rate": "1/s", "burst": 5}
    auth = [{"bearer": ["flow-token-0123456789"]}]
    bridge = await start_inside(sink=sink, sources={"treble": {"auth": auth, "rate_limit": limit}})
    result = await send(bridge, "--scenario", "burst", "--count", "40")
    assert result.exit_code == 0, result.output
    assert lines(result)[1]["answers"].keys() == {"200", "429"}


def test_the_table_of_scenarios_is_documented() -> None:
    page = (Path(__file__).parents[2] / "docs" / "try-it.md").read_text(encoding="utf-8")
    assert all(f"`{name}`" in page for name in SCENARIOS)
