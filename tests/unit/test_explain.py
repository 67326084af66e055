"""`explain` tells every decision on a webhook's way, without Kafka, in words and as JSON."""

from pathlib import Path
from typing import Any

import orjson
import pytest
from click.testing import CliRunner, Result
from multidict import CIMultiDict

from bridge.cli import cli
from bridge.explain import Request, UnknownTargetError, explain
from bridge.kafka.partitioner import partition_of
from bridge.samples import sample
from tests.unit.webhooks import FLOW, RECEIVED_AT_MS, settings

TOKEN = "a-token-long-enough"
GUARDED = {"sources": {"treble": {"auth": [{"bearer": TOKEN}, {"query": {"name": "t", "value": TOKEN}}]}}}
READ = {**FLOW, "read_at": "2026-06-22 15:19:08"}


def explained(body: Any, target: str = "/webhooks/treble", *, given: Any = None, **more: Any) -> Any:
    headers: CIMultiDict[str] = CIMultiDict(more.pop("headers", {}))
    raw = body if isinstance(body, bytes) else orjson.dumps(body)
    source = more.pop("source", None)
    return explain(given or settings(), Request(target, raw, headers, "", source), RECEIVED_AT_MS, **more)


def test_it_says_what_decided_and_what_was_outranked() -> None:
    found = explained({**READ, "delivered_at": "2026-06-22 15:19:07", "plan": 1}, "/webhooks/treble/delivered")
    assert (found.source, found.hint, found.outcome, found.event_type) == (
        "treble", "delivered", "forwarded", "message.read",
    )  # fmt: skip
    assert found.decided_by == "read_at in the body"
    assert found.other_evidence == ("delivered_at (message.delivered)",)
    assert found.hint_conflict
    assert [note for note, _ in found.notes] == ["unknown_field:delivered_at", "unknown_field:plan"]


def test_it_says_what_id_key_and_partition_come_from() -> None:
    found = explained(READ, partitions=12)
    assert (found.id_from.rule, found.id_from.fields["session_id"]) == ("fields", "s1")
    assert (found.topic, found.key_kind, found.key) == ("treble.message.read", "session", "s1")
    assert found.partition == partition_of(b"s1", 12)
    assert orjson.loads(found.value)["id"] == found.event_id == dict(found.headers)["ce_id"]


def test_the_partitions_are_those_that_the_configuration_makes() -> None:
    routed = settings(topics={"map": {"message.read": {"partitions": 3}}})
    assert explained(READ, given=routed).partitions == 3
    assert explained(READ, given=settings(topics={"create": "off"})).partition is None


def test_a_rejected_body_has_its_problems_and_what_would_help() -> None:
    found = explained({"read_at": "soon"}, "read")
    assert (found.outcome, found.reason, found.topic) == ("quarantined", "invalid", "treble.quarantine")
    assert [problem.pointer for problem in found.problems] == ["/session_id", "/read_at"]
    assert found.event_id is None
    assert "session-close" in explained({}).advice
    assert explained(b"{").reason == "not_json"


def test_credentials_are_judged_when_some_are_given() -> None:
    guarded = settings(**GUARDED)
    assert explained(READ, given=guarded).granted is None
    assert explained(READ, given=guarded, headers={"Authorization": f"Bearer {TOKEN}"}).granted is True
    assert (
        explained(READ, f"/webhooks/treble/read?t={TOKEN}", given=guarded).credentials == "alternative 2 holds (query)"
    )
    wrong = explained(READ, given=guarded, headers={"Authorization": "Bearer another-token"})
    assert (wrong.granted, wrong.credentials) == (False, "refused with 401: wrong")
    assert explained(READ).granted is True


def test_a_target_that_leads_nowhere_is_named() -> None:
    two = settings(sources={"second": {"auth": "none", "path": "/two"}})
    with pytest.raises(UnknownTargetError, match="expected one of /webhooks/treble, /two"):
        explained(READ, "/three", given=two)
    with pytest.raises(UnknownTargetError, match="--source with one of treble, second"):
        explained(READ, "read", given=two)
    with pytest.raises(UnknownTargetError, match="no source third"):
        explained(READ, "read", given=two, source="third")
    assert explained(READ, "read", given=two, source="second").source == "second"
    assert explained(READ, "/two/read", given=two).source == "second"


def run(tmp_path: Path, body: Any, *arguments: str, text: str = "") -> Result:
    config = tmp_path / "bridge.yaml"
    kafka = 'kafka: {bootstrap_servers: ["localhost:9092"]}'
    sources = f"sources: {{treble: {{auth: [{{bearer: {TOKEN}}}]}}}}"
    config.write_text(f"{kafka}\n{sources}\n{text}", encoding="utf-8")
    file = tmp_path / "body.json"
    file.write_bytes(body if isinstance(body, bytes) else orjson.dumps(body))
    return CliRunner().invoke(cli, ["explain", "--config", str(config), *(a or str(file) for a in arguments)])


def test_the_command_prints_the_way_of_an_event(tmp_path: Path) -> None:
    done = run(tmp_path, sample("message.read"), "read", "", "-H", f"Authorization: Bearer {TOKEN}")
    assert done.exit_code == 0, done.output
    for part in (
        "alternative 1 holds (bearer)",
        "message.read, decided by read_at in the body",
        "from the hash of source, type, session_id",
        "treble.message.read, partition",
        "ce_type: ai.treble.message.read.v1",
        '"occurred_at": "2026-06-22T15:19:08Z"',
    ):
        assert part in done.output
    assert TOKEN not in done.output


def test_the_command_ends_with_8_for_what_would_be_quarantined(tmp_path: Path) -> None:
    done = run(tmp_path, {"read_at": "soon"}, "read", "")
    assert done.exit_code == 8
    assert "/session_id: expected the conversation's id" in done.output


def test_the_command_speaks_json(tmp_path: Path) -> None:
    done = run(tmp_path, sample("deployment.failed"), "/webhooks/treble", "", "--json", "--partitions", "4")
    found = orjson.loads(done.output)
    assert (done.exit_code, found["event_type"], found["key"]) == (0, "deployment.failed", "+573005550134")
    assert found["value"]["type"] == "deployment.failed"
    assert found["id_from"]["rule"] == "event_id"


def test_the_command_reads_standard_input_and_names_wrong_use(tmp_path: Path) -> None:
    config = tmp_path / "bridge.yaml"
    run(tmp_path, {}, "read", "", text="topics: {map: {message.read: {drop: true}}}\n")
    common = ["explain", "--config", str(config)]
    done = CliRunner().invoke(cli, [*common, "read", "-"], input=orjson.dumps(READ))
    assert (done.exit_code, "drop: true" in done.output) == (0, True)
    assert CliRunner().invoke(cli, [*common, "read", str(tmp_path / "none.json")]).exit_code == 2
    assert CliRunner().invoke(cli, [*common, "read", "-", "-H", "nonsense"], input="{}").exit_code == 2
    assert CliRunner().invoke(cli, [*common, "/nowhere", "-"], input="{}").exit_code == 2
