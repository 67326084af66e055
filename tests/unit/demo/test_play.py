"""What the demo posts: webhooks of each type, no event twice, and bodies that are broken in fact."""

import orjson
import pytest

from bridge.catalogue import TABLE, UNKNOWN, classify
from bridge.demo.play import acts


@pytest.mark.parametrize("seed", range(20))
def test_the_conversations_have_each_of_the_nine_types_and_no_event_twice(seed: int) -> None:
    world = acts(seed)[0].postings
    assert {posting.event_type for posting in world} == set(TABLE) - {UNKNOWN}
    assert len({posting.body for posting in world}) == len(world)
    for posting in world:
        assert classify(orjson.loads(posting.body), posting.hint).event_type == posting.event_type
        assert "cellphone" not in repr(posting)


@pytest.mark.parametrize("seed", range(20))
def test_the_other_acts_are_what_their_titles_say(seed: int) -> None:
    world, credentials, broken, duplicate = acts(seed)
    assert [(posting.credentials, posting.expected) for posting in credentials.postings] == [
        ("missing", frozenset({401})),
        ("wrong", frozenset({401})),
    ]
    (body,) = [posting.body.decode() for posting in broken.postings]
    with pytest.raises(orjson.JSONDecodeError):
        orjson.loads(body)
    assert set(duplicate.postings) <= set(world.postings)
