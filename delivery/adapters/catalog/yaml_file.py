"""Service files as text: YAML's plain part, read into values with the line of each.

Built on the parser's events and not on its loader. So anchors, aliases and tags never come to life (a few lines of
aliases can unfold to gigabytes), and words mean what they say: `NO` is a country and not false, `1:30` is no number.
What plain words mean is the core schema of YAML 1.2, without the forms that nobody writes (octal, infinity).
"""

import re
from collections.abc import Mapping
from pathlib import Path

import yaml

from delivery.catalog.document import Document
from delivery.model.mistake import Invalid, Mistake, inside

LARGEST = 64 * 1024
DEEPEST = 20
SUFFIXES = (".yaml", ".yml")

_WORDS: Mapping[str, object] = {
    "": None, "~": None, "null": None, "Null": None, "NULL": None,
    "true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False,
}  # fmt: skip
_WHOLE = re.compile(r"[-+]?[0-9]{1,18}")
_NUMBER = re.compile(r"[-+]?(?:[0-9]{1,18}\.?[0-9]{0,18}|\.[0-9]{1,18})(?:[eE][-+]?[0-9]{1,2})?")

_REMEDIES = {
    "'\\t'": "spaces, no tabs",
    "<block end>": "a line that begins in the column of one above it",
    "mapping values are not allowed here": "one `key: value` in a line, in quotes if the value has a colon",
}
"""By words of the parser: what was expected there, for those who do not know its words."""

Container = dict[str, object] | list[object]


def read_file(path: Path) -> Document:
    """One file. Raises Invalid, and OSError where it cannot be read."""
    return read_text(path.read_bytes(), str(path))


def read_directory(path: Path) -> tuple[tuple[Document, ...], tuple[Invalid, ...]]:
    """All service files of a directory (not below it), by name: those that are YAML, and what is wrong with the others.

    A service that two files have is wrong in the second one.
    """
    documents: dict[object, Document] = {}
    refused: list[Invalid] = []
    for file in sorted(path.iterdir()):
        if file.suffix not in SUFFIXES or file.name.startswith(".") or not file.is_file():
            continue
        try:
            document = read_file(file)
            service = str(document.values.get("service"))
            if service in documents:
                problem = f"is {service!r}, which {documents[service].file} has too"
                raise Invalid(
                    [Mistake("service", document.lines.get("service"), problem, "one file for each service")], str(file)
                )
            documents[service] = document
        except Invalid as invalid:
            refused.append(invalid)
    return tuple(documents.values()), tuple(refused)


def read_text(text: str | bytes, file: str = "") -> Document:
    """The document in a text. Raises Invalid."""
    if len(text) > LARGEST:
        raise Invalid([Mistake("", None, f"has {len(text)} bytes", f"at most {LARGEST}")], file)
    builder = _Builder()
    try:
        for event in yaml.parse(_decoded(text), Loader=yaml.SafeLoader):
            builder.take(event)
    except _Refused as refused:
        raise Invalid([refused.mistake], file) from None
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else None
        raise Invalid([Mistake("", line, f"is not YAML: {error.problem}", _remedy(str(error.problem)))], file) from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise Invalid([Mistake("", None, f"is not YAML: {str(error).splitlines()[0]}")], file) from None
    if not isinstance(builder.root, dict):
        raise Invalid(
            [Mistake("", 1, "is empty" if builder.root is None else "is no mapping", "a mapping: service: NAME ...")],
            file,
        )
    return Document(builder.root, builder.lines, file)


def _decoded(text: str | bytes) -> str:
    return text.decode("utf-8") if isinstance(text, bytes) else text


def _remedy(problem: str) -> str:
    return next((remedy for words, remedy in _REMEDIES.items() if words in problem), "")


class _Refused(Exception):
    def __init__(self, mistake: Mistake) -> None:
        super().__init__(str(mistake))
        self.mistake = mistake


class _Builder:
    """Values out of events, one at a time: depth is bounded here and not by the interpreter's stack."""

    def __init__(self) -> None:
        self.root: object = None
        self.lines: dict[str, int] = {}
        self._documents = 0
        self._open: list[tuple[Container, str]] = []
        self._key: list[str | None] = []  # the key that waits for its value, for each open container

    def take(self, event: yaml.Event) -> None:
        """One event. Raises _Refused for what a service file cannot have."""
        line = event.start_mark.line + 1 if event.start_mark else 1
        match event:
            case yaml.DocumentStartEvent():
                self._documents += 1
                if self._documents > 1:
                    self._refuse(line, "is a second document", "one document in each file")
            case yaml.AliasEvent():
                self._refuse(line, "has an alias", "values written out: aliases and anchors are refused")
            case yaml.ScalarEvent():
                self._plain(event, line)
                self._scalar(event, line)
            case yaml.MappingStartEvent():
                self._plain(event, line)
                self._begin({}, line)
            case yaml.SequenceStartEvent():
                self._plain(event, line)
                self._begin([], line)
            case yaml.MappingEndEvent() | yaml.SequenceEndEvent():
                self._open.pop()
                self._key.pop()

    def _plain(self, event: yaml.NodeEvent, line: int) -> None:
        if event.anchor is not None:
            self._refuse(
                line, f"has an anchor, &{event.anchor[:40]}", "values written out: aliases and anchors are refused"
            )
        tag = getattr(event, "tag", None)
        if tag is not None:
            self._refuse(line, f"has a tag, {tag[:40]}", "plain values")

    def _scalar(self, event: yaml.ScalarEvent, line: int) -> None:
        if self._open and isinstance(self._open[-1][0], dict) and self._key[-1] is None:
            self._name(event.value, line)
        else:
            self._place(_value(event), line)

    def _name(self, key: str, line: int) -> None:
        container, place = self._open[-1]
        if key in container:
            self._refuse(line, "is there twice", "each key once", inside(place, key))
        self._key[-1] = key
        self.lines[inside(place, key)] = line

    def _begin(self, container: Container, line: int) -> None:
        if self._open and isinstance(self._open[-1][0], dict) and self._key[-1] is None:
            self._refuse(line, "has a key that is a list or a mapping", "text as keys")
        if len(self._open) >= DEEPEST:
            self._refuse(line, "is nested too deeply", f"at most {DEEPEST} levels")
        place = self._place(container, line)
        self._open.append((container, place))
        self._key.append(None)

    def _place(self, value: object, line: int) -> str:
        """Puts a value where it belongs, and says where that is."""
        if not self._open:
            self.root = value
            return ""
        container, place = self._open[-1][0], self._here()
        if isinstance(container, list):
            container.append(value)
            self.lines[place] = line
        else:
            container[self._key[-1] or ""] = value
            self._key[-1] = None
        return place

    def _refuse(self, line: int, problem: str, expected: str, place: str = "") -> None:
        raise _Refused(Mistake(place or self._here(), line, problem, expected))

    def _here(self) -> str:
        """The place of the value that comes next."""
        if not self._open:
            return ""
        container, place = self._open[-1]
        if isinstance(container, list):
            return inside(place, len(container))
        key = self._key[-1]
        return place if key is None else inside(place, key)


def _value(event: yaml.ScalarEvent) -> object:
    """What a scalar means; quoted ones are text."""
    text: str = event.value
    if event.style is not None:
        return text
    if text in _WORDS:
        return _WORDS[text]
    if _WHOLE.fullmatch(text):
        return int(text)
    return float(text) if _NUMBER.fullmatch(text) else text
