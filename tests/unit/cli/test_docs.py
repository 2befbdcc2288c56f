"""What the pages show has to work: commands that are there, files that can be applied."""

import re
from pathlib import Path

import pytest
import typer

from delivery.adapters.catalog.yaml_file import read_text
from delivery.cli.main import app
from delivery.sandbox.demo.show import HEADERS
from delivery.strategies.plan import compile_plan
from delivery.wiring import parse

ROOT = Path(__file__).resolve().parents[3]
README = (ROOT / "README.md").read_text()
PAGES = (
    "README.md",
    "CONTRIBUTING.md",
    *(
        f"docs/{name}.md"
        for name in ("adopt", "api", "ci", "cli", "deploy", "events", "runbook", "security", "service-file")
    ),
)


def commands(group: object, before: str = "") -> set[str]:
    """Every command as it is typed, groups too."""
    found: set[str] = set()
    for name, command in getattr(group, "commands", {}).items():
        found |= {f"{before}{name}", *commands(command, f"{before}{name} ")}
    return found


@pytest.mark.parametrize("page", PAGES)
def test_commands_on_the_pages_exist(page):
    known = commands(typer.main.get_command(app))
    groups = {name.partition(" ")[0] for name in known if " " in name}
    code = "\n".join(re.findall(r"```.*?```|`[^`\n]+`", (ROOT / page).read_text(), re.DOTALL))
    for words in re.findall(r"(?:^|[`|&;(])\s*delivery ([a-z]+(?: [a-z]+)?)", code, re.MULTILINE):
        first, _, second = words.partition(" ")
        if first in groups and second:
            assert words in known, f"{page}: delivery {words}"
        elif first != "command":
            assert first in known, f"{page}: delivery {words}"


def test_the_command_page_names_every_command():
    page = (ROOT / "docs/cli.md").read_text()
    assert [name for name in commands(typer.main.get_command(app)) if f"{name.rpartition(' ')[2]}" not in page] == []


@pytest.mark.parametrize("text", re.findall(r"```yaml\n(service:.*?)```", README, re.DOTALL))
def test_service_files_of_the_readme_can_be_applied(text):
    assert compile_plan(parse(read_text(text))).stages


def test_the_readme_shows_the_table_as_it_is_printed():
    assert "  ".join(HEADERS[:3]) in re.sub(r" {2,}", "  ", README)
    assert HEADERS[8] in README


def test_pages_link_to_pages_that_are_there():
    for page in [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md")]:
        for link in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text()):
            assert (page.parent / link).exists(), f"{page.name}: {link}"
