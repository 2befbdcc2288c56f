"""Where something is missing the build says it in one line and fails; it never passes by skipping."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cluster.testbed.pod_life import ROOT
from tools import cluster_build
from tools.cluster_build import CannotBuild, Program, built, programs


def build(tmp_path: Path, **environment: str) -> str:
    """Runs the builder with nothing in its cache; returns what it said when it failed."""
    done = subprocess.run(
        [sys.executable, "-m", "tools.cluster_build"],
        cwd=ROOT,
        env=os.environ | {"XDG_CACHE_HOME": str(tmp_path / "cache")} | environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    return done.stderr


def test_no_go(tmp_path: Path) -> None:
    assert "there is no Go; install Go 1.26 or newer" in build(tmp_path, PATH=str(tmp_path))


def test_an_old_go(tmp_path: Path) -> None:
    fake = tmp_path / "go"
    fake.write_text("#!/bin/sh\necho go1.25.9\n")
    fake.chmod(0o755)
    assert "this is go1.25.9; Go 1.26 or newer is needed" in build(tmp_path, PATH=str(tmp_path))


def test_no_module_proxy(tmp_path: Path) -> None:
    nowhere = {"GOPROXY": "http://127.0.0.1:9", "GOSUMDB": "off", "GOMODCACHE": str(tmp_path / "modules")}
    said = build(tmp_path, **nowhere)
    assert "could not fetch the modules of etcd" in said
    assert "connection refused" in said
    assert "GOPROXY" in said


def test_a_changed_pin_is_built_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster_build, "MODULES", tmp_path)
    (tmp_path / "etcd").mkdir()
    for name in ("go.mod", "go.sum"):
        (tmp_path / "etcd" / name).write_text("as it was")
    keys = {Program("etcd", "etcd", "example/etcd").key()}
    keys.add(Program("etcd", "etcd", "example/etcd", tags="fast").key())
    for name in ("go.mod", "go.sum"):
        (tmp_path / "etcd" / name).write_text("as it is")
        keys.add(Program("etcd", "etcd", "example/etcd").key())
    assert len(keys) == 4


def test_a_program_that_is_not_built_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    with pytest.raises(CannotBuild, match="etcd is not built; run: make test-cluster"):
        built(programs()[0])
