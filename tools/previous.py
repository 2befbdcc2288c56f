"""Keeps the version that landed before, for the tests that run it beside this one: `python -m tools.previous COMMIT`.

Its source goes into one file of the tests, because a clone need not have the history. Run it when a version is
released, before the first change of the next one.
"""

import io
import lzma
import subprocess
import sys
import tarfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
KEPT = ROOT / "tests" / "upgrade" / "previous.tar.xz"
PARTS = ("delivery", "workers", "api", "alembic", "deploy/chart")
UNNEEDED = ("delivery/testing", "delivery/cli")


def keep(commit: str) -> str:
    """Writes the source of this commit's service; its full name."""
    name = _git("rev-parse", "--verify", f"{commit}^{{commit}}").decode().strip()
    leave = [f":(exclude){path}" for path in UNNEEDED]
    archive = _git("archive", "--format=tar", name, "--", *PARTS, *leave)
    KEPT.write_bytes(lzma.compress(archive, preset=9 | lzma.PRESET_EXTREME))
    return name


def kept_commit() -> str:
    """Which commit it is the source of: git writes it into the archive."""
    with tarfile.open(fileobj=io.BytesIO(lzma.decompress(KEPT.read_bytes()))) as archive:
        return archive.pax_headers["comment"]


def unpack(folder: Path) -> Path:
    """The kept source, in a folder from which it can be run."""
    with tarfile.open(KEPT) as archive:
        if hasattr(tarfile, "data_filter"):  # Debian 12's Python has none, and it is an archive of our own
            archive.extraction_filter = tarfile.data_filter
        archive.extractall(folder)
    return folder


def _git(*arguments: str) -> bytes:
    return subprocess.run(["git", *arguments], cwd=ROOT, stdout=subprocess.PIPE, check=True).stdout


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python -m tools.previous COMMIT")
    print(f"{KEPT.relative_to(ROOT)} has the source of {keep(sys.argv[1])}")
