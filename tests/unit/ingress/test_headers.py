"""What is kept of a request's headers."""

import orjson

from bridge.ingress.headers import HeaderKeeper

KEPT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
SENT = {"traceparent": KEPT, "tracestate": "theirs=1", "content-type": "application/json", "x-request-id": "r-1"}


def test_the_requests_own_span_stands_in_place_of_its_callers() -> None:
    keeper = HeaderKeeper(())
    ours = KEPT.replace("00f067aa0ba902b7", "1111111111111111")
    for _ in range(2):  # the second time, what does not change is remembered
        assert orjson.loads(keeper.keep(SENT, (ours, 'a="é"'))) == {
            **SENT,
            "traceparent": ours,
            "tracestate": 'a="é"',
        }
        others = {name: value for name, value in SENT.items() if name != "tracestate"}
        assert orjson.loads(keeper.keep(SENT, (ours, None))) == {**others, "traceparent": ours}
        assert orjson.loads(keeper.keep(SENT)) == SENT
    assert keeper.keep({}, (ours, None)) == f'{{"traceparent":"{ours}"}}'.encode()


def test_the_zone_of_the_source_is_kept_unless_it_is_utc() -> None:
    zone, keeper = {"x-treble-bridge-timezone": "America/Bogota"}, HeaderKeeper((), "America/Bogota")
    for _ in range(2):
        assert orjson.loads(keeper.keep(SENT)) == {**SENT, **zone}
        assert orjson.loads(keeper.keep({})) == zone
        assert orjson.loads(keeper.keep({}, (KEPT, None))) == {"traceparent": KEPT, **zone}
        assert orjson.loads(keeper.keep({}, coding="br")) == {"content-encoding": "br", **zone}
    assert HeaderKeeper((), "UTC").keep({}) == b""


def test_the_coding_of_a_body_that_stays_encoded_is_kept_with_it() -> None:
    keeper = HeaderKeeper(())
    assert orjson.loads(keeper.keep(SENT, coding="br")) == {**SENT, "content-encoding": "br"}
    assert keeper.keep({}, coding='x"\udcff') == '{"content-encoding":"x\\"\ufffd"}'.encode()
    assert len(orjson.loads(keeper.keep({}, coding="x" * 5000))["content-encoding"]) == 512
    assert HeaderKeeper({"content-encoding"}).keep({}, coding="secret") == b""


def test_a_header_that_carries_credentials_is_no_trace() -> None:
    keeper = HeaderKeeper({"tracestate"})
    assert keeper.trace_of(SENT) == (None, None)
    assert b"theirs" not in keeper.keep(SENT, (KEPT, None))
    assert HeaderKeeper(()).trace_of(SENT) == (KEPT, "theirs=1")


def test_kept_headers_are_remembered_within_a_bound() -> None:
    keeper = HeaderKeeper(frozenset({"user-agent"}))
    kept = {keeper.keep({"x-request-id": str(n), "user-agent": "secret"}) for n in range(1000)}
    assert len(kept) == 1000
    assert b"secret" not in b"".join(kept)
    assert keeper._remembered.cache_info().currsize <= 256
    long = keeper.keep({"content-type": "x" * 10_000})
    assert long == b'{"content-type":"' + b"x" * 512 + b'"}'
