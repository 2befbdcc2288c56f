"""The wheel, built from this checkout and unpacked."""

import subprocess
import sys
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
_BUILD = "import sys; from hatchling.build import build_wheel; print(build_wheel(sys.argv[1]))"


def unpacked(into: Path) -> Path:
    """A folder with what an installation has."""
    command = [sys.executable, "-c", _BUILD, str(into)]
    name = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()[-1]
    installed = into / "installed"
    zipfile.ZipFile(into / name).extractall(installed)
    return installed
