"""Label selectors, as Kubernetes understands them. Pure."""

from collections.abc import Collection, Mapping
from typing import Any


def selects(selector: Mapping[str, Any] | None, labels: Mapping[str, str]) -> bool:
    """Whether a LabelSelector matches. None selects nothing, an empty one everything."""
    if selector is None:
        return False
    exact: Mapping[str, str] = selector.get("matchLabels") or {}
    rules = selector.get("matchExpressions") or ()
    return service_selects(exact, labels, empty=True) and all(_holds(rule, labels) for rule in rules)


def service_selects(selector: Mapping[str, str] | None, labels: Mapping[str, str], *, empty: bool = False) -> bool:
    """Whether the selector of a Service matches. An empty one selects nothing there: `empty`."""
    if not selector:
        return empty
    return all(labels.get(key) == value for key, value in selector.items())


def keys(selector: Mapping[str, Any] | None) -> frozenset[str]:
    """The labels that a LabelSelector asks for."""
    if selector is None:
        return frozenset()
    return frozenset(selector.get("matchLabels") or {}) | {
        rule["key"] for rule in selector.get("matchExpressions") or ()
    }


def without(labels: Mapping[str, str], dropped: Collection[str]) -> dict[str, str]:
    return {key: value for key, value in labels.items() if key not in dropped}


def query(selector: Mapping[str, Any]) -> str:
    """A LabelSelector as lists are asked by it."""
    exact = [f"{key}={value}" for key, value in sorted((selector.get("matchLabels") or {}).items())]
    return ",".join([*exact, *(_asked(rule) for rule in selector.get("matchExpressions") or ())])


def _asked(rule: Mapping[str, Any]) -> str:
    key, values = rule["key"], ",".join(rule.get("values") or ())
    match rule["operator"]:
        case "Exists":
            return str(key)
        case "DoesNotExist":
            return f"!{key}"
    return f"{key} {rule['operator'].lower()} ({values})"


def _holds(rule: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    key, values = rule["key"], rule.get("values") or ()
    match rule["operator"]:
        case "In":
            return labels.get(key) in values
        case "NotIn":
            return labels.get(key) not in values
        case "Exists":
            return key in labels
        case "DoesNotExist":
            return key not in labels
    raise ValueError(f"a label selector has the operator {rule['operator']!r}")
