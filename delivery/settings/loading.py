"""Reading the configuration, and saying what is wrong with it."""

import re
import tomllib
import types
import typing
from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from delivery.settings.tables import Settings

DEFAULT_PATH = "delivery.toml"
OVERRIDES: Mapping[str, tuple[str, str]] = {
    "DELIVERY_DATABASE_URL": ("database", "url"),
    "DELIVERY_BROKER_URL": ("broker", "url"),
    "DELIVERY_PUBLIC_URL": ("server", "public_url"),
}
"""Environment variables that win over the file, with the field that each sets."""


class SettingsError(Exception):
    """The configuration cannot be used. `mistakes` are (field, what is wrong and what is expected)."""

    def __init__(self, path: str, mistakes: tuple[tuple[str, str], ...]) -> None:
        lines = [f"  {field}: {text}" if field else f"  {text}" for field, text in mistakes]
        super().__init__("\n".join([f"{path}: the configuration cannot be used:", *lines]))
        self.mistakes = mistakes


def load(environ: Mapping[str, str], path: str | None = None) -> Settings:
    """The configuration from `path`, else from what DELIVERY_CONFIG names, else from ./delivery.toml.

    Raises SettingsError with every mistake.
    """
    path = path or environ.get("DELIVERY_CONFIG") or DEFAULT_PATH
    try:
        document = tomllib.loads(Path(path).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise SettingsError(path, (("", "there is no such file; name one with --config or DELIVERY_CONFIG"),)) from None
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise SettingsError(path, (("", f"not a readable TOML file: {error}"),)) from error
    return parse(document, environ, path)


def parse(document: Mapping[str, Any], environ: Mapping[str, str], path: str = "settings") -> Settings:
    """Settings from a document as TOML reads it. Raises SettingsError with every mistake."""
    mistakes: list[tuple[str, str]] = []
    resolved = _resolve(document, environ, "", mistakes)
    for variable, (table, key) in OVERRIDES.items():
        if variable in environ and isinstance(fields := resolved.setdefault(table, {}), dict):
            fields[key] = environ[variable].strip()
    if mistakes:
        raise SettingsError(path, tuple(mistakes))
    try:
        return Settings.model_validate(resolved)
    except ValidationError as error:
        raise SettingsError(path, tuple(_explain(dict(one)) for one in error.errors())) from None


def _resolve(value: Any, environ: Mapping[str, str], place: str, mistakes: list[tuple[str, str]]) -> Any:
    """The value with each `{env = "NAME"}` and `{file = "PATH"}` replaced by what it refers to."""
    if isinstance(value, list):
        return [_resolve(item, environ, f"{place}[{index}]", mistakes) for index, item in enumerate(value)]
    if not isinstance(value, Mapping):
        return value
    match list(value.items()):
        case [("env", str(name))]:
            if name not in environ:
                mistakes.append((place, f"the environment variable {name} is not set"))
            return environ.get(name, "").strip()  # as of a file: secrets often end with a line end
        case [("file", str(name))]:
            try:
                return Path(name).read_text(encoding="utf-8").strip()
            except (OSError, UnicodeDecodeError) as error:
                mistakes.append((place, f"cannot read the file that it names: {error}"))
                return None
    return {key: _resolve(item, environ, f"{place}.{key}" if place else key, mistakes) for key, item in value.items()}


def _explain(error: Mapping[str, Any]) -> tuple[str, str]:
    loc = tuple(part for part in error["loc"] if part != "[key]")
    place = re.sub(r"\.\[", "[", ".".join(f"[{part}]" if isinstance(part, int) else str(part) for part in loc))
    if error["loc"][-1:] == ("[key]",) and error["type"] != "enum":
        return place, "not a DNS-1123 name (lower-case letters, digits and -)"
    if error["type"] == "extra_forbidden":
        near = get_close_matches(str(loc[-1]), _fields_at(loc[:-1]), n=1)
        return place, "unknown field" + (f"; did you mean {near[0]}?" if near else "")
    if not loc:
        return "", str(error["msg"]).removeprefix("Value error, ")
    found = "missing" if error["type"] == "missing" else "not usable"
    expected = _description(loc)
    return place, f"{found}; expected {expected}" if expected else f"{found}; {error['msg']}"


def _description(loc: tuple[int | str, ...]) -> str:
    """What the innermost described field on the way to `loc` expects."""
    found, kind = "", typing.cast(Any, Settings)
    for part in loc:
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            field = kind.model_fields.get(str(part))
            if field is None:
                return found
            found, kind = field.description or found, _inner(field.annotation)
        else:
            kind = _inner(typing.get_args(kind)[-1 if isinstance(part, str) else 0])
    return found


def _fields_at(loc: tuple[int | str, ...]) -> list[str]:
    kind: Any = Settings
    for part in loc:
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            kind = _inner(kind.model_fields[str(part)].annotation)
        else:
            kind = _inner(typing.get_args(kind)[-1 if isinstance(part, str) else 0])
    return list(kind.model_fields) if isinstance(kind, type) and issubclass(kind, BaseModel) else []


def _inner(kind: Any) -> Any:
    """`X | None` as X."""
    if isinstance(kind, types.UnionType):
        return next(arg for arg in typing.get_args(kind) if arg is not type(None))
    return kind
