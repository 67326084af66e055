"""What a query speaks of: its metrics, and the labels that it asks of them. Enough of PromQL for our own queries."""

import re
from collections.abc import Iterator, Mapping

TARGET_LABELS = frozenset({"namespace", "job", "instance"})
"""What Prometheus adds to every series that it scrapes."""

_TEXT = re.compile(r'"(?:[^"\\]|\\.)*"')
_GROUPING = re.compile(r"\b(?:by|without|on|ignoring|group_left|group_right)\s*\(([^)]*)\)")
_METRIC = re.compile(r"(?<![\w:$\"])([A-Za-z_][\w:]*)(?![\w:])(?!\s*\()(?:\{([^}]*)\})?")
_WORDS = frozenset({"and", "or", "unless", "offset", "bool", "inf", "nan"})


def metrics(query: str) -> Iterator[tuple[str, frozenset[str]]]:
    """Each metric of a query, with the labels that its selector names."""
    plain = re.sub(r"\[[^\]]*\]|\boffset\s+\w+", "", _GROUPING.sub("", _TEXT.sub('""', query)))
    for name, selector in _METRIC.findall(plain):
        if name.lower() not in _WORDS:
            yield name, frozenset(re.findall(r"(\w+)\s*(?:=~|!~|!=|=)", selector))


def grouped(query: str) -> frozenset[str]:
    """The labels that a query sums or matches by."""
    return frozenset(re.findall(r"\w+", ",".join(_GROUPING.findall(query))))


def strangers(query: str, known: Mapping[str, tuple[str, ...]]) -> list[str]:
    """What a query names that does not exist: metrics, and labels of them."""
    found, labels = [], set(TARGET_LABELS)
    for name, asked in metrics(query):
        if name not in known:
            found.append(name)
        else:
            labels |= set(known[name])
            found += [f"{name}{{{label}}}" for label in sorted(asked - set(known[name]) - TARGET_LABELS)]
    return found + sorted(grouped(query) - labels)
