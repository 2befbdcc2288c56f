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
BORN = VENV / ".born"  # which Python in which folder made it: neither a venv nor an editable install can be moved
STAMP = VENV / ".stamp"  # what was installed last
LOCK = ROOT / "requirements" / "dev.txt"
OLDEST_PYTHON = (3, 11)
OLDEST_GLIBC = (2, 31)  # Envoy's wheels
OLDEST_MACOS = 15  # the same
# What a user's configuration may hold and would put the packages elsewhere.
HARMFUL = ("PYTHONHOME", "PYTHONPATH", "PIP_USER", "PIP_TARGET", "PIP_PREFIX", "PIP_NO_BINARY", "PIP_CONSTRAINT")


def stop(sentence):
    sys.exit("setup: " + sentence)


def numbers(text):
    return tuple(int(part) for part in text.split(".")[:2] if part.isdigit())


def why_not(version, system, machine, libc, release):
    """One sentence on why the parts cannot be installed here, or an empty one."""
    if version < OLDEST_PYTHON:
        return "this is Python {}.{} and 3.11 or newer is needed; name one with: make setup PYTHON=python3.12".format(
            *version
        )
    elsewhere = "; use Debian 11 or newer, or another Linux with glibc 2.31 or newer, on x86_64 or aarch64"
    if system == "Linux":
        if machine not in ("x86_64", "aarch64"):
            return "Envoy has no wheel for " + machine + elsewhere
        if libc == "musl":
            return "Envoy has no wheel for musl (Alpine)" + elsewhere
        if libc and numbers(libc) < OLDEST_GLIBC:
            return "Envoy has no wheel for glibc " + libc + elsewhere
        return ""
    if system == "Darwin":
        if machine != "arm64":
            return "Envoy has no wheel for an Intel Mac; use an Apple one with macOS 15, or a Linux machine"
        if numbers(release) < (OLDEST_MACOS,):
            return "Envoy has no wheel for macOS " + release + "; use macOS 15 or newer, or a Linux machine"
        return ""
    return "Envoy's local mesh does not run on " + system + "; use Linux (on Windows: WSL) or an Apple Mac"


def check_machine():
    musl = "musl" in "{} {}".format(sysconfig.get_config_var("SOABI"), sysconfig.get_config_var("HOST_GNU_TYPE"))
    libc = "musl" if musl else platform.libc_ver()[1]
    reason = why_not(sys.version_info[:2], platform.system(), platform.machine(), libc, platform.mac_ver()[0])
    if reason:
        stop(reason)
    try:
        import ensurepip  # noqa: F401
        import venv  # noqa: F401
    except ImportError:
        stop("this Python has no venv; on Debian or Ubuntu: apt-get install python3-venv")


def run(*command):
    env = {name: value for name, value in os.environ.items() if name not in HARMFUL}
    return subprocess.run([str(part) for part in command], cwd=str(ROOT), env=env).returncode == 0


def make_venv(born):
    if BORN.exists() and BORN.read_text() == born:
        return
    print("setup: makes .venv with Python {}".format(platform.python_version()), flush=True)
    if not run(sys.executable, "-m", "venv", "--clear", VENV):
        stop("the virtual environment could not be made; the lines above say why")
    BORN.write_text(born)


def install():
    pip = (VENV / "bin" / "python", "-m", "pip", "--disable-pip-version-check", "--no-input", "install", "--quiet")
    print("setup: installs what requirements/dev.txt pins (0.8 GB on disk; about a minute)", flush=True)
    # Wheels only: nobody should find out after ten minutes that a compiler is missing.
    if not run(*pip, "--only-binary", ":all:", "--require-hashes", "-r", LOCK):
        stop("pip could not install the pinned packages; the lines above name the first one that failed")
    if not run(*pip, "--no-deps", "--no-build-isolation", "--editable", ROOT):
        stop("the project itself could not be installed; the lines above say why")


def set_up():
    born = "{} {}\n".format(sys.version, ROOT)
    parts = [born.encode()] + [path.read_bytes() for path in (LOCK, ROOT / "pyproject.toml", pathlib.Path(__file__))]
    stamp = hashlib.sha256(b"\0".join(parts)).hexdigest()
    if STAMP.exists() and STAMP.read_text() == stamp:
        return
    check_machine()
    if not os.access(str(VENV if VENV.exists() else ROOT), os.W_OK):
        stop("{} belongs to another user; make a clone of your own".format(VENV if VENV.exists() else ROOT))
    started = time.monotonic()
    make_venv(born)
    STAMP.unlink() if STAMP.exists() else None
    install()
    STAMP.write_text(stamp)
    print("setup: ready after {:.0f} s".format(time.monotonic() - started), flush=True)


if __name__ == "__main__":
    # Two at once would write into one environment; the second waits and then finds it ready.
    directory = os.open(str(ROOT), os.O_RDONLY)
    fcntl.flock(directory, fcntl.LOCK_EX)
    set_up()
