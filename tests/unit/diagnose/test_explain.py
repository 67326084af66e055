"""`explain` tells every decision on a webhook's way, without Kafka, in words and as JSON."""

from pathlib import Path
from typing import Any

import orjson
import pytest
from click.testing import CliRunner, Result
from multidict import CIMultiDict

from bridge.catalogue.samples import sample
from bridge.cli import cli
from bridge.diagnose.explain import CannotExplainError, Request, explain, explain_record
from bridge.kafka.batches import partition_of
from bridge.transform.dead_letter import read_back
from bridge.transform.prepare import Preparer
from bridge.version import VERSION
from tests.unit.webhooks import FLOW, RECEIVED_AT_MS, entry, settings

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
    with pytest.raises(CannotExplainError, match="expected one of /webhooks/treble, /two"):
        explained(READ, "/three", given=two)
    with pytest.raises(CannotExplainError, match="--source with one of treble, second"):
        explained(READ, "read", given=two)
    with pytest.raises(CannotExplainError, match="no source third"):
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
        '"occurred_at": "2026-06-22T15:19:08.000000Z"',
    ):
        assert part in done.output
    assert TOKEN not in done.output


def test_an_id_that_is_hidden_is_shown_as_consumers_see_it(tmp_path: Path) -> None:
    privacy = 'privacy: {hash_key: 0123456789abcdef, topics: {"*": {fields: {session_id: hash}}}}\n'
    hidden = run(tmp_path, sample("message.read"), "read", "", "--json", text=privacy)
    assert orjson.loads(hidden.output)["event_id"] == orjson.loads(hidden.output)["headers"]["ce_id"]
    shown = run(tmp_path, sample("message.read"), "read", "", text=privacy)
    assert "from the hash under privacy.hash_key of the hash of source, type, session_id" in shown.output


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


@pytest.mark.parametrize(
    "url", ["https://hooks.example.com/webhooks/treble/read", "HTTP://a:1/webhooks/treble/read?x=1"]
)
def test_the_command_takes_the_url_as_it_is_pasted_into_the_panel(tmp_path: Path, url: str) -> None:
    done = run(tmp_path, READ, url, "")
    assert done.exit_code == 0, done.output
    assert "source       treble, hint read" in done.output
    assert run(tmp_path, READ, "https://hooks.example.com/elsewhere", "").exit_code == 2
    assert run(tmp_path, READ, "https://hooks.example.com", "").exit_code == 2


def test_refused_credentials_change_nothing_in_the_exit_code_and_the_help_says_so(tmp_path: Path) -> None:
    done = run(tmp_path, READ, "read", "", "-H", "Authorization: Bearer wrong")
    assert (done.exit_code, "nothing would be stored" in done.output) == (0, True)
    told = " ".join(CliRunner().invoke(cli, ["explain", "--help"]).output.split())
    assert "shows what would happen with the right ones; the exit code stays the same" in told


def test_the_command_reads_standard_input_and_names_wrong_use(tmp_path: Path) -> None:
    config = tmp_path / "bridge.yaml"
    run(tmp_path, {}, "read", "", text="topics: {map: {message.read: {drop: true}}}\n")
    common = ["explain", "--config", str(config)]
    done = CliRunner().invoke(cli, [*common, "read", "-"], input=orjson.dumps(READ))
    assert (done.exit_code, "drop: true" in done.output) == (0, True)
    assert CliRunner().invoke(cli, [*common, "read", str(tmp_path / "none.json")]).exit_code == 2
    assert CliRunner().invoke(cli, [*common, "read", "-", "-H", "nonsense"], input="{}").exit_code == 2
    assert CliRunner().invoke(cli, [*common, "/nowhere", "-"], input="{}").exit_code == 2


def test_what_would_change_a_quarantined_body_is_found_by_trying() -> None:
    """Nothing tells what it is: a hint would, and so would the configuration."""
    hinted, mapped = explained({"session_id": "s1", "survey": {"id": 1}}).suggestions
    assert "read (message.read)" in hinted
    assert "hsm-status" not in hinted, "with that hint the template's name would be missing"
    assert mapped.endswith("`when` may name: session_id, survey")
    lacking, _ = explained({"survey": 1}).suggestions
    assert "it would still lack" in lacking
    (sender,) = explained(b"{").suggestions
    assert sender.startswith("no configuration changes this")
    (invalid,) = explained({"read_at": "soon"}).suggestions
    assert "later version" in invalid
    assert explained(READ).suggestions == ()


def test_a_suggestion_that_is_named_does_what_it_says() -> None:
    body = {"session_id": "s1", "survey": {"id": 1}}
    assert explained(body, "read").outcome == "forwarded"
    named = settings(events={"survey.answered": {"when": {"survey": "*"}}})
    with_it = explained(body, given=named)
    assert (with_it.event_type, with_it.decided_by) == ("survey.answered", "survey in the body")
    assert with_it.id_from.rule == "body"
    keyed = settings(events={"survey.answered": {"when": {"survey": "*"}, "key": "survey.id"}})
    assert (explained(body, given=keyed).key_kind, explained(body, given=keyed).key) == ("survey.id", "1")


def test_a_quarantine_record_is_explained_by_todays_configuration() -> None:
    body = {"session_id": "s1", "survey": {"id": 1}}
    value = explained(body, "/webhooks/treble").value
    returned = read_back(value)
    assert (returned.entry.body, returned.complete) == (orjson.dumps(body), True)
    still = explain_record(settings(), returned)
    assert still.outcome == "quarantined"
    assert still.before.startswith(f"unclassified by version {VERSION}: body: nothing in the body tells")
    named = settings(events={"survey.answered": {"when": {"survey": "*"}}})
    passes = explain_record(named, returned)
    assert (passes.outcome, passes.topic) == ("forwarded", "treble.survey.answered")
    assert f"treble-bridge quarantine redrive {returned.id}" in passes.suggestions[0]
    assert f'"received_at":"{orjson.loads(value)["received_at"]}"'.encode() in passes.value


def test_a_record_that_a_hint_would_have_made_an_event_names_the_command_that_does_it_now() -> None:
    for body, rescued in (({"session_id": "s1"}, True), ({"delivered_at": "2026-06-22 15:19:08"}, False)):
        returned = read_back(explained(body, "/webhooks/treble").value)
        command = f"treble-bridge quarantine redrive {returned.id} --hint HINT"
        assert (command in " ".join(explain_record(settings(), returned).suggestions)) == rescued


def test_a_record_that_kafka_refused_names_the_limit() -> None:
    preparer = Preparer(settings(), "j1")
    given = entry(READ)
    rejected = preparer.rejected(given, preparer.prepare(given), "MessageSizeTooLarge").record
    assert rejected is not None
    found = explain_record(settings(), read_back(rejected.value))
    assert "raise max.message.bytes of topic treble.message.read" in found.suggestions[0]


def test_a_record_without_the_body_says_where_it_may_be(tmp_path: Path) -> None:
    hidden = settings(privacy={"topics": {"*": {"raw": "drop"}}})
    returned = read_back(explained({}, given=hidden).value)
    assert not returned.complete
    with pytest.raises(CannotExplainError, match="treble-bridge journal show PATH"):
        explain_record(settings(), returned)
    file = tmp_path / "record.json"
    for content, code in ((explained({}).value, 8), (b"{}", 2), (b"[", 2)):
        file.write_bytes(content)
        assert run(tmp_path, {}, "--record", str(file)).exit_code == code


@pytest.mark.parametrize("value", [b"", b"{}", b"[]", b'{"raw": 1}', b"\xff"])
def test_what_is_no_quarantine_record_says_so_and_nothing_of_it(value: bytes) -> None:
    with pytest.raises(ValueError, match=r"^no record of the quarantine topic$"):
        read_back(value)


def test_a_hint_alone_is_a_usage_error(tmp_path: Path) -> None:
    assert run(tmp_path, {}, "read").exit_code == 2
