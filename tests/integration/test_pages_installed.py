"""Pages as they are installed: every template and static file is in the wheel, and renders from there."""

import subprocess
import sys
from pathlib import Path

from tests.wheel import ROOT, unpacked


def files(below: Path) -> set[str]:
    return {
        str(path.relative_to(below)) for path in below.rglob("*") if path.is_file() and "__pycache__" not in path.parts
    }


def test_a_wheel_brings_its_pages(tmp_path: Path) -> None:
    installed = unpacked(tmp_path)
    assert files(installed / "api" / "pages") == files(ROOT / "api" / "pages")
    program = (
        "import sys; sys.path.insert(0, sys.argv[1]); import api.pages; from api.pages import page;"
        "print(api.pages.__file__);"
        "print(page('login.html', next='/', problem='', provider='', base='').body.decode())"
    )
    command = [sys.executable, "-W", "error", "-P", "-c", program, str(installed)]
    ran = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.startswith(str(installed))
    assert '<input id="token"' in ran.stdout
