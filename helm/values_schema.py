"""values.schema.json: what Helm holds values against before it renders anything. Pure.

`config:` is the schema of the configuration file, rewritten in three ways:

- as draft 7 of JSON Schema, which every Helm 3 reads: those before 3.18 know no later one
- what may be one of several types is split by type, so that an error names the key that is wrong, and not every
  alternative that it isn't
- a secret must be a reference, `${NAME}` or `${file:/path}`: what stands in values is in the ConfigMap, in Helm's
  history, and in Git

All other keys and their types are those of values.yaml: an unknown key is an error there, too.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from bridge.settings.reference import options

Schema = dict[str, Any]

EXPANSION: Final = r"\$\{[^}]+\}"
REFERENCE: Final = r"^\$\{([A-Za-z_][A-Za-z0-9_]*|file:/[^}]+)\}$"
"""Nothing but the reference: text beside it, or a default inside it, would be the secret, or a part of one."""

INTEGER_MAX: Final = 2**53 - 1
"""Helm reads numbers as floats: a larger one would silently become another."""

_REF: Final = "#/definitions/"
_EXPANDS: Final = {"$ref": "#/$defs/Expansion"}
_EXPECTED: Final = "a reference, ${NAME} or ${file:/path}: secrets have no place in values"
_FREE: Final = "FreeForm"
_COUNT: Final[Schema] = {"type": "integer", "minimum": 0}
_PORT: Final[Schema] = {"type": ["integer", "null"], "minimum": 1, "maximum": 65535}
_SECRET_KEYS: Final[Schema] = {
    "type": "object",
    "propertyNames": {"pattern": r"^[A-Za-z0-9._-]+$"},
    "additionalProperties": {
        "type": "object",
        "properties": {
            "secretName": {"type": "string", "minLength": 1},
            "key": {"type": "string", "minLength": 1},
            "optional": {"type": "boolean"},
        },
        "required": ["secretName", "key"],
        "additionalProperties": False,
    },
}
_WORDS: Final[Schema] = {"type": "object", "additionalProperties": {"type": "string"}}
"""Labels, annotations: text, since Kubernetes takes neither numbers nor booleans there."""

_OR_NULL: Final[Schema] = {"type": ["object", "null"]}
_STRINGS: Final[Schema] = {"type": "array", "items": {"type": "string", "minLength": 1}}
_OBJECTS: Final[Schema] = {"type": "array", "items": {"type": "object"}}
_DURATION: Final[Schema] = {"type": "string", "pattern": r"^([0-9]+(\.[0-9]+)?(ms|s|m|h|d))?$"}
_FREE_TABLES: Final = frozenset(
    {
        *("autoscaling.behavior", "podSecurityContext", "securityContext", "resources", "updateStrategy"),
    }
)
"""Tables of values.yaml that are Kubernetes' own: their keys are not this chart's to know."""

_WORD_TABLES: Final = (
    *("commonLabels", "podLabels", "podAnnotations", "nodeSelector", "persistence.labels", "persistence.annotations"),
    *("drain.annotations", "drain.podAnnotations", "service.labels", "service.annotations", "adminService.annotations"),
    *("ingress.labels", "ingress.annotations", "httpRoute.labels", "httpRoute.annotations"),
    *("podDisruptionBudget.annotations", "networkPolicy.http.podLabels", "networkPolicy.admin.podLabels"),
    *("serviceMonitor.labels", "podMonitor.labels", "prometheusRule.labels", "prometheusRule.alertLabels"),
    *("dashboard.labels", "dashboard.annotations", "serviceAccount.annotations"),
)

NARROWER: Final[Mapping[str, Schema]] = {
    "replicaCount": {**_COUNT, "type": ["integer", "null"]},
    **dict.fromkeys(_WORD_TABLES, _WORDS),
    **dict.fromkeys(("probes.startup", "probes.liveness", "probes.readiness"), _OR_NULL),
    "image.digest": {"type": "string", "pattern": "^(sha256:[0-9a-f]{64})?$"},
    "image.pullPolicy": {"enum": ["Always", "IfNotPresent", "Never"]},
    "secrets.env": {**_SECRET_KEYS, "propertyNames": {"pattern": "^[A-Za-z_][A-Za-z0-9_]*$"}},
    "secrets.files": _SECRET_KEYS,
    "persistence.retentionPolicy.whenDeleted": {"enum": ["Retain", "Delete"]},
    "persistence.retentionPolicy.whenScaled": {"enum": ["Retain", "Delete"]},
    "persistence.accessModes": {
        "type": "array",
        "minItems": 1,
        "items": {"enum": ["ReadWriteOnce", "ReadWriteOncePod"]},
    },
    "drain.claims": _STRINGS,
    "drain.wait": _DURATION,
    "drain.deadline": {**_DURATION, "minLength": 1},
    "drain.ttlSecondsAfterFinished": _COUNT,
    "service.type": {"enum": ["ClusterIP", "NodePort", "LoadBalancer"]},
    "service.port": _PORT,
    "service.nodePort": _PORT,
    "service.ipFamilyPolicy": {"enum": ["", "SingleStack", "PreferDualStack", "RequireDualStack"]},
    "service.ipFamilies": {"type": "array", "items": {"enum": ["IPv4", "IPv6"]}},
    "service.externalTrafficPolicy": {"enum": ["", "Cluster", "Local"]},
    "service.loadBalancerSourceRanges": _STRINGS,
    "adminService.port": {**_PORT, "type": "integer"},
    "ingress.hosts": _STRINGS,
    "ingress.paths": _STRINGS,
    "httpRoute.hostnames": _STRINGS,
    "httpRoute.paths": _STRINGS,
    "httpRoute.parentRefs": _OBJECTS,
    "httpRoute.backendTLS.caCertificateRefs": _OBJECTS,
    "httpRoute.backendTLS.wellKnownCACertificates": {"enum": ["", "System"]},
    "dashboard.uid": {"type": "string", "pattern": "^[A-Za-z0-9_-]{0,40}$"},
    "tls.certManager.dnsNames": _STRINGS,
    "podDisruptionBudget.maxUnavailable": {"type": ["integer", "string", "null"]},
    "podDisruptionBudget.minAvailable": {"type": ["integer", "string", "null"]},
    "podDisruptionBudget.unhealthyPodEvictionPolicy": {"enum": ["AlwaysAllow", "IfHealthyBudget"]},
    "autoscaling.minReplicas": {**_COUNT, "minimum": 1},
    "autoscaling.maxReplicas": {**_COUNT, "minimum": 1},
    "autoscaling.targetCPUUtilizationPercentage": {"type": ["integer", "null"], "minimum": 1},
    "networkPolicy.http.namespaces": _STRINGS,
    "networkPolicy.admin.namespaces": _STRINGS,
    "networkPolicy.kafka.ports": {"type": "array", "items": {**_PORT, "type": "integer"}},
    "networkPolicy.dns.port": {**_PORT, "type": "integer"},
    "prometheusRule.disabled": _STRINGS,
    "preStop.sleepSeconds": _COUNT,
    "terminationGracePeriodSeconds": {"type": ["integer", "null"], "minimum": 0},
    "terminationGraceMarginSeconds": _COUNT,
    "podAntiAffinity": {"enum": ["soft", "hard", "none"]},
    "podManagementPolicy": {"enum": ["Parallel", "OrderedReady"]},
    "minReadySeconds": _COUNT,
    "revisionHistoryLimit": _COUNT,
}
"""Where a default doesn't say enough: key path → schema."""


def values_schema(values: Mapping[str, Any], config: Schema) -> Schema:
    """The schema of `values`, which are those of values.yaml, with `config`, the configuration file's, inside."""
    left = dict(NARROWER)
    properties = {key: _of_value(value, key, left) for key, value in values.items() if key != "config"}
    definitions = config["$defs"]
    _references_only(definitions)
    # Not what the file requires: the chart alone, without anybody's values, is no error. The templates ask for it.
    file = {key: part for key, part in config.items() if key not in {"$schema", "$defs", "title", "required"}}
    if left:
        raise ValueError(f"values.yaml has no {', '.join(left)}")
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "Values of treble-bridge",
        "type": "object",
        "additionalProperties": False,
        "properties": {
            "config": _rewritten(file, definitions),
            "global": {"type": "object", "description": "Helm's, for charts that hold this one"},
            "enabled": {"type": "boolean", "description": "for the condition of a chart that holds this one"},
            **properties,
        },
        "definitions": {
            _FREE: _free_form(),
            **{name: _rewritten(part, definitions) for name, part in definitions.items() if name != "Expansion"},
        },
    }


def _of_value(value: Any, path: str, left: dict[str, Schema]) -> Schema:
    """What may stand in place of a default. What is used of `left` is taken out of it."""
    if path in left:
        return left.pop(path)
    if isinstance(value, Mapping):
        if not value or path in _FREE_TABLES:
            return {"type": "object"}
        inner = {key: _of_value(part, f"{path}.{key}", left) for key, part in value.items()}
        return {"type": "object", "additionalProperties": False, "properties": inner}
    if isinstance(value, list):
        return {"type": "array"}
    return {"type": {bool: "boolean", str: "string", int: "integer"}[type(value)]}


def _free_form() -> Schema:
    """Any JSON whose numbers survive Helm."""
    return {
        "type": ["object", "array", "string", "number", "boolean", "null"],
        "minimum": -INTEGER_MAX,
        "maximum": INTEGER_MAX,
        "items": {"$ref": _REF + _FREE},
        "additionalProperties": {"$ref": _REF + _FREE},
    }


def _references_only(definitions: dict[str, Any]) -> None:
    """Let secrets be references only: every plain text in the place of one must be a `${…}`."""
    for option in options():
        if option.kind.startswith("secret"):
            place = definitions[option.section.__name__]["properties"][option.path.rpartition(".")[2]]
            for text in _texts(place):
                # Not a pattern alone: Helm would show the text that doesn't match, which is the secret.
                text.update({"if": {"pattern": REFERENCE}, "else": {"const": _EXPECTED}})


def _texts(node: Any) -> Iterator[Schema]:
    if isinstance(node, dict):
        if node.get("type") == "string":
            yield node
        for part in node.values():
            yield from _texts(part)
    elif isinstance(node, list):
        for part in node:
            yield from _texts(part)


def _rewritten(node: Any, definitions: Mapping[str, Schema]) -> Any:
    def again(part: Any) -> Any:
        return _rewritten(part, definitions)

    if isinstance(node, list):
        return [again(part) for part in node]
    if not isinstance(node, dict):
        return node
    if "$ref" in node:
        return {**node, "$ref": node["$ref"].replace("#/$defs/", _REF)}
    for word in ("anyOf", "oneOf"):
        if word in node:
            about = {key: part for key, part in node.items() if key in {"description", "default", "examples"}}
            return {**about, **_union(node[word], definitions, again)}
    if node.get("type") == "object" and node.get("additionalProperties") is True:
        return {**node, "additionalProperties": {"$ref": _REF + _FREE}}
    return {key: part if key in {"default", "enum", "required"} else again(part) for key, part in node.items()}


def _union(branches: list[Schema], definitions: Mapping[str, Schema], again: Callable[[Any], Any]) -> Schema:
    """Alternatives as a choice by type."""
    by_type: dict[str, Any] = {}
    flat = list(_flat(branches))
    for branch in flat:
        for kind in _types(branch, definitions) if branch != _EXPANDS else ():
            if kind in by_type:
                raise ValueError(f"two alternatives of type {kind}: {branches}")
            by_type[kind] = _only(branch, kind)
    if _EXPANDS in flat:
        by_type["string"] = _or_expansion(by_type.get("string"))
    types = sorted(by_type)
    choices = [{"if": {"type": kind}, "then": again(part)} for kind, part in by_type.items() if part]
    return {"type": types[0] if len(types) == 1 else types, **({"allOf": choices} if choices else {})}


def _flat(branches: list[Schema]) -> Iterator[Schema]:
    """Alternatives whose own alternatives stand beside them."""
    for branch in branches:
        inner = branch.get("anyOf") or branch.get("oneOf")
        if inner is None:
            yield branch
        else:
            yield from _flat(inner)


def _or_expansion(text: Schema | None) -> Schema:
    if text is None:
        return {"pattern": EXPANSION}
    if "pattern" in text:
        return {**text, "pattern": f"{text['pattern']}|{EXPANSION}"}
    words = text["enum"] if "enum" in text else [text["const"]]
    return {"pattern": f"^({'|'.join(words)})$|{EXPANSION}"}


def _types(branch: Schema, definitions: Mapping[str, Schema]) -> list[str]:
    if "$ref" in branch:
        branch = definitions[branch["$ref"].removeprefix("#/$defs/")]
    kind = branch.get("type", "string")
    kinds = [kind] if isinstance(kind, str) else list(kind)
    if "pattern" in branch and not re.search(branch["pattern"], "0"):
        return ["string"]
    return kinds


def _only(branch: Schema, kind: str) -> Schema:
    """What a branch says of one type, without that type's name."""
    if kind == "integer" and "pattern" in branch:
        return {"maximum": 0, "minimum": 0} if re.search(branch["pattern"], "0") and not _counts(branch) else {}
    texts_only = {"pattern", "minLength", "maxLength", "enum", "const"}
    left_out = {"type", "description"} | (set() if kind == "string" else texts_only)
    return {key: part for key, part in branch.items() if key not in left_out}


def _counts(branch: Schema) -> bool:
    """Whether a number without a unit may stand in place of the text: for a size, but not for a duration."""
    return re.search(branch["pattern"], "5") is not None
