"""Where a source's credentials hold secrets, and when they are over. Pure."""

from collections.abc import Iterator, Mapping

from bridge.settings.secrets import SecretValues, each_value
from bridge.settings.section import Loc
from bridge.settings.sources import Alternative, Source


def secret_places(alternative: Alternative) -> Iterator[tuple[Loc, SecretValues]]:
    """Each secret of an alternative, with its path in it."""
    if alternative.bearer is not None:
        yield ("bearer",), alternative.bearer
    if isinstance(alternative.header, tuple):
        for index, header in enumerate(alternative.header):
            yield ("header", index, "value"), header.value
    elif alternative.header is not None:
        yield ("header", "value"), alternative.header.value
    if alternative.basic is not None:
        yield ("basic", "password"), alternative.basic.password
    if alternative.query is not None:
        yield ("query", "value"), alternative.query.value
    if alternative.path_secret is not None:
        yield ("path_secret",), alternative.path_secret
    if alternative.hmac is not None:
        yield ("hmac", "secret"), alternative.hmac.secret


def credential_ends(sources: Mapping[str, Source]) -> dict[tuple[str, int, int], float]:
    """(Source, number of the alternative, number of the value) → when it is over (UNIX time, seconds).

    Only of values with a `not_after`; of several secrets in one alternative, the first that is over.
    """
    ends: dict[tuple[str, int, int], float] = {}
    for name, source in sources.items():
        for number, alternative in enumerate(() if source.auth == "none" else source.auth):
            for _, values in secret_places(alternative):
                for generation, value in enumerate(each_value(values)):
                    if (moment := value.expires()) is not None:
                        key = (name, number, generation)
                        ends[key] = min(moment.timestamp(), ends.get(key, float("inf")))
    return ends
