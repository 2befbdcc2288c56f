"""Port Workloads over processes of this machine, for the local mesh.

What is started comes from the server's configuration alone: a service file only names it. Processes are detached, so
that they outlive the worker that started them, and are found again by what the state directory says of them.
"""

import http.client
import os
import signal
import socket
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from delivery.adapters.workloads import pids
from delivery.adapters.workloads.records import Record, Records
from delivery.model.ids import TargetId
from delivery.model.service import Workload
from delivery.model.version import Backend, Endpoint, VersionRef
from delivery.ports.errors import Conflict, Refused, Unavailable
from delivery.ports.workloads import EVERYTHING, Need, Running, always

HOST = "127.0.0.1"
HEALTH_SECONDS = 0.5
STARTS, WITHIN = 3, 60.0  # so many starts within so many seconds, and none of them lives: it is not tried again
DRAIN_SECONDS = 10.0  # from SIGTERM to SIGKILL
IN_PLACE = 1.0  # of these, how long one call waits
OWNER = "DELIVERY_OWNER"


@dataclass(frozen=True, slots=True)
class Command:
    """`{version}`, `{identity}`, `{image}` and `{port}` are filled in; `env` is added to the worker's own."""

    argv: tuple[str, ...]
    env: Mapping[str, str] = field(default_factory=dict)


class ProcessWorkloads:
    """`state` is a directory that all workers of the machine share.

    `owner` is the process without which nothing is to run: its number and mark are handed down as DELIVERY_OWNER.
    """

    def __init__(
        self, commands: Mapping[str, Command], state: Path, *, owner: int | None = None, health: str = "/healthz"
    ) -> None:
        self._commands = commands
        self._records = Records(state)
        self._owner = f"{owner}:{pids.mark(owner)}" if owner is not None else ""
        self._health = health

    def ensure(self, target: TargetId, workload: Workload, version: VersionRef, need: Need = EVERYTHING) -> Running:
        """One process carries any share."""
        return self._state(target, workload, version, start=not need.home)

    def look(self, target: TargetId, workload: Workload, version: VersionRef, *, home: bool = False) -> Running:
        return self._state(target, workload, version, start=False)

    def retire(
        self, target: TargetId, workload: Workload, version: VersionRef, still: Callable[[], bool] = always
    ) -> None:
        """Raises Unavailable while it still ends its requests: then it is to be asked again."""
        name = known_as(target, version)
        with self._records.lock():
            record = self._records.load(name)
            if record is None:
                return
            if not still():
                raise Conflict(f"somebody else has {target} by now")
            if not record.stopping:
                record = replace(record, stopping=time.time())
                self._records.save(name, record)
                _signal(record, signal.SIGTERM)
        if not _gone(record, IN_PLACE):
            if time.time() - record.stopping < DRAIN_SECONDS:
                raise Unavailable(f"{name} still ends its requests", retry_after=1.0)
            _signal(record, signal.SIGKILL)
            _gone(record, IN_PLACE)
        with self._records.lock():
            self._records.remove(name)

    def current(self, target: TargetId, workload: Workload, candidate: VersionRef | None = None) -> VersionRef | None:
        """Every process here is ours: what is stable is what was released."""
        return None

    def promote(
        self,
        target: TargetId,
        workload: Workload,
        version: VersionRef,
        still: Callable[[], bool] = always,
        token: str = "",
    ) -> Running:
        raise Refused(f"the process {workload.name} is nobody's own workload: there is nothing to promote")

    def rest(self, target: TargetId, workload: Workload) -> None:
        """Nothing was kept from shrinking."""

    def _state(self, target: TargetId, workload: Workload, version: VersionRef, *, start: bool) -> Running:
        command = self._commands.get(workload.name) if workload.kind == "process" else None
        if command is None:
            known = ", ".join(sorted(self._commands)) or "none"
            text = f"the server's configuration has no process '{workload.name}' (it has: {known})"
            return Running(False, failing=text)
        name = known_as(target, version)
        with self._records.lock():
            record = self._records.load(name)
            if record is None or not record.lives():
                record, failing = self._revive(name, record, command, version) if start else (record, None)
                if failing is not None:
                    return Running(False, failing=failing, looked_for=name)
        if record is None:
            return Running(False, looked_for=f"a process {name}")
        looked_for = f"{name}, process {record.pid}, to answer 200 for http://{HOST}:{record.port}{self._health}"
        ready = record.lives() and not record.stopping and _answers(record.port, self._health)
        return Running(ready, (Endpoint(HOST, record.port),) if ready else (), looked_for=looked_for)

    def _revive(
        self, name: str, record: Record | None, command: Command, version: VersionRef
    ) -> tuple[Record | None, str | None]:
        """Starts it, on the port it had where that is still free: proxies then need not learn a new one."""
        now = time.time()
        starts = tuple(at for at in (record.starts if record else ()) if now - at < WITHIN)
        if len(starts) >= STARTS:
            return record, f"it ended {len(starts)} times within {WITHIN:g} s: {self._records.log_end(name)}"
        port = _free_port(record.port if record else 0, self._records.ports())
        argv = [_filled(part, version, port) for part in command.argv]
        env = {**os.environ, **command.env, **({OWNER: self._owner} if self._owner else {})}
        try:
            pid = _spawn(argv, env, self._records.log(name))
        except OSError as error:
            return record, f"'{argv[0]}' cannot be started: {error.strerror}"
        started = Record(pid, pids.mark(pid) or "", port, (*starts, now))
        self._records.save(name, started)
        return started, None


def stop_all(state: Path, seconds: float = DRAIN_SECONDS) -> None:
    """Ends everything that the state directory knows, and forgets it. Idempotent."""
    records = Records(state)
    with records.lock():
        known = records.all()
        for record in known.values():
            _signal(record, signal.SIGTERM)
        until = time.monotonic() + seconds
        for name, record in known.items():
            if not _gone(record, max(0.0, until - time.monotonic())):
                _signal(record, signal.SIGKILL)
                _gone(record, IN_PLACE)
            records.remove(name)


def known_as(target: TargetId, version: VersionRef) -> str:
    """What a version's record and log are called."""
    return Backend(target.rpartition("@")[0], version).name


def _filled(part: str, version: VersionRef, port: int) -> str:
    values = {"version": version.version, "identity": version.identity, "image": version.image or "", "port": str(port)}
    for name, value in values.items():
        part = part.replace(f"{{{name}}}", value)
    return part


def _spawn(argv: list[str], env: Mapping[str, str], log: Path) -> int:
    """A process of its own session, with nothing of ours but its log. Raises OSError."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND
    return os.posix_spawnp(
        argv[0],
        argv,
        env,
        file_actions=[
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_OPEN, 1, str(log), flags, 0o644),
            (os.POSIX_SPAWN_DUP2, 1, 2),
        ],
        setsid=True,
        setsigmask=[],
        setsigdef=[signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGPIPE],
    )


def _signal(record: Record, number: int) -> None:
    """To the whole session, so that a shell's children go too."""
    if record.lives():
        try:
            os.killpg(record.pid, number)
        except ProcessLookupError:
            return


def _gone(record: Record, seconds: float) -> bool:
    until = time.monotonic() + seconds
    while record.lives():
        if time.monotonic() > until:
            return False
        time.sleep(0.01)
    return True


def _free_port(wanted: int, taken: frozenset[int]) -> int:
    for port in (wanted, *[0] * 20):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((HOST, port))
            except OSError:
                continue
            found = int(probe.getsockname()[1])
        if found == wanted or found not in taken:
            return found
    raise Unavailable(f"there is no free port on {HOST}")


def _answers(port: int, path: str) -> bool:
    connection = http.client.HTTPConnection(HOST, port, timeout=HEALTH_SECONDS)
    try:
        connection.request("GET", path)
        return connection.getresponse().status == http.client.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
