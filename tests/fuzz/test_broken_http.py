"""Broken, odd and hostile requests to the real process: what is authentic is kept, the rest does no harm."""

import pytest

from tests.flow.running import PATH
from tests.fuzz.cases import Case, cases
from tests.fuzz.sturdy import Sturdy
from tests.fuzz.talking import Client, Reply, ask

CASES = {case.name: case for case in cases()}


def test_no_two_cases_have_the_same_name() -> None:
    assert len(CASES) == len(list(cases()))


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_the_answer_is_of_the_contract_and_what_is_authentic_is_kept(bridge: Sturdy, case: Case) -> None:
    bridge.newly_kept()
    got = tuple(ask(bridge.port, case.sent))
    assert got in case.may
    bridge.has_kept(case.kept if any(reply.kept for reply in got) else ())


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_it_is_the_same_when_it_comes_in_pieces(bridge: Sturdy, case: Case) -> None:
    bridge.newly_kept()
    size = max(1, len(case.sent) // 7)
    pieces = [case.sent[at : at + size] for at in range(0, len(case.sent), size)]
    got: tuple[Reply, ...] = tuple(ask(bridge.port, *pieces))
    assert got in case.may
    bridge.has_kept(case.kept if any(reply.kept for reply in got) else ())


def test_the_admin_port_is_as_unmoved(bridge: Sturdy) -> None:
    port = int(bridge.process.admin_url.rpartition(":")[2])
    answered = 0
    for case in CASES.values():
        with Client(port) as client:
            client.say(case.sent.replace(PATH.encode(), b"/livez"))
            client.await_speech(0.5)  # at the end of ours, aiohttp would give up what it has not answered yet
            client.end_of_speech()
            got = client.hear()
        assert b" 500 " not in got, case.name
        assert b"HTTP/1." in got[:7] or not got, case.name
        answered += bool(got)
    assert answered > 0.9 * len(CASES)
