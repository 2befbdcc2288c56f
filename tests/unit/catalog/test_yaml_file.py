"""Service files as text: what is read, and what is refused with its line."""

from contextlib import suppress
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from delivery.adapters.catalog.yaml_file import DEEPEST, LARGEST, read_directory, read_file, read_text
from delivery.model.mistake import Invalid

TEXT = """\
# a comment
service: checkout
cluster: [local, "prod-eu"]
strategies:
  - dark_launch: {mirror: 10%}
  - canary:
      steps: [1%, 5%]
      bake: 5m
gates:
  errors: {ratio: http_errors, worse_than: 1.1, blocking: false}
"""


def test_values_and_lines() -> None:
    document = read_text(TEXT, "checkout.yaml")
    assert document.file == "checkout.yaml"
    assert document.values == {
        "service": "checkout",
        "cluster": ["local", "prod-eu"],
        "strategies": [{"dark_launch": {"mirror": "10%"}}, {"canary": {"steps": ["1%", "5%"], "bake": "5m"}}],
        "gates": {"errors": {"ratio": "http_errors", "worse_than": 1.1, "blocking": False}},
    }
    assert document.lines["service"] == 2
    assert document.lines["strategies[0].dark_launch.mirror"] == 5
    assert document.lines["strategies[1].canary.steps[1]"] == 7
    assert document.lines["gates.errors.worse_than"] == 10


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("NO", "NO"), ("on", "on"), ("yes", "yes"), ("1:30", "1:30"), ("2026-11-24", "2026-11-24"), ("1_000", "1_000"),
        ("0x1F", "0x1F"), (".inf", ".inf"), (".nan", ".nan"), ("1.10.2", "1.10.2"), ("5%", "5%"), ("'5'", "5"),
        ('"true"', "true"), ("true", True), ("False", False), ("", None), ("~", None), ("null", None), ("-5", -5),
        ("1.5", 1.5), ("1e-2", 0.01), ("9" * 5000, "9" * 5000), ("|\n  a\n  b", "a\nb\n"), ("<<", "<<"),
    ],
    ids=repr,
)  # fmt: skip
def test_words_mean_what_they_say(text: str, value: object) -> None:
    read = read_text(f"key: {text}\n").values["key"]
    assert read == value
    assert type(read) is type(value)


def test_a_json_document_is_read_too() -> None:
    assert read_text('{"service": "a", "owners": ["b"], "alpha": 0.05}').values == {
        "service": "a",
        "owners": ["b"],
        "alpha": 0.05,
    }


LAUGHS = "a: &a [x, x]\n" + "".join(f"{b}: &{b} [*{a}, *{a}]\n" for a, b in zip("abcdefgh", "bcdefghi", strict=True))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (LAUGHS, "f.yaml:1: a has an anchor, &a; expected values written out: aliases and anchors are refused"),
        (
            "a: 1\nb: *a",
            "f.yaml:2: b has an alias; expected values written out: aliases and anchors are refused",
        ),
        ("a: 1\nb:\n  c: 1\n  c: 2", "f.yaml:4: b.c is there twice; expected each key once"),
        ("a: !!python/object/apply:os.system [ls]", "f.yaml:1: a has a tag, "),
        ("a: !!str 5", "f.yaml:1: a has a tag, "),
        ("a: 1\n---\nb: 1", "f.yaml:2: the document is a second document; expected one document in each file"),
        ("? [a]\n: 1", "f.yaml:1: the document has a key that is a list or a mapping; expected text as keys"),
        ("a: [1, 2", "f.yaml:1: the document is not YAML: expected ',' or ']', but got '<stream end>'"),
        (
            "a: b: c",
            "f.yaml:1: the document is not YAML: mapping values are not allowed here; "
            "expected one `key: value` in a line, in quotes if the value has a colon",
        ),
        (
            "a:\n\t- b",
            "f.yaml:2: the document is not YAML: found character '\\t' that cannot start any token; "
            "expected spaces, no tabs",
        ),
        (
            "a:\n    - b:\n   c: 1",
            "f.yaml:3: the document is not YAML: expected <block end>, but found '<block mapping start>'; "
            "expected a line that begins in the column of one above it",
        ),
        ("", "f.yaml:1: the document is empty; expected a mapping: service: NAME ..."),
        ("# nothing", "f.yaml:1: the document is empty; expected a mapping: service: NAME ..."),
        ("- a", "f.yaml:1: the document is no mapping; expected a mapping: service: NAME ..."),
        ("service", "f.yaml:1: the document is no mapping; expected a mapping: service: NAME ..."),
        ("a: " + "[" * 100_0, "f.yaml:1: a"),
        ("a: \0", "f.yaml: the document is not YAML: "),
        (b"a: \xff", "f.yaml: the document is not YAML: 'utf-8' codec can't decode byte 0xff"),
        ("a: " + "x" * LARGEST, f"f.yaml: the document has {LARGEST + 3} bytes; expected at most {LARGEST}"),
    ],
    ids=lambda value: repr(value[:30]),
)
def test_what_is_refused(text: str | bytes, said: str) -> None:
    with pytest.raises(Invalid) as caught:
        read_text(text, "f.yaml")
    assert str(caught.value).startswith(said)


def test_depth_is_bounded_exactly() -> None:
    assert read_text("a: " + "[" * (DEEPEST - 1) + "]" * (DEEPEST - 1)).values
    with pytest.raises(Invalid, match="is nested too deeply; expected at most 20 levels"):
        read_text("a: " + "[" * DEEPEST + "]" * DEEPEST)


plain = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**17), 10**17)
    | st.text(st.characters(codec="utf-8", exclude_categories=["Cc"])),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("abc.-[0]", max_size=4), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.text("abcdef", min_size=1), plain, min_size=1, max_size=4))
def test_what_the_library_writes_is_read_the_same(values: dict[str, object]) -> None:
    class Plain(yaml.SafeDumper):
        def ignore_aliases(self, data: object) -> bool:
            return True

    assert read_text(yaml.dump(values, Dumper=Plain, allow_unicode=True)).values == values


@given(st.text(max_size=60))
def test_any_text_is_a_document_or_refused(text: str) -> None:
    with suppress(Invalid):
        assert isinstance(read_text(text).values, dict)


def test_a_directory_has_its_documents_and_what_is_wrong_with_the_others(tmp_path: Path) -> None:
    (tmp_path / "b.yml").write_text("service: shop\n")
    (tmp_path / "a.yaml").write_text("service: checkout\n")
    (tmp_path / "c.yaml").write_text("\nservice: checkout\n")
    (tmp_path / "d.yaml").write_text("service: [\n")
    (tmp_path / ".hidden.yaml").write_text("service: hidden\n")
    (tmp_path / "README.md").write_text("service: readme\n")
    (tmp_path / "below.yaml").mkdir()
    documents, refused = read_directory(tmp_path)
    assert [document.values["service"] for document in documents] == ["checkout", "shop"]
    assert [str(invalid).replace(str(tmp_path), "") for invalid in refused] == [
        "/c.yaml:2: service is 'checkout', which /a.yaml has too; expected one file for each service",
        "/d.yaml:2: the document is not YAML: expected the node content, but found '<stream end>'",
    ]
    assert read_file(tmp_path / "b.yml").values == {"service": "shop"}
