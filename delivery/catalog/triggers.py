"""The section `triggers` of a service file: which events of other systems start a release of it."""

import re
from typing import Final

from delivery.model.fields import Fields
from delivery.model.scalars import Reader, name, pattern, text
from delivery.model.trigger import PLACEHOLDER, Trigger

_FACT: Final = pattern(r"[a-z][a-z_]{0,39}", "the name of a fact, such as branch")
_EVENT: Final = pattern(r"[a-z][a-z0-9_.]{0,79}", "an event as the source's dialect calls it, such as workflow_run")


def read_triggers(fields: Fields) -> tuple[Trigger, ...]:
    """The triggers; mistakes stay in `fields`."""
    return tuple(_trigger(item) for item in fields.subs("triggers"))


def _trigger(item: Fields) -> Trigger:
    where = item.sub("where")
    for key in where.keys:
        if _FACT.read(key) is None:
            where.wrong(key, "is no name of a fact", _FACT.expected)
    return Trigger(
        source=item.get("source", name()),
        event=item.get("event", _EVENT),
        where={key: where.get(key, text(300)) for key in where.keys},
        version=item.get("version", _TEMPLATE, "{version}"),
        image=item.get("image", _TEMPLATE, None),
        cluster=item.name("cluster", None),
        urgent=item.flag("urgent", False),
    )


def _template(raw: object) -> str | None:
    """Text whose braces are placeholders all."""
    if not isinstance(raw, str) or not 0 < len(raw) <= 400:
        return None
    return None if re.search(r"[{}]", PLACEHOLDER.sub("", raw)) else raw


_TEMPLATE: Final = Reader('text with facts of the event in it, such as "{tag}" or "{sha:7}"', "", _template)
