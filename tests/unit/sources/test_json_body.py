"""Bytes from outside: one strict object, or a refusal that takes no longer than the body is long."""

import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from delivery.sources.errors import Malformed
from delivery.sources.json_body import DEEPEST, LARGEST, parse


def nested(levels: int, opening: bytes = b"[", closing: bytes = b"]") -> bytes:
    return b'{"a":' + opening * (levels - 1) + closing * (levels - 1) + b"}"


BAD = [
    (b"", "not_json", "the body is no JSON: Expecting value"),
    (b"{", "not_json", "the body is no JSON"),
    (b"{} {}", "not_json", "the body is no JSON: Extra data"),
    (b"[]", "not_an_object", "no object"),
    (b'"text"', "not_an_object", "no object"),
    (b"null", "not_an_object", "no object"),
    (b'{"a": 1, "a": 1}', "duplicate_key", "the key 'a' is there twice"),
    (b'{"b": {"a": 1, "\\u0061": 2}}', "duplicate_key", "the key 'a' is there twice"),
    (b'{"a": NaN}', "not_json", "NaN is no JSON number"),
    (b'{"a": -Infinity}', "not_json", "-Infinity is no JSON number"),
    (b'{"a": 1e999}', "not_json", "1e999 is too large"),
    (b'{"a": ' + b"9" * 5000 + b"}", "not_json", "the body is no JSON"),
    (b'{"a": "\xff"}', "not_json", "byte 7 is not"),
    (b'\xef\xbb\xbf{"a": 1}', "not_json", "BOM"),
    (b'{"a": 1}'.decode().encode("utf-16"), "not_json", "byte 0 is not"),
    (b'{"a": "\xed\xa0\x80"}', "not_json", "byte 7 is not"),
    (b'{"a": "\\ud800"}', "not_json", "half of a surrogate pair"),
    (b'{"\\udfff": 1}', "not_json", "half of a surrogate pair"),
    (b'{"a": "\n"}', "not_json", "control character"),
    (b'{"a": 01}', "not_json", "the body is no JSON"),
    (b"{'a': 1}", "not_json", "the body is no JSON"),
    (b'{"a": "' + b"x" * LARGEST + b'"}', "too_large", "at most 1048576 bytes, this one has 1048585"),
    (nested(DEEPEST + 1), "too_deep", "at most 32 levels"),
    (nested(100_000), "too_deep", "at most 32 levels"),
    (nested(100_000, b'{"a":', b"}"), "too_deep", "at most 32 levels"),
    (b"[" * 500_000, "too_deep", "at most 32 levels"),
]


@pytest.mark.parametrize(("body", "kind", "said"), BAD, ids=[f"{n}-{kind}" for n, (_, kind, _) in enumerate(BAD)])
def test_what_is_refused(body: bytes, kind: str, said: str) -> None:
    with pytest.raises(Malformed, match=said) as caught:
        parse(body)
    assert caught.value.kind == kind


def test_depth_is_bounded_exactly_and_brackets_in_texts_do_not_count() -> None:
    assert parse(nested(DEEPEST))
    text = '[{"\\' * 100
    assert parse(json.dumps({"a": text}).encode()) == {"a": text}


def test_surrogate_pairs_and_escapes_are_text() -> None:
    assert parse(b'{"a": "\\ud83d\\ude00 \\u0000"}') == {"a": "😀 \0"}


@pytest.mark.parametrize("unit", [b'\\"', b'"', b'"\\', b"[", b"{", b'{"a":', b"1,"], ids=repr)
@pytest.mark.parametrize("start", [b"", b'{"a": "'], ids=repr)
def test_no_body_takes_more_than_linear_time(start: bytes, unit: bytes) -> None:
    body = start + unit * ((LARGEST - len(start)) // len(unit))
    began = time.process_time()
    with pytest.raises(Malformed):
        parse(body)
    assert time.process_time() - began < 3


def test_many_keys_of_which_the_last_comes_twice_take_linear_time() -> None:
    body = ("{" + ",".join(f'"{number}":1' for number in range(60_000)) + ',"59999":2}').encode()
    began = time.process_time()
    with pytest.raises(Malformed, match="the key '59999' is there twice"):
        parse(body)
    assert time.process_time() - began < 3


values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)


@given(st.dictionaries(st.text(), values, max_size=4), st.booleans())
def test_every_object_is_read_as_it_was_written(value: dict[str, object], ascii_only: bool) -> None:
    assert parse(json.dumps(value, ensure_ascii=ascii_only).encode()) == value


@given(st.binary(max_size=80))
def test_any_bytes_are_an_object_or_refused(body: bytes) -> None:
    try:
        value = parse(body)
    except Malformed:
        return
    assert json.loads(body) == value
