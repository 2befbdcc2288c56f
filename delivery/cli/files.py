"""Service files on disk, as they are sent: the text whole, and the service that it is about."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml

from delivery.cli.client import Api, Json
from delivery.cli.errors import CommandError, Refusal, place

SUFFIXES = (".yaml", ".yml", ".json")


@dataclass(frozen=True, slots=True)
class ServiceFile:
    path: Path
    service: str
    text: str

    def url(self, *more: str) -> str:
        return "/".join(["/v1/services", self.service, *more])


def read(given: Path) -> tuple[ServiceFile, ...]:
    """The service files of a directory (not below it), or one file. Raises CommandError with every mistake."""
    paths = _paths(given)
    files, wrong = [], []
    for path in paths:
        try:
            files.append(_one(path))
        except CommandError as error:
            wrong.append(error.cause)
    wrong += _twice(files)
    if wrong:
        raise CommandError(_count(wrong), *wrong)
    return tuple(files)


def checked(api: Api, files: Sequence[ServiceFile]) -> list[Json]:
    """What the server says of each; nothing is stored. Raises CommandError with the mistakes of all of them."""
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
        raise CommandError(_count(wrong), *wrong)
    return answers


def _count(wrong: Sequence[str]) -> str:
    return "1 mistake, nothing was applied" if len(wrong) == 1 else f"{len(wrong)} mistakes, nothing was applied"


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
        document = yaml.safe_load(text)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise CommandError(f"{path}:{line}: is not YAML: {error.problem}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise CommandError(f"{path}: is not YAML: {error}") from error
    except OSError as error:
        raise CommandError(f"{path}: cannot be read: {error.strerror}") from error
    service = document.get("service") if isinstance(document, dict) else None
    if not isinstance(service, str) or not service or "/" in service:
        raise CommandError(f"{path}:1: service is missing; expected the name of the service, such as service: checkout")
    return ServiceFile(path, service, text)


def _twice(files: Sequence[ServiceFile]) -> list[str]:
    first: dict[str, ServiceFile] = {}
    wrong = []
    for file in files:
        other = first.setdefault(file.service, file)
        if other is not file:
            wrong.append(f"{file.path}: service {file.service} is in {other.path} too; expected one file for each")
    return wrong
