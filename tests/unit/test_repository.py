"""What must hold for the repository as a whole and no other tool checks."""

import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from tools.setup import why_not_machine, why_not_python

ROOT = Path(__file__).resolve().parents[2]
LOCKS = sorted((ROOT / "requirements").glob("*.txt"))

# Small files are the cheapest way to keep one reason to change per file. Half of kopf's longest ones, which are good.
MOST_LINES = 400

# In parts, so that this file passes its own test.
HOSTS = [
    "pypi" + ".org",
    "python" + "hosted.org",
    "registry" + ".npmjs.org",
    "proxy" + ".golang.org",
    "deb" + ".debian.org",
    "crates" + ".io",
    "repo1" + ".maven.org",
]
MACHINE_PATHS = ["/work" + "/", "/root" + "/", "/home" + "/[a-z]", "/Users" + "/[a-z]"]


def tracked() -> list[Path]:
    git = ["git", "-c", f"safe.directory={ROOT}", "ls-files", "-z"]
    names = subprocess.run(git, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    return [path for name in names.split("\0") if name and (path := ROOT / name).is_file()]


def lines_with(pattern: str) -> Iterator[str]:
    search = re.compile(pattern)
    for path in tracked():
        text = path.read_bytes().decode("utf-8", "replace")
        for number, line in enumerate(text.splitlines(), 1):
            if search.search(line):
                yield f"{path.relative_to(ROOT)}:{number}: {line.strip()[:160]}"


def test_the_migrations_do_not_shadow_the_library() -> None:
    # With it `alembic.command` is gone wherever the checkout comes first on the path, and pytest hides the fault.
    assert not (ROOT / "alembic" / "__init__.py").exists()


def test_no_file_names_a_package_registry() -> None:
    assert list(lines_with("|".join(map(re.escape, HOSTS)))) == []


def test_no_file_names_a_path_of_one_machine() -> None:
    assert list(lines_with(rf"(?<![\w.])({'|'.join(MACHINE_PATHS)})")) == []


def test_files_are_small() -> None:
    sizes = {
        str(path.relative_to(ROOT)): len(path.read_text().splitlines())
        for path in tracked()
        if path.suffix == ".py" and path.relative_to(ROOT).parts[0] in {"delivery", "workers", "api"}
    }
    assert {name: size for name, size in sizes.items() if size > MOST_LINES} == {}


def test_ci_can_be_started() -> None:
    assert os.access(ROOT / ".ci" / "run", os.X_OK)


def pins(lock: Path) -> list[str]:
    """One string per requirement, its continuation lines joined."""
    text = "\n".join(line for line in lock.read_text().splitlines() if not line.lstrip().startswith("#"))
    return [entry for entry in text.replace("\\\n", " ").splitlines() if entry.strip()]


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.name)
def test_every_pin_has_its_hash(lock: Path) -> None:
    entries = pins(lock)
    assert entries
    exact = re.compile(r"[a-z0-9.-]+==\S+( ; [^-]+)?(\s+--hash=sha256:[0-9a-f]{64})+")
    assert [entry[:100] for entry in entries if not exact.fullmatch(entry.strip())] == []


def plain_name(requirement: str) -> str:
    return re.split(r"[^\w.-]", requirement, maxsplit=1)[0].lower().replace("_", "-")


def test_the_lock_knows_every_dependency() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    extras, groups = project["project"]["optional-dependencies"], project["dependency-groups"]
    run = {plain_name(entry) for entry in project["project"]["dependencies"]}
    everything = run | {plain_name(entry) for group in [*extras.values(), *groups.values()] for entry in group}
    locked = {lock.name: {plain_name(entry) for entry in pins(lock)} for lock in LOCKS}
    assert run - locked["run.txt"] == set()
    assert everything - locked["dev.txt"] == set()


def test_both_locks_pin_the_same() -> None:
    run, dev = ({entry.split("--hash")[0].strip() for entry in pins(ROOT / "requirements" / name)} for name in
                ("run.txt", "dev.txt"))  # fmt: skip
    assert run - dev == set()


def test_documents_name_commands_that_exist() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    code = re.compile(r"```.*?```|`[^`\n]+`|^(?: {4}|\t)[^\n]*", re.DOTALL | re.MULTILINE)
    named = {
        (str(path.relative_to(ROOT)), target)
        for path in tracked()
        if path.suffix == ".md"
        for block in code.findall(path.read_text())
        for target in re.findall(r"(?:^|[\s`;&|])make ([a-z][a-z-]*)", block)
    }
    assert {(path, target) for path, target in named if target not in targets} == set()


@pytest.mark.parametrize(
    ("system", "machine", "libc", "macos", "said"),
    [
        ("Linux", "x86_64", "2.36", "", ""),
        ("Linux", "aarch64", "2.31", "", ""),
        ("Linux", "x86_64", "musl", "", "musl"),
        ("Linux", "x86_64", "2.28", "", "glibc 2.28"),
        ("Linux", "ppc64le", "2.36", "", "ppc64le"),
        ("Darwin", "arm64", "", "15.1", ""),
        ("Darwin", "arm64", "", "26", ""),
        ("Darwin", "arm64", "", "14.7.1", "macOS 14.7.1"),
        ("Darwin", "x86_64", "", "15.1", "Intel Mac"),
        ("Windows", "AMD64", "", "", "WSL"),
    ],
)
def test_setup_says_in_one_sentence_where_envoy_is_missing(
    system: str, machine: str, libc: str, macos: str, said: str
) -> None:
    reason = why_not_machine(system, machine, libc, macos)
    assert bool(reason) == bool(said)
    assert said in reason
    assert "\n" not in reason


def test_setup_names_the_python_it_needs() -> None:
    assert why_not_python((3, 11)) == ""
    assert why_not_python((3, 14)) == ""
    assert "3.11 or newer" in why_not_python((3, 10))


def test_setup_leaves_another_folders_environment_alone(tmp_path: Path) -> None:
    """Made anew for this folder, it would be gone for the other one."""
    (tmp_path / "tools").mkdir()
    shutil.copy(ROOT / "tools" / "setup.py", tmp_path / "tools")
    (tmp_path / "other").mkdir()
    (tmp_path / ".venv").symlink_to(tmp_path / "other")
    done = subprocess.run(
        [sys.executable, "tools/setup.py"], cwd=tmp_path, capture_output=True, text=True, check=False, timeout=30
    )
    assert done.returncode == 1
    assert "is a link" in done.stderr
    assert not [*(tmp_path / "other").iterdir()]
