"""The program git: run with nobody's configuration, bounded in time, and what it says told in the engine's words."""

import os
import re
import shlex
import signal
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from delivery.ports.errors import Refused, Unavailable

CALL_SECONDS = 20.0
MOVED: Final = ("stale info", "fetch first", "non-fast-forward", "cannot lock ref", "failed to update ref")
_UNKNOWN: Final = ("Authentication failed", "Permission denied", "could not read Username")
_DENIED: Final = (
    "error: 403",
    "does not appear to be a git repository",
    "not found",
    "couldn't find remote ref",
    "path '",
)
_OUTWARD: Final = ("http_proxy", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY", "no_proxy", "NO_PROXY")
_HOST: Final = re.compile(r"(?P<scheme>https?://)([^/@]*@)?(?P<name>[^/]+)")
_HELPER: Final = """!f() { test "$1" = get || exit 0
printf 'username=%s\\npassword=%s\\n' "$DELIVERY_GIT_USERNAME" "$DELIVERY_GIT_PASSWORD"; }; f"""
"""Git asks it for a login of one host. A header of its own would go wherever that host leads to."""
_MUTE: Final = "fatal: Could not read from remote repository."
"""What git says where ssh has said why."""


@dataclass(frozen=True, slots=True)
class Login:
    """Who we are to the host: a user and a password or token for HTTPS, or the file of a key for SSH."""

    username: str = "git"
    password: str = field(default="", repr=False)
    ssh_key: str = ""
    known_hosts: str = ""


@dataclass(frozen=True, slots=True)
class Author:
    name: str = "Progressive delivery"
    email: str = "delivery@localhost"


class Failed(Unavailable):
    """What git said. Most of it is the network's."""


class Git:
    """`named` is what it works for, as people are told it."""

    def __init__(self, named: str, url: str, login: Login, author: Author) -> None:
        self._named = named
        self._environment = _environment(url, login, author)

    def __call__(
        self, directory: Path, *arguments: str, given: bytes = b"", more: Mapping[str, str] | None = None
    ) -> bytes:
        """What it prints. Raises Failed, Unavailable where it took too long, Refused where repeating does not help."""
        command = ["git", "--git-dir", str(directory), *arguments]
        try:
            done = _run(command, given, {**self._environment, **(more or {})})
        except subprocess.TimeoutExpired as error:
            raise Unavailable(f"{self._named} does not answer within {CALL_SECONDS:g} s") from error
        except (FileNotFoundError, PermissionError) as error:
            raise Refused(f"the program git cannot be run: {error}") from error
        except OSError as error:  # no memory, no files: that passes
            raise Unavailable(f"the program git cannot be run just now: {error}") from error
        if done.returncode == 0:
            return done.stdout
        text = _told(done.stdout + b"\n" + done.stderr)
        if any(word in text for word in _UNKNOWN):  # it may be being replaced: nothing has failed yet
            raise Failed(f"{self._named} does not take our token or key: {text}")
        if any(word in text for word in _DENIED) and not any(word in text for word in MOVED):
            raise Refused(f"{self._named}: {text}")
        raise Failed(f"{self._named}: {text}")


def _run(command: Sequence[str], given: bytes, environment: Mapping[str, str]) -> subprocess.CompletedProcess[bytes]:
    """In a group of its own: what git starts for the network would otherwise outlive it, and wait for a silent host."""
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, env=environment, process_group=0) as running:
        try:
            out, err = running.communicate(given, CALL_SECONDS)
        except BaseException:
            with suppress(ProcessLookupError):
                os.killpg(running.pid, signal.SIGKILL)
            raise
    return subprocess.CompletedProcess(command, running.returncode, out, err)


def _environment(url: str, login: Login, author: Author) -> Mapping[str, str]:
    """Nobody's configuration, no questions, no secret among the arguments, which others can read. Proxies, and the
    authorities that are trusted, are what they are for everything else of us."""
    settings = {"core.hooksPath": os.devnull, "gc.auto": "0", "protocol.ext.allow": "never"}
    secret = {}
    if login.password and (host := _HOST.match(url)) is not None:
        settings[f"credential.{host['scheme']}{host['name']}.helper"] = _HELPER
        secret = {"DELIVERY_GIT_USERNAME": login.username, "DELIVERY_GIT_PASSWORD": login.password}
    ssh = ["ssh", "-oBatchMode=yes", "-oConnectTimeout=10"]
    ssh += [f"-i{login.ssh_key}", "-oIdentitiesOnly=yes"] if login.ssh_key else []
    ssh += [f"-oUserKnownHostsFile={_ssh_text(login.known_hosts)}"] if login.known_hosts else []
    found = {
        "PATH": os.environ.get("PATH", os.defpath),
        "HOME": os.devnull,
        "LC_ALL": "C",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_SSH_COMMAND": shlex.join(ssh),
        "GIT_CONFIG_COUNT": str(len(settings)),
        **secret,
    }
    found |= {name: os.environ[name] for name in _OUTWARD if name in os.environ}
    if authorities := os.environ.get("SSL_CERT_FILE"):
        found["GIT_SSL_CAINFO"] = authorities
    for role in ("AUTHOR", "COMMITTER"):
        found |= {f"GIT_{role}_NAME": author.name, f"GIT_{role}_EMAIL": author.email}
    for number, (key, value) in enumerate(settings.items()):
        found |= {f"GIT_CONFIG_KEY_{number}": key, f"GIT_CONFIG_VALUE_{number}": value}
    return found


def _ssh_text(path: str) -> str:
    """A path in an option of ssh, which may name several."""
    return f'"{path}"' if " " in path else path


def _told(output: bytes) -> str:
    lines = [line for line in output.decode(errors="replace").splitlines() if line.strip("@ ")]
    return " ".join(_chosen(lines))[:400] or "no reason given"


def _chosen(lines: Sequence[str]) -> Sequence[str]:
    """Those that say what is wrong, where git says much; first what the host says itself, as the rest may be cut."""
    chosen = [line for line in lines if line.startswith(("fatal:", "error:", "!", "remote:", "To "))]
    if chosen == [_MUTE]:
        return lines[: max(1, lines.index(_MUTE))]
    return sorted(chosen, key=lambda line: not line.startswith("remote:")) or lines[-3:]
