"""Builds the control plane of the cluster tests from its pinned Go modules, one program at a time, each once.

A program lies in `${XDG_CACHE_HOME:-~/.cache}/progressive-delivery/cluster/`, in a folder named by the hash of its
go.mod, its go.sum and how it is built; while that is there, neither Go nor a network is needed.
"""

import dataclasses
import fcntl
import hashlib
import os
import platform
import re
import resource
import shutil
import subprocess
import sys
import time
from pathlib import Path

MODULES = Path(__file__).resolve().parent.parent / "tests" / "cluster" / "tools"
OLDEST_GO = (1, 26)
WORDS = 300
"""How much of a tool's own words a sentence for people repeats."""
_SYMBOLS = "-s -w"  # no debug information: half the size
_KUBERNETES = "k8s.io/component-base/version"


class CannotBuild(Exception):
    """One sentence: the cause, and what to do."""


@dataclasses.dataclass(frozen=True)
class Program:
    """A command of a pinned module. `files` are taken from that module's source and lie beside the binary."""

    name: str
    module: str
    package: str
    tags: str = ""
    symbols: str = ""
    source: str = ""
    files: tuple[str, ...] = ()

    @property
    def folder(self) -> Path:
        """The Go module of ours that pins it."""
        return MODULES / self.module

    def arguments(self) -> tuple[str, ...]:
        tags = ("-tags", self.tags) if self.tags else ()
        return ("-trimpath", *tags, "-ldflags", f"{_SYMBOLS} {self.symbols}".strip())

    def key(self) -> str:
        """Changes with everything that the binary is made from."""
        digest = hashlib.sha256()
        for part in (
            (self.folder / "go.mod").read_bytes(),
            (self.folder / "go.sum").read_bytes(),
            repr((dataclasses.astuple(self), self.arguments(), platform.system(), platform.machine())).encode(),
        ):
            digest.update(hashlib.sha256(part).digest())
        return digest.hexdigest()[:16]

    def home(self) -> Path:
        return cache() / f"{self.name}-{self.key()}"


def pinned(module: str, path: str) -> str:
    """The version of `path` that a module of ours requires."""
    text = (MODULES / module / "go.mod").read_text()
    found = re.search(rf"^(?:require)?\s*{re.escape(path)} (v\S+)", text, re.MULTILINE)
    if found is None:
        raise CannotBuild(f"cluster: tests/cluster/tools/{module}/go.mod does not require {path}; restore the file")
    return found.group(1)


def _kubernetes(name: str) -> Program:
    version = pinned("kubernetes", "k8s.io/kubernetes")
    major, minor = version.removeprefix("v").split(".")[:2]
    # Feature gates follow the version that the binary was told, so it has to be told.
    told = {"gitVersion": version, "gitMajor": major, "gitMinor": minor, "gitTreeState": "clean"}
    symbols = " ".join(f"-X {_KUBERNETES}.{field}={value}" for field, value in told.items())
    return Program(name, "kubernetes", f"k8s.io/kubernetes/cmd/{name}", symbols=symbols)


ISTIO_VERSION = "1.31.0"
"""What istiod says of itself: Istio's module versions do not tell. Of the commit that tools/istio/go.mod pins."""
CRDS = "manifests/charts/base/files/crd-all.gen.yaml"


def programs() -> tuple[Program, ...]:
    """What the testbed runs, cheapest first, and then helm. Raises CannotBuild where a go.mod was damaged."""
    return (
        Program("etcd", "etcd", "go.etcd.io/etcd/server/v3"),
        _kubernetes("kube-controller-manager"),
        _kubernetes("kube-apiserver"),
        Program(
            "pilot-discovery",
            "istio",
            "istio.io/istio/pilot/cmd/pilot-discovery",
            tags="vtprotobuf,disable_pgv",
            symbols=f"-X istio.io/istio/pkg/version.buildVersion={ISTIO_VERSION}",
            source="istio.io/istio",
            files=(CRDS,),
        ),
        Program("helm", "helm", "helm.sh/helm/v4/cmd/helm"),
    )


def cache() -> Path:
    """Outside the checkout: a clean clone and a new branch find what was built."""
    base = os.environ.get("XDG_CACHE_HOME")
    return Path(base or Path.home() / ".cache") / "progressive-delivery" / "cluster"


def built(program: Program) -> Path:
    """The binary of a program that is built already. Raises CannotBuild."""
    binary = program.home() / program.name
    if not binary.exists():
        raise CannotBuild(f"cluster: {program.name} is not built; run: make test-cluster")
    return binary


def build(program: Program) -> float:
    """Builds it unless it is there; the wall time in seconds, 0 where there was nothing to do. Raises CannotBuild."""
    if (program.home() / program.name).exists():
        return 0.0
    cache().mkdir(parents=True, exist_ok=True)
    with (cache() / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # two at once would do the work twice, on half the machine
        if (program.home() / program.name).exists():
            return 0.0
        check_go()
        return _build(program)


def _build(program: Program) -> float:
    print(f"cluster: builds {program.name}, once; this takes minutes", flush=True)
    started, cpu = time.monotonic(), _cpu()
    making = program.home().with_suffix(".making")
    shutil.rmtree(making, ignore_errors=True)
    making.mkdir()
    tags = ("-tags", program.tags) if program.tags else ()
    _go(program, "fetch the modules of", "is the module proxy that GOPROXY names reachable?", "list", "-deps", *tags)
    output = ("-o", str(making / program.name))
    _go(program, "compile", "the log says more", "build", *program.arguments(), *output)
    for path in program.files:
        shutil.copyfile(_source(program) / path, making / Path(path).name)
    making.rename(program.home())
    wall = time.monotonic() - started
    print(f"cluster: built {program.name} in {wall:.0f} s ({_cpu() - cpu:.0f} s of processor time)", flush=True)
    return wall


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _go(program: Program, what: str, advice: str, *command: str) -> None:
    log = cache() / f"{program.name}.log"
    with log.open("w") as output:
        done = subprocess.run(
            ["go", *command, program.package],
            cwd=program.folder,
            env=_environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=output,
            check=False,
        )
    if done.returncode:
        said = _last_words(log)
        raise CannotBuild(f"cluster: Go could not {what} {program.name}: {said}; {advice} (log: {log})")


def _last_words(log: Path) -> str:
    lines = [line.strip() for line in log.read_text(errors="replace").splitlines()]
    told = [line for line in lines if line and not line.startswith("go: downloading")]
    return " / ".join(told[-3:])[:WORDS] or "it said nothing"


def _source(program: Program) -> Path:
    """The folder of the program's module in Go's module cache."""
    command = ["go", "list", "-m", "-f", "{{.Dir}}", program.source]
    told = subprocess.run(
        command, cwd=program.folder, env=_environment(), capture_output=True, text=True, check=False, timeout=60
    )
    if told.returncode or not told.stdout.strip():
        raise CannotBuild(f"cluster: Go does not find the source of {program.source}: {told.stderr.strip()[:WORDS]}")
    return Path(told.stdout.strip())


def _environment() -> dict[str, str]:
    # GOTOOLCHAIN=local: the Go that is here, or a clear word, never a download of another one.
    return os.environ | {"CGO_ENABLED": "0", "GOTOOLCHAIN": "local", "GOWORK": "off"}


def check_go() -> None:
    """Raises CannotBuild with what is missing."""
    wanted = f"Go {OLDEST_GO[0]}.{OLDEST_GO[1]} or newer"
    if shutil.which("go") is None:
        raise CannotBuild(f"cluster: there is no Go; install {wanted} and put `go` on the PATH")
    told = subprocess.run(
        ["go", "env", "GOVERSION"], env=_environment(), capture_output=True, text=True, check=False, timeout=60
    )
    version = told.stdout.strip()
    found = re.match(r"go(\d+)\.(\d+)", version)
    if found is None or (int(found.group(1)), int(found.group(2))) < OLDEST_GO:
        raise CannotBuild(f"cluster: this is {version or 'an unknown Go'}; {wanted} is needed first on the PATH")


def main() -> None:
    try:
        for program in programs():
            build(program)
    except CannotBuild as reason:
        sys.exit(str(reason))


if __name__ == "__main__":
    main()
