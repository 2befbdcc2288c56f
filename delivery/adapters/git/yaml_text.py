"""One value of a YAML text is replaced; every other byte stays as its owners wrote it: comments, quotes, order. Pure.

Found by PyYAML, which knows where each value begins and ends, and put in there. A library that writes the whole
document anew keeps comments too, but not everybody's widths, quotes and blank lines.
"""

import re
from collections.abc import Sequence
from typing import Any

import yaml

from delivery.ports.errors import Refused

Key = str | int | tuple[str, str]
_PART = re.compile(r"(?P<name>[^.\[\]]+)|\[(?P<index>\d+)\]|\[(?P<key>[^=\[\]]+)=(?P<value>[^\[\]]+)\]")
BROKEN = (yaml.YAMLError, ValueError, LookupError, TypeError, AttributeError, ArithmeticError, RecursionError)
"""What PyYAML raises over a text that is none, or that has a date or a number that is none."""
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
    space = " " if start == end else ""  # `tag:` with nothing behind it
    changed = text[:start] + space + _written(new, node.style) + text[end:]
    if value(changed, key) != new or _others(text, key) != _others(changed, key):
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
    found = [node for document in _documents(text) if (node := _at(document, key)) is not None]
    if len(found) != 1:
        there = f"there is nothing {told(key)} in it, or it is there twice"
        raise Refused(f"there are {len(found)} documents that have {told(key)} in it" if found else there)
    if not isinstance(found[0], yaml.ScalarNode):
        raise Refused(f"{told(key)} is no single value")
    if found[0].style in ("|", ">"):
        raise Refused(f"{told(key)} is a text of several lines")
    return found[0]


def _documents(text: str) -> list[yaml.Node]:
    try:
        return list(yaml.compose_all(text, Loader=yaml.SafeLoader))
    except BROKEN as error:
        raise Refused(f"it is no YAML: {error}") from error


def _at(node: yaml.Node | None, key: Sequence[Key]) -> yaml.Node | None:
    for part in key:
        node = _step(node, part)
    return node


def _step(node: yaml.Node | None, part: Key | None) -> yaml.Node | None:
    if isinstance(node, yaml.MappingNode) and isinstance(part, str):
        named = [each for name, each in node.value if name.value == part]
        return named[0] if len(named) == 1 else None
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


def _others(text: str, key: Sequence[Key]) -> list[Any]:
    """All but the value, as it is written: tags that nobody here knows, dates that are none."""
    try:
        return [_without(document, key) for document in _documents(text)]
    except RecursionError as error:
        raise Refused("a part of it has itself as a part") from error


def _without(node: yaml.Node, key: Sequence[Key] | None) -> Any:
    """`key` leads from this node; None where it leads elsewhere."""
    if key is not None and not key:
        return None
    part, *rest = key or (None,)
    match node:
        case yaml.MappingNode():
            pairs = [(name, each, rest if name.value == part else None) for name, each in node.value]
            return node.tag, [(_without(name, None), _without(each, then)) for name, each, then in pairs]
        case yaml.SequenceNode():
            led = _step(node, part)
            here = next((index for index, each in enumerate(node.value) if each is led), None)
            return node.tag, [_without(each, rest if index == here else None) for index, each in enumerate(node.value)]
    return node.tag, node.value
