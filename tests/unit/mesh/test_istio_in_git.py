"""VirtualServices in the files of a real git repository: read, edited in place, and written only over what was read."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from delivery.adapters.git.configured import objects
from delivery.adapters.mesh.istio import document, targets
from delivery.adapters.mesh.istio.adapter import IstioMesh
from delivery.adapters.mesh.istio.proof import Proof
from delivery.adapters.mesh.istio.stored import InGit
from delivery.model.ids import ReleaseId, target_id
from delivery.model.place import Mode, Place, RouteRef
from delivery.model.traffic import Traffic
from delivery.model.version import Backend, VersionRef
from delivery.ports.errors import Conflict, Refused
from delivery.ports.mesh import Route, Stamp
from tests.git_server import GitServer

PLACE = Place("shop", "checkout", "checkout", Mode.VERSIONED, candidate="checkout-{version}")
OLD, NEW = (Backend("checkout", VersionRef.of(version)) for version in ("1.4.1", "1.4.2"))
FILE = """\
# public, see RUNBOOK
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: checkout}
spec:
  hosts: [shop.example.com]
  http:
    - name: images   # cached
      route: [{destination: {host: images}}]
    - name: main
      route: [{destination: {host: checkout}}]
"""
MISTAKES = {
    "prod/chart.yaml": "{{ if .Values.x }}\n",
    "prod/empty.yaml": "kind: VirtualService\nmetadata:\n",
    "prod/list.yaml": "kind: VirtualService\nmetadata: []\n",
    "prod/latin.yaml": "kind: VirtualService # f\udcfcr alle\n",
}
FILES = {"prod/checkout.yaml": FILE, "README": "hello\n", **MISTAKES}


class NoWatch:
    """Of a cluster that has nothing yet."""

    def view(self) -> Any:
        raise AssertionError("only a proof asks what is in the cluster")


@pytest.fixture
def server(tmp_path: Path) -> GitServer:
    return GitServer(tmp_path, FILES)


def worker(server: GitServer, tmp_path: Path, name: str) -> InGit:
    stored = objects(url=server.url, directory=str(tmp_path / name), folder="prod")
    return InGit(None, stored, NoWatch())  # type: ignore[arg-type]


ROUTE = Route(target_id("checkout", "prod"), "checkout", OLD, NEW, Traffic(5), "7")


def shifted(found: list[dict[str, Any]], weight: int, dseq: int) -> list[dict[str, Any]]:
    route = Route(target_id("checkout", "prod"), "checkout", OLD, NEW, Traffic(weight), "7")
    written = document.stamped(found, route, PLACE, Stamp(1, ReleaseId("rel_1"), dseq, dseq, "head"))
    return [document.edit(one, route, PLACE, written, "secret") for one in found]


def test_a_split_is_a_commit_in_which_nothing_else_changes(server: GitServer, tmp_path: Path) -> None:
    git = worker(server, tmp_path, "w1")
    found = git.fetch(PLACE, "checkout")
    (after,) = git.store("checkout", found, shifted(found, 20, 2), lowers=False)
    assert document.weight(after, "checkout", PLACE) == 20
    text = server.read("prod/checkout.yaml")
    assert text.startswith("# public, see RUNBOOK\n")
    assert "    - name: images   # cached\n" in text
    live = targets.live(git.fetch(PLACE, "checkout"), PLACE, "checkout")
    assert (live.weight, live.stamp and live.stamp.dseq) == (20, 2)
    assert server.log()[0].endswith("checkout: routes of a release")
    again = git.fetch(PLACE, "checkout")
    git.store("checkout", again, shifted(again, 0, 3), lowers=True)
    routes = yaml.safe_load(server.read("prod/checkout.yaml"))["spec"]["http"]
    assert [one["name"] for one in routes] == ["delivery-checkout.probe", "images", "main"]


def test_whoever_did_not_see_the_last_change_of_the_file_writes_nothing(server: GitServer, tmp_path: Path) -> None:
    first, other = (worker(server, tmp_path, name) for name in ("w1", "w2"))
    seen = other.fetch(PLACE, "checkout")
    found = first.fetch(PLACE, "checkout")
    first.store("checkout", found, shifted(found, 20, 2), lowers=False)
    before = server.head()
    with pytest.raises(Conflict):
        other.store("checkout", seen, shifted(seen, 50, 1), lowers=False)
    server.commit("by hand", {"prod/checkout.yaml": server.read("prod/checkout.yaml") + "# mine\n"})
    with pytest.raises(Conflict):
        first.store("checkout", found, shifted(found, 50, 3), lowers=False)
    assert server.head() != before
    assert server.read("prod/checkout.yaml").endswith("# mine\n")


def test_what_is_asked_for_afresh_is_what_another_worker_has_just_pushed(
    server: GitServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("delivery.adapters.git.objects.FRESH", 3600.0)
    first, other = (worker(server, tmp_path, name) for name in ("w1", "w2"))
    seen = other.fetch(PLACE, "checkout")
    found = first.fetch(PLACE, "checkout")
    first.store("checkout", found, shifted(found, 20, 2), lowers=False)
    assert other.fetch(PLACE, "checkout") == seen
    (after,) = other.fetch(PLACE, "checkout", fresh=True)
    assert document.weight(after, "checkout", PLACE) == 20


def test_what_others_push_to_other_files_is_no_matter(server: GitServer, tmp_path: Path) -> None:
    git = worker(server, tmp_path, "w1")
    found = git.fetch(PLACE, "checkout")
    server.commit("a typo", {"README": "hello you\n"})
    git.store("checkout", found, shifted(found, 20, 2), lowers=False)
    assert server.read("README") == "hello you\n"
    assert [line.partition(" ")[2] for line in server.log()][:2] == ["checkout: routes of a release", "a typo"]


def test_a_route_that_is_not_in_git_is_named(server: GitServer, tmp_path: Path) -> None:
    place = replace(PLACE, routes=(RouteRef("other"),))
    stored = objects(url=server.url, directory=str(tmp_path / "w1"), folder="prod")
    mesh = IstioMesh("prod", None, lambda _: place, Proof({}, None), git=stored)  # type: ignore[arg-type]
    read = mesh.read(ROUTE.target)
    with pytest.raises(Refused, match="there is no VirtualService shop/other in prod"):
        mesh.write(ROUTE, Stamp(1, ReleaseId("rel_1"), 2, 2, "head"), read.revision)
    assert worker(server, tmp_path, "w2").fetch(replace(PLACE, service="payments"), "checkout") == []


def test_what_cannot_be_edited_keeps_nothing_else_from_being_lowered(server: GitServer, tmp_path: Path) -> None:
    second = FILE.replace("name: checkout}", "name: internal}")
    server.commit("internal", {"prod/internal.yaml": second})
    git = worker(server, tmp_path, "w1")
    git.store("checkout", (raised := git.fetch(PLACE, "checkout")), shifted(raised, 50, 2), lowers=False)
    found = git.fetch(PLACE, "checkout")
    changed = shifted(found, 0, 3)
    changed[0]["spec"]["hosts"] = ["not.what.the.file.says"]
    with pytest.raises(Refused, match="shop/checkout cannot be edited"):
        git.store("checkout", found, changed, lowers=False)
    assert "weight: 50" in server.read("prod/internal.yaml")
    with pytest.raises(Refused, match="shop/checkout cannot be edited"):
        git.store("checkout", found, changed, lowers=True)
    assert "weight: 50" not in server.read("prod/internal.yaml")
