"""One value is replaced, and every other byte stays."""

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from delivery.adapters.git.yaml_text import path, replaced, value
from delivery.ports.errors import Refused

VALUES = """\
# values of production   (do not sort)
image:
    repository: "ghcr.io/acme/checkout"   # ours
    tag:   '1.4.1'    # set by releases

replicas:   3
resources: {limits: {cpu: "1",   memory: 512Mi}}
list:
- name: a
  image: x:1
-   name: b
    image: x:2
"""
KUSTOMIZATION = """\
images:
  - name: acme/checkout
    newTag: 1.4.1
  - {name: acme/cart, newTag: "7"}
"""
TWO = "kind: Service\nspec: {type: ClusterIP}\n---\nkind: Deployment\nspec: {image: a:1}\n"


@pytest.mark.parametrize(
    ("text", "key", "new", "old_line", "new_line"),
    [
        (VALUES, "image.tag", "1.4.2", "    tag:   '1.4.1'    # set", "    tag:   '1.4.2'    # set"),
        (VALUES, "image.tag", "it's", "'1.4.1'", "'it''s'"),
        (VALUES, "list[1].image", "x:3", "    image: x:2", "    image: x:3"),
        (VALUES, "list[name=a].image", "1.10", "  image: x:1", '  image: "1.10"'),
        (KUSTOMIZATION, "images[name=acme/checkout].newTag", "v1", "newTag: 1.4.1", "newTag: v1"),
        (KUSTOMIZATION, "images[name=acme/cart].newTag", "8", 'newTag: "7"', 'newTag: "8"'),
        (TWO, "spec.image", "a:2", "image: a:1", "image: a:2"),
    ],
)
def test_the_rest_stays_byte_for_byte(text, key, new, old_line, new_line):
    changed = replaced(text, path(key), new)
    assert changed == text.replace(old_line, new_line, 1)
    assert value(changed, path(key)) == new


@pytest.mark.parametrize(
    ("text", "key", "says"),
    [
        (VALUES, "image.sha", "there is nothing image.sha"),
        (VALUES, "image", "no single value"),
        (VALUES, "list[name=c].image", "there is nothing"),
        ("a: 1\n---\na: 2\n", "a", "2 documents"),
        ("a: [", "a", "no YAML"),
        ("a: |\n  text\n", "a", "several lines"),
        ("a: &x 1\nb: *x\n", "a", "anchor"),
        ("a: &x {b: 1}\nc: *x\n", "a.b", "alias"),
    ],
)
def test_what_cannot_be_changed_alone_is_refused(text, key, says):
    with pytest.raises(Refused, match=says):
        replaced(text, path(key), "new")


@pytest.mark.parametrize("key", ["", ".a", "a[", "a[]", "a[b]", "a..b"])
def test_a_key_that_is_none_is_refused(key):
    with pytest.raises(ValueError, match="key of a YAML file"):
        path(key)


@settings(deadline=None)
@given(st.text(st.characters(categories=("L", "N", "P", "S", "Zs"), max_codepoint=0x2FF), min_size=1, max_size=30))
def test_whatever_it_is_set_to_is_what_is_read(new):
    for key in ("image.tag", "list[0].image", "image.repository"):
        assert value(replaced(VALUES, path(key), new), path(key)) == new
        read = yaml.safe_load(replaced(VALUES, path("list[0].image"), new))["list"][0]["image"]
        assert read == new, "a text, and no number"


@pytest.mark.parametrize("rest", ["a: !vault x\n", "a: =\n", "a: 2024-02-30\n", "a: .nan\n", "b: {? [x] : 1}\n"])
def test_what_else_is_in_the_file_need_not_be_known_here(rest):
    """Tags of other programs, dates that are none: nothing of that is ours to read."""
    assert replaced(f"{rest}tag: one\n", ("tag",), "two") == f"{rest}tag: two\n"


@pytest.mark.parametrize(
    "text", ["image:\n  tag:\n  b: 1\n", "image:\n  tag: # none\n  b: 1\n", "image: {tag: , b: 1}\n"]
)
def test_a_value_that_is_empty_is_filled_in(text):
    changed = replaced(text, ("image", "tag"), "1.10")
    assert yaml.safe_load(changed) == {"image": {"tag": "1.10", "b": 1}}


def test_a_key_that_is_there_twice_is_refused():
    """Whoever reads it takes one of them, and not all take the same."""
    with pytest.raises(Refused, match=r"there is nothing image\.tag in it, or it is there twice"):
        replaced("image: {tag: one, tag: two}\n", ("image", "tag"), "three")


def test_what_has_itself_as_a_part_is_refused():
    with pytest.raises(Refused, match="itself"):
        replaced("a: &a [*a]\ntag: one\n", ("tag",), "two")
