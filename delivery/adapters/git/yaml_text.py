"""One value of a YAML text is replaced; every other byte stays as its owners wrote it: comments, quotes, order. Pure.

Found by PyYAML, which knows where each value begins and ends, and put in there. A library that writes the whole
document anew keeps comments too, but not everybody's widths, quotes and blank lines.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

import yaml

from delivery.ports.errors import Refused

Key = str | int | tuple[str, str]
_PART = re.compile(r"(?P<name>[^.\[\]]+)|\[(?P<index>\d+)\]|\[(?P<key>[^=\[\]]+)=(?P<value>[^\[\]]+)\]")
_PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9._/@:-]*[A-Za-z0-9]")


def path(text: str) -> tuple[Key, ...]:
    """`image.tag`, `images[name=acme/checkout].newTag`, `spec.containers[0].image`. Raises ValueError."""
    found: list[Key] = []
    at = 0
    while at < len(text):
        if text[at] == "." and found:
            at += 1
        match = _PART.match(text, at)
        if match is None:
            raise ValueError(f"{text!r} is no key of a YAML file: expected a.b, a[0] or a[name=x].b")
        if match["name"]:
            found.append(match["name"])
        elif match["index"]:
            found.append(int(match["index"]))
        else:
            found.append((match["key"], match["value"]))
        at = match.end()
    if not found:
        raise ValueError("a key of a YAML file is empty")
    return tuple(found)


def value(text: str, key: Sequence[Key]) -> str:
    """The value that is there, as text. Raises Refused where there is none, or several documents have it."""
    return str(_scalar(text, key).value)


def replaced(text: str, key: Sequence[Key], new: str) -> str:
    """The text with another value there. Raises Refused as `value`, and where something else would change with it."""
    node = _scalar(text, key)
    start, end = node.start_mark.index, node.end_mark.index
    if text[start : start + 1] in ("&", "!"):
        raise Refused(f"the value of {told(key)} has an anchor or a tag: it would lose that")
    changed = text[:start] + _written(new, node.style) + text[end:]
    before, after = list(yaml.safe_load_all(text)), list(yaml.safe_load_all(changed))
    if value(changed, key) != new or _others(before, key) != _others(after, key):
        raise Refused(f"{told(key)} cannot be changed without changing something else: is it used by an alias?")
    return changed


def told(key: Sequence[Key]) -> str:
    """A key as it is written."""
    parts = []
    for one in key:
        match one:
            case str():
                parts.append(f".{one}")
            case int():
                parts.append(f"[{one}]")
            case (name, wanted):
                parts.append(f"[{name}={wanted}]")
    return "".join(parts).removeprefix(".")


def _scalar(text: str, key: Sequence[Key]) -> yaml.ScalarNode:
    try:
        documents = list(yaml.compose_all(text, Loader=yaml.SafeLoader))
    except yaml.YAMLError as error:
        raise Refused(f"it is no YAML: {error}") from error
    found = [node for document in documents if (node := _at(document, key)) is not None]
    if len(found) != 1:
        which = "nothing" if not found else f"{len(found)} documents that have"
        raise Refused(f"there is {which} {told(key)} in it")
    if not isinstance(found[0], yaml.ScalarNode):
        raise Refused(f"{told(key)} is no single value")
    if found[0].style in ("|", ">"):
        raise Refused(f"{told(key)} is a text of several lines")
    return found[0]


def _at(node: yaml.Node | None, key: Sequence[Key]) -> yaml.Node | None:
    for part in key:
        node = _step(node, part)
    return node


def _step(node: yaml.Node | None, part: Key) -> yaml.Node | None:
    if isinstance(node, yaml.MappingNode) and isinstance(part, str):
        return next((each for name, each in node.value if name.value == part), None)
    if isinstance(node, yaml.SequenceNode) and isinstance(part, int):
        return node.value[part] if part < len(node.value) else None
    if isinstance(node, yaml.SequenceNode) and isinstance(part, tuple):
        name, wanted = part
        having = [each for each in node.value if getattr(_step(each, name), "value", None) == wanted]
        return having[0] if len(having) == 1 else None
    return None


def _written(new: str, style: str | None) -> str:
    """In the quotes that were there; quoted where it would not be a text without: `1.10` is a number."""
    if style == "'":
        return quoted(new)
    if style == '"' or not _PLAIN.fullmatch(new) or yaml.safe_load(new) != new:
        return '"' + new.replace("\\", "\\\\").replace('"', '\\"') + '"'
    return new


def quoted(text: str) -> str:
    """A text of one line in single quotes, in which nothing has a meaning of its own."""
    return "'" + text.replace("'", "''") + "'"


def _others(documents: Sequence[Any], key: Sequence[Key]) -> list[Any]:
    """All but the value."""
    return [_without(document, key) for document in documents]


def _without(found: Any, key: Sequence[Key]) -> Any:
    if not key:
        return None
    part, *rest = key
    if isinstance(found, Mapping) and isinstance(part, str):
        return {name: _without(each, rest) if name == part else each for name, each in found.items()}
    if isinstance(found, list) and isinstance(part, int):
        return [_without(each, rest) if number == part else each for number, each in enumerate(found)]
    if isinstance(found, list) and isinstance(part, tuple):
        name, wanted = part
        return [
            _without(each, rest) if isinstance(each, Mapping) and str(each.get(name)) == wanted else each
            for each in found
        ]
    return found
