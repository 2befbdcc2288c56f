"""Plays deploy/Containerfile where no container engine is: its own commands, in a root of its own.

The root is made of bind mounts in a private mount namespace. This machine's /usr and Python stand for the base image;
everything else is empty at first, and read-only at run time but for /tmp.
"""

import json
import os
import shlex
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]
CONTAINERFILE = REPOSITORY / "deploy" / "Containerfile"
PYTHON = Path(sys.base_prefix)
LENT = ("/usr", "/dev", "/proc", "/etc/ssl", str(PYTHON))
COPIED = ("/etc/resolv.conf", "/etc/hosts", "/etc/nsswitch.conf", "/etc/pip.conf")
LINKS = ("/bin", "/sbin", "/lib", "/lib64")
CALLED = "/opt/called"
"""The base image has a `python`; Debian calls it python3 only."""


@dataclass(frozen=True, slots=True)
class Line:
    word: str
    rest: str


@dataclass(frozen=True, slots=True)
class Volumes:
    """`etc` is mounted read-only as /etc/delivery, `data` as DATA."""

    etc: Path
    data: Path


DATA = "/var/lib/delivery"


def lines() -> list[Line]:
    """The Containerfile's instructions, continued lines joined."""
    text = CONTAINERFILE.read_text().replace("\\\n", " ")
    found = (line.strip().partition(" ") for line in text.splitlines())
    return [Line(word, rest.strip()) for word, _, rest in found if word and not word.startswith("#")]


def one(word: str) -> str:
    """The rest of the only line with this word."""
    (found,) = (line.rest for line in lines() if line.word == word)
    return found


def environment() -> dict[str, str]:
    """What ENV lines set, and nothing else."""
    return dict(shlex.split(line.rest)[0].split("=", 1) for line in lines() if line.word == "ENV")


PORT = "8080"
"""Of the API in the image."""


def health(port: int) -> list[str]:
    """The command of HEALTHCHECK, for an API that had to take another port."""
    text = one("HEALTHCHECK")
    return [word.replace(PORT, str(port)) for word in json.loads(text[text.index("[") :])]


def build(root: Path) -> None:
    """Runs the build stage: COPY by hand, RUN as it stands. What the second stage takes over is then in `root`/opt."""
    stage = list(_build_stage())
    (root / "src").mkdir(parents=True)
    for line in stage:
        match line.word:
            case "COPY":
                *sources, target = shlex.split(line.rest)
                _copy(sources, root / "src" / target)
            case "RUN":
                done = _enter(root, f"cd /src && {line.rest}", dict(os.environ))
                said, _ = done.communicate()
                assert done.returncode == 0, f"RUN {line.rest}: {said[-2000:]}"


def start(root: Path, volumes: Volumes, arguments: Sequence[str] = (), **more: str) -> subprocess.Popen[str]:
    """ENTRYPOINT with CMD or other arguments, as USER, with `more` environment.

    In the machine's network, so that it is reached on loopback.
    """
    words = [*json.loads(one("ENTRYPOINT")), *(arguments or json.loads(one("CMD")))]
    return _enter(root, _as_user(words), {**environment(), **more}, volumes)


def run(root: Path, volumes: Volumes, words: Sequence[str]) -> tuple[int, str]:
    """One command in the same place, such as the health check; its exit code and what it said."""
    process = _enter(root, _as_user(words), environment(), volumes)
    said, _ = process.communicate(timeout=60)
    return process.returncode, said


def _build_stage() -> Iterator[Line]:
    first, *rest = lines()
    assert first.word == "FROM"
    for line in rest:
        if line.word == "FROM":
            return
        yield line


def _copy(sources: Sequence[str], target: Path) -> None:
    target.mkdir(parents=True, exist_ok=True)
    for source in sources:
        path = REPOSITORY / source
        content = f"{path}/." if path.is_dir() else str(path)
        subprocess.run(["cp", "-R", content, str(target)], check=True)


def _as_user(words: Sequence[str]) -> str:
    user, _, group = one("USER").partition(":")
    rights = [f"--reuid={user}", f"--regid={group}", "--clear-groups", "--no-new-privs"]
    return "cd /tmp && exec " + shlex.join(
        ["setpriv", *rights, "--inh-caps=-all", "--bounding-set=-all", "env", *words]
    )


def _enter(root: Path, command: str, env: dict[str, str], volumes: Volumes | None = None) -> subprocess.Popen[str]:
    """A shell with `root` as its root; read-only where there are volumes: at run time."""
    path = f"{PYTHON}/bin:{CALLED}:/usr/local/bin:/usr/bin:/bin"
    script = "\n".join(
        ["set -e", *_mounts(root, volumes), f"exec /usr/sbin/chroot {root} /bin/sh -ec {shlex.quote(command)}"]
    )
    return subprocess.Popen(
        ["unshare", "--mount", "--propagation", "private", "sh", "-c", script],
        env={"PATH": path, **env} if volumes else {**env, "PATH": path},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def _mounts(root: Path, volumes: Volumes | None) -> Iterator[str]:
    yield f"mkdir -p {root}{CALLED} && ln -sfn {PYTHON}/bin/python3 {root}{CALLED}/python"
    for link in LINKS:
        yield f"ln -sfn usr{link} {root}{link}"
    yield f"mount --bind {root} {root}"
    for lent in LENT:
        yield f"mkdir -p {root}{lent} && mount --rbind {lent} {root}{lent}"
    yield f"mkdir -p {root}/tmp {root}/etc/delivery && mount -t tmpfs -o mode=1777 tmpfs {root}/tmp"
    for copied in COPIED:
        yield f"[ ! -e {copied} ] || cp -L {copied} {root}{copied}"
    if volumes:
        yield f"mkdir -p {root}{DATA} && mount --bind {volumes.data} {root}{DATA}"
        yield f"mount --bind {volumes.etc} {root}/etc/delivery"
        yield f"for at in '' /etc/delivery /usr {PYTHON}; do mount -o remount,bind,ro {root}$at; done"
