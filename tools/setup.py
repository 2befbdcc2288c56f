"""Makes .venv from the lock, or leaves it alone when nothing changed. Run by `make setup`, with any Python 3.

Old Pythons must be able to read this file, or their users see a traceback and not the sentence that helps.
"""

import fcntl
import hashlib
import os
import pathlib
import platform
import subprocess
import sys
import sysconfig
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
BORN = VENV / ".born"  # in which folder and with which Python: neither a venv nor an editable install can be moved
STAMP = VENV / ".stamp"  # what was installed last
LOCK = ROOT / "requirements" / "dev.txt"
OLDEST_PYTHON = (3, 11)
OLDEST_GLIBC = (2, 31)  # of Envoy's wheels
OLDEST_MACOS = (15, 0)  # the same
# A user's configuration may hold these, and they would put the packages elsewhere.
HARMFUL = ("PYTHONHOME", "PYTHONPATH", "PIP_USER", "PIP_TARGET", "PIP_PREFIX", "PIP_NO_BINARY", "PIP_CONSTRAINT")


def stop(sentence: str) -> None:
    sys.exit("setup: " + sentence)


def two(version: str) -> "tuple[int, int]":
    major, minor = (version + ".0").split(".")[:2]
    return int(major), int(minor)


def why_not_python(version: "tuple[int, int]") -> str:
    if version >= OLDEST_PYTHON:
        return ""
    return f"this is Python {version[0]}.{version[1]}, 3.11 or newer is needed; name one: make setup PYTHON=python3.12"


def why_not_machine(system: str, machine: str, libc: str, macos: str) -> str:
    """One sentence on why Envoy cannot be installed here, or nothing."""
    if system == "Linux":
        use = "; use a Linux with glibc 2.31 or newer (Debian 11, Ubuntu 20.04) on x86_64 or aarch64"
        if machine not in ("x86_64", "aarch64"):
            return f"Envoy has no wheel for {machine}{use}"
        if libc == "musl":
            return f"Envoy has no wheel for musl (Alpine){use}"
        return f"Envoy has no wheel for glibc {libc}{use}" if libc and two(libc) < OLDEST_GLIBC else ""
    if system == "Darwin":
        use = "; use an Apple one with macOS 15 or newer, or Linux"
        if machine != "arm64":
            return f"Envoy has no wheel for an Intel Mac{use}"
        return f"Envoy has no wheel for macOS {macos}{use}" if two(macos) < OLDEST_MACOS else ""
    return f"the local mesh does not run on {system}; use Linux (on Windows: WSL) or an Apple Mac"


def check_machine() -> None:
    musl = "musl" in f"{sysconfig.get_config_var('SOABI')} {sysconfig.get_config_var('HOST_GNU_TYPE')}"
    libc = "musl" if musl else platform.libc_ver()[1]
    reason = why_not_machine(platform.system(), platform.machine(), libc, platform.mac_ver()[0])
    if reason:
        stop(reason)


def check_python() -> None:
    reason = why_not_python(sys.version_info[:2])
    if reason:
        stop(reason)
    try:
        import ensurepip  # noqa: F401 - Debian ships Python without it
    except ImportError:
        stop("this Python cannot make virtual environments; on Debian or Ubuntu: apt-get install python3-venv")


def run(*command: object) -> bool:
    env = {name: value for name, value in os.environ.items() if name not in HARMFUL}
    return subprocess.run([str(part) for part in command], cwd=str(ROOT), env=env, check=False).returncode == 0


def fits(chosen: bool) -> bool:
    """An environment stays, whichever Python asks, until another one is asked for by name."""
    if not (BORN.exists() and os.access(str(PYTHON), os.X_OK)):
        return False
    folder, version = BORN.read_text().splitlines()
    return folder == str(ROOT) and (not chosen or version == platform.python_version())


def make_venv() -> None:
    check_python()
    print(f"setup: makes .venv with Python {platform.python_version()}", flush=True)
    if not run(sys.executable, "-m", "venv", "--clear", VENV):
        stop("the virtual environment could not be made; the lines above say why")
    BORN.write_text(f"{ROOT}\n{platform.python_version()}\n")


def install() -> None:
    pip = (PYTHON, "-m", "pip", "--disable-pip-version-check", "--no-input", "install", "--quiet")
    print("setup: installs what requirements/dev.txt pins (at first 0.8 GB and about a minute)", flush=True)
    # Wheels only: nobody should find out after ten minutes that a compiler is missing.
    if not run(*pip, "--only-binary", ":all:", "--require-hashes", "-r", LOCK):
        stop("pip could not install the pinned packages; the lines above name the first that failed")
    if not run(*pip, "--no-deps", "--no-build-isolation", "--editable", ROOT):
        stop("the project itself could not be installed; the lines above say why")


def stamp() -> str:
    parts = (BORN, LOCK, ROOT / "pyproject.toml", pathlib.Path(__file__))
    return hashlib.sha256(b"\0".join(part.read_bytes() for part in parts)).hexdigest()


def set_up(chosen: bool) -> None:
    fit = fits(chosen)
    if fit and STAMP.exists() and STAMP.read_text() == stamp():
        return
    if VENV.is_symlink():
        stop(f"{VENV} is a link: what it leads to belongs to another folder; remove the link, then run this again")
    check_machine()
    writable = VENV if VENV.exists() else ROOT
    if not os.access(str(writable), os.W_OK):
        stop(f"{writable} belongs to another user; make a clone of your own")
    started = time.monotonic()
    if not fit:
        make_venv()
    if STAMP.exists():
        STAMP.unlink()
    install()
    STAMP.write_text(stamp())
    print(f"setup: ready after {time.monotonic() - started:.0f} s", flush=True)


if __name__ == "__main__":
    # Two at once would write into one environment: the second waits and then finds it ready.
    fcntl.flock(os.open(str(ROOT), os.O_RDONLY), fcntl.LOCK_EX)
    set_up(chosen="--this-python" in sys.argv)
