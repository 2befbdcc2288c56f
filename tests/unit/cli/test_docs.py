"""What the pages show has to work: commands that are there, files that can be applied."""

import itertools
import re
import shlex
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
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
NAMES = [str(page.relative_to(ROOT)) for page in PAGES]


def commands(group: object, before: str = "") -> set[str]:
    """Every command as it is typed, groups too."""
    found: set[str] = set()
    for name, command in getattr(group, "commands", {}).items():
        found |= {f"{before}{name}", *commands(command, f"{before}{name} ")}
    return found


@pytest.mark.parametrize("page", NAMES)
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


def lines(page: str) -> list[list[str]]:
    """Every `delivery ...` that is code on a page, as a shell splits it; lines that go on are one."""
    code = "\n".join(re.findall(r"```.*?```|`[^`\n]+`", (ROOT / page).read_text(), re.DOTALL)).replace("\\\n", " ")
    found = re.findall(r"(?:^|[`|&;(])\s*(?:- run: |- )?delivery ([^`\n]*)", code, re.MULTILINE)
    return [shlex.split(line, comments=True) for line in found]


@pytest.mark.parametrize("page", NAMES)
def test_options_on_the_pages_are_those_of_their_command(page):
    for words in lines(page):
        command, rest = typer.main.get_command(app), list(words)
        while rest and (found := getattr(command, "commands", {}).get(rest[0])):
            command, rest = found, rest[1:]
        known = {name for one in command.params for name in (*one.opts, *one.secondary_opts)} | {"--help", "-h"}
        for word in itertools.takewhile(lambda one: one not in ("|", ">", "&&", ";"), rest):
            option = word.partition("=")[0].rstrip(",.")
            assert not option.startswith("-") or option in known, f"{page}: delivery {' '.join(words)}"


def anchors(page: Path) -> set[str]:
    """What GitHub calls the headings of a page; the second of two that are alike has `-1` behind it."""
    text = re.sub(r"```.*?```", "", page.read_text(), flags=re.DOTALL)
    found: dict[str, int] = {}
    for heading in re.findall(r"^#+ +(.*?)\s*$", text, re.MULTILINE):
        plain = re.sub(r"[^\w\- ]", "", re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).lower()).replace(" ", "-")
        found[plain] = found.get(plain, -1) + 1
    return {f"{name}-{number}" if number else name for name, times in found.items() for number in range(times + 1)}


@pytest.mark.parametrize("page", NAMES)
def test_links_lead_to_pages_and_headings_that_are_there(page):
    text = re.sub(r"```.*?```", "", (ROOT / page).read_text(), flags=re.DOTALL)
    for link in re.findall(r"\]\(([^)\s]+)\)", text):
        if re.match(r"https?:|mailto:", link):
            continue
        name, _, anchor = link.partition("#")
        there = (ROOT / page).parent / name if name else ROOT / page
        assert there.exists(), f"{page}: {link}"
        assert not anchor or anchor in anchors(there), f"{page}: {link}"


def test_the_list_of_pages_has_every_page():
    listed = set(re.findall(r"\]\(([^)#]+)\)", (ROOT / "docs/README.md").read_text()))
    assert {str(page.relative_to(ROOT / "docs")) for page in (ROOT / "docs").rglob("*.md")} - listed == {"README.md"}


@pytest.mark.parametrize("page", NAMES)
def test_rows_of_tables_have_the_cells_of_their_header(page):
    """A blank line in the middle of a table, or a bar too many, shows as plain text."""
    text = re.sub(r"```.*?```", "", (ROOT / page).read_text(), flags=re.DOTALL)
    for table in re.findall(r"(?:^\|.*\n?)+", text, re.MULTILINE):
        header, rule, *rows = table.splitlines()
        assert re.fullmatch(r"[|: -]+", rule), f"{page}: {header}"
        cells = [len(re.findall(r"(?<!\\)\|", row)) for row in (header, rule, *rows)]
        assert len(set(cells)) == 1, f"{page}: {header}"
