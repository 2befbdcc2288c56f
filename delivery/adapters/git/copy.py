"""A bare repository for this process alone, below a directory that may be shared with others and outlives all of them.

It holds no truth. So nothing is ever repaired: who starts begins anew, and takes away what the dead have left.
"""

import fcntl
import os
import shutil
import tempfile
import weakref
from pathlib import Path

_LOCK = "lock"


class Copy:
    """Raises OSError where the directory cannot be written."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._folder: Path | None = None

    @property
    def path(self) -> Path:
        """Where the repository is, or is to be made."""
        return (self._folder or self._directory) / "git"

    @property
    def is_there(self) -> bool:
        """Not where it was never made, or somebody has deleted it."""
        return self._folder is not None and (self.path / "HEAD").exists()

    def begin(self) -> None:
        """A new, empty folder; those of processes that are no more go."""
        self._directory.mkdir(parents=True, exist_ok=True)
        with (self._directory / _LOCK).open("a") as all_of_it:
            fcntl.flock(all_of_it, fcntl.LOCK_EX)
            for folder in self._directory.glob("copy-*"):
                _remove_if_left(folder)
            self._folder = Path(tempfile.mkdtemp(prefix="copy-", dir=self._directory))
            held = os.open(self._folder / _LOCK, os.O_RDWR | os.O_CREAT, 0o600)
            fcntl.flock(held, fcntl.LOCK_EX)  # for as long as this process lives: whose lock can be had is dead
            weakref.finalize(self, os.close, held)

    def tidy(self) -> None:
        """After a git that was ended in the middle: its locks, and what it had of a pack."""
        left = [*self.path.glob("*.lock"), *self.path.glob("refs/**/*.lock"), *self.path.glob("objects/pack/tmp_*")]
        for one in left:
            one.unlink(missing_ok=True)


def _remove_if_left(folder: Path) -> None:
    try:
        with (folder / _LOCK).open("a") as held:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(folder, ignore_errors=True)
    except OSError:  # it lives, or is another user's
        return
