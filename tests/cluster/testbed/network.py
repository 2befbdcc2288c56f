"""A network namespace for the pods: addresses neither of loopback nor of the machine, reached over a veth pair.

The namespace has no name. It and the pair go away with the last process in it, also after kill -9.
"""

import os
import random
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from tests.cluster.testbed.process import CannotRun, Process, wait_until

TRIES = 20
FIRST_POD, LAST_POD = 129, 254
"""The last byte of pods' addresses: the upper half of the subnet, all of which is local inside the namespace."""


class PodNetwork:
    """One subnet of 198.18.0.0/15, which is set aside for tests of network devices, and so is nobody's."""

    def __init__(self, log: Path) -> None:
        _check()
        self._holder = Process("pod network", [_found("unshare"), "--net", _found("sleep"), "infinity"], log)
        try:
            wait_until("pod network", self._is_apart, 5, self._holder.check)
            self.subnet = self._connect()
        except BaseException:
            self.close()
            raise

    @property
    def host(self) -> str:
        """Our own address, outside the namespace; the pods and the node see us under it."""
        return f"{self.subnet}.1"

    @property
    def node(self) -> str:
        """The node's address, inside the namespace."""
        return f"{self.subnet}.2"

    def inside(self, command: Sequence[str]) -> tuple[str, ...]:
        """The command, run inside the namespace."""
        return entering(self._holder.pid, command)

    @property
    def holder(self) -> int:
        """The process whose network namespace it is."""
        return self._holder.pid

    def close(self) -> None:
        self._holder.kill()

    def _is_apart(self) -> bool:
        try:
            return Path(f"/proc/{self._holder.pid}/ns/net").readlink() != Path("/proc/self/ns/net").readlink()
        except OSError:
            return False

    def _connect(self) -> str:
        outer, inner = f"pd{self._holder.pid}a", f"pd{self._holder.pid}b"
        _ip("link", "add", outer, "type", "veth", "peer", "name", inner, "netns", str(self._holder.pid))
        subnet = self._addressed(outer)
        _ip("link", "set", outer, "up")
        for command in (
            ("link", "set", "lo", "up"),
            ("addr", "add", f"{subnet}.2/24", "dev", inner),
            ("link", "set", inner, "up"),
            # Every pod's address is there from the start: nothing has to be set up for a new pod.
            ("route", "add", "local", f"{subnet}.128/25", "dev", "lo"),
        ):
            _run(self.inside([_found("ip"), *command]))
        return subnet

    def _addressed(self, outer: str) -> str:
        for _ in range(TRIES):
            subnet = f"198.{random.choice((18, 19))}.{random.randrange(256)}"
            # Another run may have the same one: a second address would answer for the first's pods.
            if f" {subnet}." not in _ip("-4", "addr", "show"):
                _ip("addr", "add", f"{subnet}.1/24", "dev", outer)
                return subnet
        raise CannotRun("no free subnet in 198.18.0.0/15: end the testbeds that are left over")


def entering(holder: int, command: Sequence[str]) -> tuple[str, ...]:
    """The command, run in the network namespace of another process."""
    return (_found("nsenter"), f"--net=/proc/{holder}/ns/net", "--", *command)


def _check() -> None:
    for program, package in (("ip", "iproute2"), ("unshare", "util-linux"), ("nsenter", "util-linux")):
        if shutil.which(program) is None:
            raise CannotRun(f"there is no {program}; on Debian or Ubuntu: apt-get install {package}")
    if os.geteuid() != 0:
        raise CannotRun("the testbed makes a network namespace, which takes root; run it as root")


def _found(program: str) -> str:
    return shutil.which(program) or program


def _ip(*arguments: str) -> str:
    return _run([_found("ip"), *arguments])


def _run(command: Sequence[str]) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=10)
    if done.returncode:
        raise CannotRun(f"`{' '.join(command)}` failed: {done.stderr.strip()}")
    return done.stdout
