"""What the workers of one machine know of the processes that they started: a small file for each."""

import fcntl
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from delivery.adapters.workloads import pids
from delivery.ports.errors import Unavailable

LOCK_SECONDS = 5.0
LOG_LINES = 5


@dataclass(frozen=True, slots=True)
class Record:
    """A process, named by number and mark. Times are wall-clock seconds; `stopping` 0: it was not told to end."""

    pid: int
    mark: str
    port: int
    starts: tuple[float, ...] = ()
    stopping: float = 0.0

    def lives(self) -> bool:
        """Whether this very process still runs; one that ended and is our child is let go."""
        if pids.lives(self.pid, self.mark):
            return True
        pids.reap(self.pid)
        return False


class Records:
    def __init__(self, directory: Path) -> None:
        self._directory = directory
        directory.mkdir(parents=True, exist_ok=True)

    @contextmanager
    def lock(self) -> Iterator[None]:
        """One worker at a time. Raises Unavailable after LOCK_SECONDS."""
        handle = os.open(self._directory / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            until = time.monotonic() + LOCK_SECONDS
            while not _taken(handle):
                if time.monotonic() > until:
                    raise Unavailable(f"another process has held {self._directory / 'lock'} for {LOCK_SECONDS:g} s")
                time.sleep(0.005)
            yield
        finally:
            os.close(handle)

    def load(self, name: str) -> Record | None:
        """A record that cannot be read counts as none: it was being written when the machine went down."""
        try:
            plain = json.loads(self._path(name).read_bytes())
            return Record(plain["pid"], plain["mark"], plain["port"], tuple(plain["starts"]), plain["stopping"])
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def save(self, name: str, record: Record) -> None:
        temporary = self._directory / f"{name}.tmp"
        temporary.write_text(json.dumps(asdict(record)))
        temporary.rename(self._path(name))

    def remove(self, name: str) -> None:
        self._path(name).unlink(missing_ok=True)

    def all(self) -> dict[str, Record]:
        """Every process that is known, by name."""
        names = sorted(path.stem for path in self._directory.glob("*.json"))
        return {name: record for name in names if (record := self.load(name)) is not None}

    def ports(self) -> frozenset[int]:
        """The ports that are promised to somebody, listening already or not."""
        return frozenset(record.port for record in self.all().values())

    def log(self, name: str) -> Path:
        """Where the process writes; its newest run only."""
        return self._directory / f"{name}.log"

    def log_end(self, name: str) -> str:
        """The last lines of the log, in one."""
        try:
            lines = self.log(name).read_text(errors="replace").splitlines()[-LOG_LINES:]
        except OSError:
            lines = []
        return " / ".join(line.strip() for line in lines if line.strip()) or "it said nothing"

    def _path(self, name: str) -> Path:
        return self._directory / f"{name}.json"


def _taken(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
