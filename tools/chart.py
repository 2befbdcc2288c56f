"""The Helm chart as helm renders it. `python -m tools.chart` writes deploy/manifests anew."""

import subprocess
import sys
from pathlib import Path

from tools.cluster_build import CannotBuild, build, built, programs

DEPLOY = Path(__file__).resolve().parent.parent / "deploy"
CHART = DEPLOY / "chart"
VALUES = DEPLOY / "manifests" / "values.yaml"
MANIFESTS = DEPLOY / "manifests" / "delivery.yaml"
_PROGRAM = next(program for program in programs() if program.name == "helm")


class Refused(Exception):
    """helm's own words."""


def helm(*arguments: str) -> str:
    """What it prints. Raises Refused, and CannotBuild where it is not built yet."""
    done = subprocess.run([built(_PROGRAM), *arguments], capture_output=True, text=True, check=False, timeout=60)
    if done.returncode:
        raise Refused(done.stderr.strip())
    return done.stdout


def rendered(namespace: str, *sets: str, values: Path | None = None) -> str:
    """What `kubectl apply` takes. `sets` as helm's --set. Raises Refused."""
    files = ["--values", str(values)] if values else []
    flags = [word for one in sets for word in ("--set", one)]
    return helm("template", "delivery", str(CHART), "--namespace", namespace, *files, *flags)


def manifests() -> str:
    """The plain manifests."""
    return rendered("delivery", values=VALUES)


def main() -> None:
    try:
        build(_PROGRAM)
        MANIFESTS.write_text(manifests())
    except (CannotBuild, Refused) as reason:
        sys.exit(str(reason))


if __name__ == "__main__":
    main()
