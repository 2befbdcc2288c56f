"""What stands in the file of a service is not ours alone: whatever it is, a release hears of it in words."""

import os
from pathlib import Path
from typing import cast

import pytest

from delivery.adapters.git.configured import repository
from delivery.adapters.kube.client import Kube
from delivery.adapters.workloads.gitops.adapter import GitDeployer
from delivery.adapters.workloads.gitops.configured import entries
from delivery.adapters.workloads.told import note_in
from delivery.model.ids import target_id
from delivery.model.place import Place, Promotion
from delivery.model.service import Workload
from delivery.model.version import VersionRef
from tests.git_server import GitServer

VERSION = VersionRef.of("1.4.2", "registry.example/checkout:1.4.2")
WORKLOAD = Workload("deployment", "checkout", Place("shop", "checkout", "checkout", promotion=Promotion.GIT))
TARGET = target_id("checkout", "prod")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (os.fsdecode(b"# caf\xe9\nimage: {tag: one}\n"), "is no UTF-8"),
        ("image: {tag: one\n", "it is no YAML"),
        ("image: {tag: [one]}\n", "no single value"),
        ("[" * 3000, "it is no YAML"),
    ],
)
def test_a_file_that_cannot_be_used_is_told_of(tmp_path: Path, text: str, said: str) -> None:
    server = GitServer(tmp_path, {"values.yaml": text})
    named = entries({"checkout": {"path": "values.yaml", "key": "image.tag"}})
    found = repository(server.url, "main", str(tmp_path / "w"))
    deployer = GitDeployer(cast(Kube, None), ["shop"], found, named)  # the cluster is not come to
    running = deployer.bring(TARGET, WORKLOAD, VERSION, lambda: True, "t1")
    assert (running.ready, said in str(running.failing)) == (False, True), running


@pytest.mark.parametrize("text", [None, "", "nonsense", "[1]", "3", '{"tries": "many"}', "[" * 30_000])
def test_a_note_that_others_have_made_something_else_of_is_none(text: str | None) -> None:
    assert note_in(text) == {}


def test_a_note_is_read_as_it_was_written() -> None:
    assert note_in('{"tries": 2, "value": "1.4.2"}') == {"tries": 2, "value": "1.4.2"}
