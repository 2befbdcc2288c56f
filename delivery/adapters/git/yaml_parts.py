"""Parts of an object in a YAML text are put there; the rest stays as its owners wrote it, byte for byte. Pure.

What is equal before and after keeps its own text, with the comments above it and beside it.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import yaml

from delivery.adapters.git import yaml_text
from delivery.ports.errors import Refused

NULL = "tag:yaml.org,2002:null"
WIDE = 10_000  # a line is never broken: what is not ours to format is not formatted


def documents(text: str) -> list[Any]:
    """All objects of a text. Raises Refused where it is no YAML."""
    try:
        return list(yaml.safe_load_all(text))
    except yaml_text.BROKEN as error:
        raise Refused(f"it is no YAML: {error}") from error


def with_annotation(text: str, number: int, key: str, value: str) -> str:
    """The text with an annotation of the object at this place."""
    metadata = _node(text, number, ("metadata",))
    annotations = _child(metadata, "annotations")
    if annotations is None:
        return _insert(text, metadata, "annotations", {key: value})
    if not annotations.value or annotations.tag == NULL:
        return _replaced(text, annotations, _flow({key: value}))
    existing = _child(annotations, key)
    if existing is None:
        return _insert(text, annotations, key, value)
    return _replaced(text, existing, _scalar(value))


def with_list(text: str, number: int, key: Sequence[str], wanted: Sequence[Any]) -> str:
    """The text with another list there; entries that were in it before keep their text."""
    node = _node(text, number, key)
    if not isinstance(node, yaml.SequenceNode):
        raise Refused(f"{'.'.join(key)} is no list")
    start = node.start_mark.index
    if node.flow_style:
        return f"{text[:start]}{_flow(wanted)}{text[node.end_mark.index :]}"
    column = node.start_mark.column
    begin = _with_comments(text, start - column)
    chunks: list[tuple[Any, str]] = []
    at = begin
    for one in node.value:
        end = _line_end(text, _last(one))
        chunks.append((_value(one), text[at:end].removesuffix("\n") + "\n"))  # the last line may have no end
        at = end
    kept = [*chunks]
    lines = []
    for each in wanted:
        index = next((place for place, (value, _) in enumerate(kept) if value == each), None)
        lines.append(_entry(each, column) if index is None else kept.pop(index)[1])
    return text[:begin] + "".join(lines) + text[at:]


def _entry(value: Any, column: int) -> str:
    dumped = str(yaml.safe_dump([value], sort_keys=False, width=WIDE))
    return "".join(f"{' ' * column}{line}\n" for line in dumped.splitlines())


def _insert(text: str, mapping: yaml.Node, key: str, value: Any) -> str:
    """Before its first key."""
    if not isinstance(mapping, yaml.MappingNode) or not mapping.value:
        raise Refused(f"there is nothing to put {key} into")
    start, column = mapping.start_mark.index, mapping.start_mark.column
    if mapping.flow_style:
        return f"{text[: start + 1]}{_flow({key: value})[1:-1]}, {text[start + 1 :]}"
    dumped = str(yaml.safe_dump({key: value}, sort_keys=False, width=WIDE))
    lines = f"\n{' ' * column}".join(dumped.splitlines())
    return f"{text[:start]}{lines}\n{' ' * column}{text[start:]}"


def _replaced(text: str, node: yaml.Node, new: str) -> str:
    """A block scalar ends where the next line begins, and nothing at all right behind the colon."""
    start, end = node.start_mark.index, node.end_mark.index
    before, after = (" " if start == end else "", "\n" if text[start:end].endswith("\n") else "")
    return f"{text[:start]}{before}{new}{after}{text[end:]}"


def _node(text: str, number: int, key: Sequence[str]) -> yaml.Node:
    found: yaml.Node | None = list(yaml.compose_all(text, Loader=yaml.SafeLoader))[number]
    for name in key:
        found = _child(found, name)
    if found is None:
        raise Refused(f"there is no {'.'.join(key)} in it")
    return found


def _child(node: yaml.Node | None, name: str) -> yaml.Node | None:
    if not isinstance(node, yaml.MappingNode):
        return None
    return next((each for key, each in node.value if key.value == name), None)


def _last(node: yaml.Node) -> int:
    """Where its last character is: a block ends, for YAML, only where the next one begins."""
    if isinstance(node, yaml.CollectionNode) and not node.flow_style and node.value:
        last = node.value[-1]
        return _last(last[1] if isinstance(last, tuple) else last)
    return int(node.end_mark.index)


def _line_end(text: str, index: int) -> int:
    """After the line that this is in. A block scalar ends at the beginning of the next one."""
    if index and text[index - 1] == "\n":
        return index
    found = text.find("\n", index)
    return len(text) if found < 0 else found + 1


def _with_comments(text: str, begin: int) -> int:
    """The beginning of a line, or of the comments right above it, which belong to it."""
    while begin > 0:
        above = text.rfind("\n", 0, begin - 1) + 1
        if not text[above:begin].lstrip().startswith("#"):
            break
        begin = above
    return begin


def _value(node: yaml.Node) -> Any:
    loader = yaml.SafeLoader("")
    try:
        return loader.construct_document(node)
    finally:
        loader.dispose()


def _flow(value: Any) -> str:
    return str(yaml.safe_dump(value, default_flow_style=True, sort_keys=False, width=WIDE)).strip()


def _scalar(value: str) -> str:
    return yaml_text.quoted(value)


def without_server_fields(found: Mapping[str, Any]) -> dict[str, Any]:
    """An object as it would stand in git."""
    own = ("managedFields", "resourceVersion", "uid", "generation", "creationTimestamp", "selfLink")
    metadata = {key: value for key, value in found["metadata"].items() if key not in own}
    return {**{key: value for key, value in found.items() if key != "status"}, "metadata": metadata}
