"""Which file says a service's image, as the server's configuration has it. Raises ValueError with the place of a
mistake."""

from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any

from delivery.adapters.git import yaml_text
from delivery.adapters.workloads.gitops.adapter import Entry
from delivery.model.place import Told


def entries(services: Mapping[str, Any]) -> Mapping[str, Entry]:
    return {name: _entry(name, table) for name, table in services.items()}


def _entry(name: str, table: Any) -> Entry:
    match table:
        case {"path": str(path), "key": str(key), **rest} if rest.keys() <= {"value"}:
            if PurePosixPath(path).is_absolute() or ".." in PurePosixPath(path).parts:
                raise ValueError(f"services.{name}.path: {path!r} leaves the repository")
            try:
                return Entry(path, yaml_text.path(key), Told(str(rest.get("value", Told.TAG.value))))
            except ValueError as error:
                raise ValueError(f"services.{name}: {error}") from None
    raise ValueError(f'services.{name}: expected {{path = "FILE", key = "a.b", value = "tag"}}')
