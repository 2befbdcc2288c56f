"""Text of PromQL: what comes from outside gets into a query only as a quoted value. Pure."""

import re
from collections.abc import Iterable, Mapping

_SPECIAL = re.compile(r"[\\.+*?()|\[\]{}^$]")
_LABEL = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")
_METRIC = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")
_TOKEN = re.compile(
    r"""(?P<quoted>(?:(?P<operator>=~|!~)\s*)?(?P<mark>["'])(?:\\.|(?!(?P=mark)).)*(?P=mark))"""
    r"|(?P<raw>`)|(?P<comment>\#)|(?P<bare>\{[a-z_]+\})",
    re.DOTALL,
)
_PLACE = re.compile(r"\{([a-z_]+)\}")


class BadQuery(ValueError):
    """A query, a label or a metric of the configuration that cannot be used."""


def quoted(value: str) -> str:
    """A string literal with exactly this value."""
    return f'"{_escaped(value)}"'


def literally(value: str) -> str:
    """A regular expression (RE2) that matches just this text."""
    return _SPECIAL.sub(r"\\\g<0>", value)


def one_of(values: Iterable[str]) -> str:
    """A regular expression that matches each of these texts and no other; the server looks up a plain list."""
    return "|".join(map(literally, values))


def label(name: str) -> str:
    """The name, if a label may be called so. Raises BadQuery."""
    if not _LABEL.fullmatch(name):
        raise BadQuery(f"{name!r} is no name of a label: letters, digits and _")
    return name


def metric(name: str) -> str:
    """The name, if a metric may be called so. Raises BadQuery."""
    if not _METRIC.fullmatch(name):
        raise BadQuery(f"{name!r} is no name of a metric: letters, digits, _ and :")
    return name


def filled(text: str, values: Mapping[str, str]) -> str:
    """A plain text with its placeholders (`{version}`) replaced."""
    return _PLACE.sub(lambda match: values[match[1]], text)


def places(text: str) -> frozenset[str]:
    """The names of the placeholders in a plain text."""
    return frozenset(_PLACE.findall(text))


def check(query: str, known: Iterable[str]) -> frozenset[str]:
    """The placeholders of a query that people wrote.

    Raises BadQuery for a name that is not `known`, and for a placeholder outside of a quoted value: only there can a
    value be escaped so that it stays a value.
    """
    found: set[str] = set()
    for token in _TOKEN.finditer(query):
        if token["raw"] or token["comment"]:
            raise BadQuery(f'a query has no {token[0]}: write values in "quotes", and comments elsewhere')
        if token["bare"]:
            raise BadQuery(f'{token["bare"]} stands outside of a quoted value: write label="{token["bare"]}"')
        found |= places(token["quoted"])
    unknown = sorted(found - set(known))
    if unknown:
        raise BadQuery(f"there is no {{{unknown[0]}}}; there is: {', '.join(f'{{{name}}}' for name in sorted(known))}")
    return frozenset(found)


def rendered(query: str, values: Mapping[str, str]) -> str:
    """A checked query with its placeholders replaced, each escaped for the string that it stands in.

    In a regular expression (`=~`, `!~`) a value matches just itself.
    """

    def one(token: re.Match[str]) -> str:
        escape = literally if token["operator"] else str
        return _PLACE.sub(lambda place: _escaped(escape(values[place[1]])), token[0])

    return _TOKEN.sub(one, query)


def _escaped(value: str) -> str:
    """For a string in double or in single quotes: neither knows the other's mark behind a backslash."""
    text = value.replace("\\", "\\\\").replace('"', "\\x22").replace("'", "\\x27").replace("\n", "\\n")
    return text.replace("\r", "\\r").replace("\x00", "\\x00")
