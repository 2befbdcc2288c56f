"""A folder in which others write whatever they like: what is none of ours keeps nothing up."""

import os
import subprocess
from pathlib import Path

import pytest

from delivery.adapters.git.configured import objects
from delivery.adapters.git.objects import Objects
from tests.git_server import NOBODY, GitServer

ROUTE = "kind: VirtualService\nmetadata: {name: checkout}\nspec: {http: [{route: []}]}\n"


@pytest.fixture
def server(tmp_path: Path) -> GitServer:
    return GitServer(tmp_path, {"prod/checkout.yaml": ROUTE})


@pytest.fixture
def folder(server: GitServer, tmp_path: Path) -> Objects:
    return objects(url=server.url, directory=str(tmp_path / "w"), folder="prod")


def names(folder: Objects) -> list[str]:
    found = folder.look(fresh=True).objects("VirtualService", "shop")
    return [one["metadata"]["name"] for _, one in found]


@pytest.mark.parametrize(
    "text",
    [
        "until: 2024-02-30",
        f"number: {'9' * 5000}",
        "[" * 3000,
        "flag: !!bool perhaps",
        "{{ if .Values.on }}",
        "secret: !vault abc",
        "at: !!timestamp never",
        "number: !!int ''",
        "\t",
        "a: &a [*a]",
        "? [a]\n: {}\n? {}\n: 1",
        "- 1\n---\nnothing",
        "kind: VirtualService\nmetadata: [checkout]",
        "kind: VirtualService\nmetadata: {name: [checkout]}",
        "kind: VirtualService\nmetadata: {name: 12, namespace: 13}",
        "kind: VirtualService\nmetadata: {name: {}}\nspec: no",
    ],
)
def test_a_file_that_is_nonsense_keeps_none_of_the_others_from_being_read(server, folder, text):
    server.commit("oops", {"prod/other.yaml": f"{text}\n"})
    assert names(folder) == ["checkout"]


def test_a_route_whose_spec_is_none_is_one_without_routes(server, folder):
    server.commit("oops", {"prod/other.yaml": "kind: VirtualService\nmetadata: {name: other}\nspec: nothing\n"})
    found = {one["metadata"]["name"]: one["spec"] for _, one in folder.look().objects("VirtualService", "shop")}
    assert found == {"checkout": {"http": [{"route": []}]}, "other": {}}


def test_files_whose_names_or_text_are_no_utf_8_keep_nothing_up(server, folder):
    latin = os.fsdecode(b"prod/caf\xe9.yaml")
    server.commit("oops", {latin: ROUTE.replace("checkout", "cart"), "prod/text.yaml": os.fsdecode(b"a: \xff\n")})
    assert sorted(names(folder)) == ["cart", "checkout"]


def test_another_repository_inside_this_one_is_no_file(server, folder, tmp_path):
    clone = tmp_path / "people"
    entry = f"160000,{server.head()},prod/inner.yaml"
    for words in (["update-index", "--add", "--cacheinfo", entry], ["commit", "-qm", "inner"], ["push", "-q"]):
        more = ["origin", "main"] if words[0] == "push" else []
        subprocess.run(["git", *words, *more], cwd=clone, env={**NOBODY}, check=True, timeout=60)
    assert names(folder) == ["checkout"]


def test_only_what_is_new_is_read_and_parsed(server, folder):
    """A folder of hundreds takes seconds, and a way back would wait for it."""
    server.commit("more", {f"prod/{number}.yaml": f"a: {number}\n" for number in range(3)})
    before = folder.look()
    server.commit("one", {"prod/1.yaml": "a: new\n"})
    after = folder.look(fresh=True)
    same = [path for path, file in after.files.items() if file is before.files[path]]
    assert same == ["prod/0.yaml", "prod/2.yaml", "prod/checkout.yaml"]
    assert after.files["prod/1.yaml"].documents == [{"a": "new"}]


def test_who_changes_what_was_read_changes_nothing_for_others(folder):
    snapshot = folder.look()
    for _ in range(2):
        [(_, found)] = snapshot.objects("VirtualService", "shop")
        assert found["spec"] == {"http": [{"route": []}]}
        found["spec"]["http"].append("more")
