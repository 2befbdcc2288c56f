"""Parts of an object in somebody's file: what is not changed keeps its own bytes."""

import copy

import pytest
import yaml

from delivery.adapters.git.yaml_parts import with_annotation, with_list, without_server_fields
from delivery.ports.errors import Refused

FILE = """\
# public routes, see RUNBOOK
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata:
    name: checkout      # do not rename
    namespace: shop
spec:
    hosts: ["shop.example.com"]
    http:
    # images first
    -   name: images
        match: [{uri: {prefix: /img}}]   # cached
        route:
        - destination: {host: images}

    - name: main   # ours
      timeout:   5s
      route:
        - destination:
            host: checkout
            port: {number: 80}
    tls: []   # none
---
kind: Service   # untouched
metadata: {name:   checkout}
"""
MAIN = {
    "name": "main",
    "timeout": "5s",
    "route": [
        {"destination": {"host": "checkout", "port": {"number": 80}}, "weight": 95},
        {"destination": {"host": "checkout-1-4-2"}, "weight": 5},
    ],
}
PROBE = {"name": "delivery-checkout.probe", "directResponse": {"status": 200, "body": {"string": "rel/5/1"}}}


def http(text: str) -> list:
    return next(yaml.safe_load_all(text))["spec"]["http"]


def test_entries_that_stay_keep_their_text_and_the_comments_around_them():
    wanted = [PROBE, http(FILE)[0], MAIN]
    changed = with_list(FILE, 0, ("spec", "http"), wanted)
    assert http(changed) == wanted
    for kept in (
        "# images first\n    -   name: images\n",
        "   # cached\n",
        "# do not rename",
        "tls: []   # none",
        "# untouched",
    ):
        assert kept in changed
    back = with_list(changed, 0, ("spec", "http"), http(FILE))
    assert http(back) == http(FILE)
    assert back.startswith(FILE[: FILE.index("\n    - name: main")])
    assert back.endswith(FILE[FILE.index("    tls: []") :])


def test_the_same_list_is_the_same_text():
    assert with_list(FILE, 0, ("spec", "http"), http(FILE)) == FILE


def test_a_list_in_one_line_stays_in_one_line():
    text = "kind: VirtualService\nmetadata: {name: a}\nspec: {http: [{name: main}], hosts: [b]}   # short\n"
    changed = with_list(text, 0, ("spec", "http"), [PROBE, {"name": "main"}])
    assert http(changed) == [PROBE, {"name": "main"}]
    assert changed.count("\n") == text.count("\n")
    assert changed.endswith("hosts: [b]}   # short\n")


@pytest.mark.parametrize(
    "metadata",
    [
        "metadata:\n  name: a   # one\n",
        "metadata: {name: a}   # one\n",
        "metadata:\n  annotations:\n    theirs: x   # one\n  name: a\n",
        "metadata:\n  name: a   # one\n  annotations: {theirs: x}\n",
        "metadata:\n    name: a   # one\n    annotations:\n        route/checkout: 'old'   # ours\n",
    ],
)
def test_an_annotation_is_put_beside_what_is_there(metadata):
    text = f"{metadata}spec: {{}}\n"
    value = '{"epoch":1,"it\'s":[]}'
    changed = with_annotation(text, 0, "route/checkout", value)
    before, after = (copy.deepcopy(yaml.safe_load(one)) for one in (text, changed))
    before["metadata"].setdefault("annotations", {})["route/checkout"] = value
    assert after == before
    assert "   # one" in changed
    again = with_annotation(changed, 0, "route/checkout", "new")
    assert yaml.safe_load(again)["metadata"]["annotations"]["route/checkout"] == "new"
    assert again == changed.replace("'" + value.replace("'", "''") + "'", "'new'") or "route/checkout: new" in again


def test_the_object_that_is_meant_is_changed():
    changed = with_annotation(FILE, 1, "a", "b")
    assert changed.startswith(FILE[: FILE.index("---")])
    assert list(yaml.safe_load_all(changed))[1]["metadata"] == {"name": "checkout", "annotations": {"a": "b"}}


def test_what_is_not_there_is_refused():
    with pytest.raises(Refused, match=r"there is no spec\.http"):
        with_list("spec: {a: 1}\n", 0, ("spec", "http"), [])
    with pytest.raises(Refused, match="no list"):
        with_list("spec: {http: 1}\n", 0, ("spec", "http"), [])


def test_an_object_in_git_has_nothing_of_the_server():
    live = {"metadata": {"name": "a", "uid": "1", "resourceVersion": "7"}, "spec": {}, "status": {"x": 1}}
    assert without_server_fields(live) == {"metadata": {"name": "a"}, "spec": {}}


def test_a_file_without_a_last_line_end_takes_more_entries():
    text = "spec:\n  http:\n    - name: main\n      route: []  # ours"
    wanted = [{"name": "before"}, {"name": "main", "route": []}, {"name": "after"}]
    changed = with_list(text, 0, ("spec", "http"), wanted)
    assert yaml.safe_load(changed) == {"spec": {"http": wanted}}
    assert "      route: []  # ours\n" in changed


@pytest.mark.parametrize("there", ["annotations: {}", "annotations:", "annotations: null # none", "annotations: {  }"])
def test_annotations_that_are_there_and_empty_take_one(there):
    text = f"metadata:\n  name: x\n  {there}\n  labels: {{a: b}} # mine\nspec: 1\n"
    changed = with_annotation(text, 0, "k/e", "{v: 1}")
    assert yaml.safe_load(changed)["metadata"] == {"name": "x", "labels": {"a": "b"}, "annotations": {"k/e": "{v: 1}"}}
    assert "  labels: {a: b} # mine\n" in changed


@pytest.mark.parametrize(
    "style", [">-\n      {v: 1}", "|\n      {v: 1}\n", '"{v:\n      1}"', "{v\n      1}".replace("{", "v ")]
)
def test_an_annotation_that_a_formatter_has_broken_into_lines_is_replaced(style):
    text = f"metadata:\n  annotations:\n    k: {style}\n    other: z # theirs\nspec: 1\n"
    changed = with_annotation(text, 0, "k", "new")
    assert yaml.safe_load(changed) == {"metadata": {"annotations": {"k": "new", "other": "z"}}, "spec": 1}
    assert "    other: z # theirs\n" in changed
