"""What the CI around a command shows besides its log: annotations, a summary, outputs. Elsewhere nothing."""

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from delivery.cli.client import Json
from delivery.cli.errors import Code
from delivery.cli.naming import full_name

_LEVELS = {Code.OK: "notice", Code.NEEDS_PERSON: "warning"}
"""Everything else is an error."""


@dataclass(frozen=True, slots=True)
class End:
    """How one release was left: `text` is the sentence why."""

    release: Json
    code: Code
    text: str

    @property
    def link(self) -> str:
        links: Mapping[str, str] = self.release["links"]
        return links.get("html", links["self"])


@dataclass(frozen=True, slots=True)
class Pipeline:
    """GitHub Actions is known by its environment. `annotations` is a report for GitLab, `summary` a page anywhere."""

    environ: Mapping[str, str]
    annotations: Path | None = None
    summary: Path | None = None

    def ended(self, ends: Sequence[End]) -> Sequence[str]:
        """Says how the releases were left; what of that could not be written, which changes nothing of it."""
        if self._github:
            for end in ends:
                _annotate(_LEVELS.get(end.code, "error"), full_name(end.release), f"{end.text} {end.link}")
        page = self.summary or (self.environ.get("GITHUB_STEP_SUMMARY") if self._github else None)
        report = json.dumps({"Releases": [_link(end) for end in ends]})
        written = (
            _written(self.environ.get("GITHUB_OUTPUT") if self._github else None, "".join(map(_output, ends[:1]))),
            _written(page, "".join(map(_page, ends))),
            _written(self.annotations, report, "w"),
        )
        return [why for why in written if why]

    def failed(self, text: str) -> None:
        """Says why there is no release to speak of."""
        if self._github:
            _annotate("error", "delivery", text)

    @property
    def commit(self) -> str | None:
        """What the job was started for, as GitHub or GitLab tell their jobs."""
        return self.environ.get("GITHUB_SHA") or self.environ.get("CI_COMMIT_SHA")

    @property
    def run_url(self) -> str | None:
        """Where people see the job."""
        parts = [self.environ.get(f"GITHUB_{name}") for name in ("SERVER_URL", "REPOSITORY", "RUN_ID")]
        server, repository, run = parts
        return f"{server}/{repository}/actions/runs/{run}" if all(parts) else self.environ.get("CI_JOB_URL")

    @property
    def _github(self) -> bool:
        return self.environ.get("GITHUB_ACTIONS") == "true"


def _annotate(level: str, title: str, text: str) -> None:
    """A workflow command, on stderr: stdout may be for a program."""
    print(f"::{level} title={_escaped(title, ':,')}::{_escaped(text)}", file=sys.stderr)


def _escaped(text: str, more: str = "") -> str:
    """What is no text in a workflow command, as GitHub writes it."""
    return "".join(f"%{ord(char):02X}" if char in f"%\r\n{more}" else char for char in text)


def _link(end: End) -> Json:
    return {"external_link": {"label": f"{full_name(end.release)}: {end.text}", "url": end.link}}


def _output(end: End) -> str:
    """For later steps: `steps.ID.outputs.state`."""
    return f"release={end.release['id']}\nstate={end.release['state']}\nurl={end.link}\n"


def _page(end: End) -> str:
    release = end.release
    versions = " → ".join(one["version"] for one in (release.get("from"), release["to"]) if one)
    lines = [f"### [{_cell(full_name(release))}]({end.link}) {_cell(versions)}: {release['state'].replace('_', ' ')}"]
    lines += ["", _cell(end.text), "", "| stage | | measured |", "|---|---|---|"]
    for stage in release["stages"]:
        found = "; ".join(gate["text"] for gate in stage["analysis"])
        lines.append(f"| {_cell(stage['name'])} | {stage['state']} | {_cell(found)} |")
    return "\n".join(lines) + "\n\n"


def _cell(text: str) -> str:
    """Text that is no markup, in one cell of a table."""
    for char in "\\`*_[]<>|":
        text = text.replace(char, f"\\{char}")
    return " ".join(text.split())


def _written(path: str | Path | None, text: str, how: str = "a") -> str:
    """Why it was not; nothing where it was, or nothing was to be written."""
    if not path or not text:
        return ""
    try:
        with Path(path).open(how, encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        return f"{path} cannot be written: {error.strerror}"
    return ""
