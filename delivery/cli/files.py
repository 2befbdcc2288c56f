"""Service files on disk, as they are sent: the text whole, and the service that it is about."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml

from delivery.cli.client import Api, Json
from delivery.cli.errors import CommandError, Mistakes, Refusal, place

SUFFIXES = (".yaml", ".yml", ".json")
NAMELESS = "unnamed"
"""In the address of a file whose own name cannot stand there: the server says what is wrong with it and the rest."""
_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")


@dataclass(frozen=True, slots=True)
class ServiceFile:
    path: Path
    service: str
    text: str

    def document(self) -> Mapping[str, object]:
        """What is in it; the server has found no mistake."""
        from delivery import wiring

        return wiring.read(self.text.encode(), str(self.path)).values

    def url(self, *more: str) -> str:
        return "/".join(["/v1/services", self.service, *more])


def read(given: Path) -> tuple[ServiceFile, ...]:
    """The service files of a directory (not below it), or one file. Raises Mistakes, all of them."""
    paths = _paths(given)
    files, wrong = [], []
    for path in paths:
        try:
            files.append(_one(path))
        except CommandError as error:
            wrong.append(error.cause)
    wrong += _twice(files)
    if wrong:
        raise Mistakes(wrong)
    return tuple(files)


def checked(api: Api, files: Sequence[ServiceFile]) -> list[Json]:
    """What the server says of each; nothing is stored. Raises Mistakes, those of all of them."""
    answers, wrong = [], []
    for file in files:
        try:
            answer = api.send("POST", file.url("check"), file.text)
        except Refusal as refusal:
            if not refusal.mistakes:
                raise
            answer = {"valid": False, "mistakes": refusal.mistakes}
        wrong += [place(mistake, str(file.path)) for mistake in answer["mistakes"]]
        answers.append(answer)
    if wrong:
        raise Mistakes(wrong)
    return answers


def _paths(given: Path) -> list[Path]:
    if not given.is_dir():
        return [given]
    found = sorted(path for path in given.iterdir() if path.suffix in SUFFIXES and not path.name.startswith("."))
    if not found:
        raise CommandError(f"{given} has no service files", f"they end with {', '.join(SUFFIXES)}")
    return found


def _one(path: Path) -> ServiceFile:
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise CommandError(f"{path}: is not UTF-8: {error.reason} at byte {error.start}") from error
    except OSError as error:
        raise CommandError(f"{path}: cannot be read: {error.strerror}") from error
    return ServiceFile(path, _service(text), text)


def _service(text: str) -> str:
    try:
        document = yaml.load(text, Loader=yaml.BaseLoader)  # noqa: S506, makes nothing but text, so that `no` is a name
    except (yaml.YAMLError, RecursionError):
        return NAMELESS
    service = document.get("service") if isinstance(document, dict) else None
    return service if isinstance(service, str) and _LABEL.fullmatch(service) else NAMELESS


def _twice(files: Sequence[ServiceFile]) -> list[str]:
    first: dict[str, ServiceFile] = {}
    wrong = []
    for file in (one for one in files if one.service != NAMELESS):
        other = first.setdefault(file.service, file)
        if other is not file:
            wrong.append(f"{file.path}: service {file.service} is in {other.path} too; expected one file for each")
    return wrong
