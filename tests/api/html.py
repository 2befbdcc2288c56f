"""An HTML document as a tree, as far as tests look into it."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser

VOID = {"meta", "link", "input", "br", "hr", "img"}


@dataclass
class Node:
    tag: str
    attributes: dict[str, str] = field(default_factory=dict)
    parts: list["Node | str"] = field(default_factory=list)

    def __getitem__(self, name: str) -> str:
        return self.attributes[name]

    def get(self, name: str, default: str = "") -> str:
        return self.attributes.get(name, default)

    def all(self, *tags: str, **wanted: str) -> "Iterator[Node]":
        """Descendants in order. `class_` is one of the classes, other names are attributes."""
        for part in self.parts:
            if isinstance(part, Node):
                if (not tags or part.tag in tags) and part._has(wanted):
                    yield part
                yield from part.all(*tags, **wanted)

    def one(self, *tags: str, **wanted: str) -> "Node":
        (found,) = self.all(*tags, **wanted)
        return found

    def _has(self, wanted: dict[str, str]) -> bool:
        return all(
            value in self.get("class").split() if name == "class_" else self.get(name.replace("_", "-")) == value
            for name, value in wanted.items()
        )

    @property
    def text(self) -> str:
        """With single spaces; narrow ones are part of a number."""
        joined = " ".join(part if isinstance(part, str) else part.text for part in self.parts)
        return re.sub(r"[ \n]+", " ", joined).strip(" ")


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.open = [Node("document")]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        node = Node(tag, {name: value or "" for name, value in attrs})
        assert len(node.attributes) == len(attrs), f"an attribute twice: {tag} {attrs}"
        self.open[-1].parts.append(node)
        if tag not in VOID:
            self.open.append(node)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.open[-1].parts.append(Node(tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        assert self.open[-1].tag == tag, f"</{tag}> closes {self.open[-1].tag}"
        self.open.pop()

    def handle_data(self, data: str) -> None:
        self.open[-1].parts.append(data)


def read(text: str) -> Node:
    """The document. Fails where an element is not closed by itself."""
    reader = _Reader()
    reader.feed(text)
    reader.close()
    (document,) = reader.open
    return document
