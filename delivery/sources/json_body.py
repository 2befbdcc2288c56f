"""A JSON object out of bytes from outside: bounded, strict, and the same for whoever reads it again.

Twice the same key, NaN, numbers that no double can hold and halves of surrogate pairs are where readers of JSON
differ: a body that two programs may read differently is refused.
"""

import json
import math
import re
from collections import Counter
from typing import Any

from delivery.sources.errors import Malformed

LARGEST = 1024 * 1024
DEEPEST = 32
_TOKENS = re.compile(rb'"(?:[^"\\]|\\.)*"?|[\[{]|[\]}]', re.DOTALL)
"""A string (to the end, if it does not close: so that no body makes it look twice), or a bracket."""


def parse(body: bytes) -> dict[str, Any]:
    """The object. Raises Malformed."""
    if len(body) > LARGEST:
        raise Malformed("too_large", f"a body has at most {LARGEST} bytes, this one has {len(body)}")
    if _too_deep(body):
        raise Malformed("too_deep", f"a body is nested at most {DEEPEST} levels deep")
    try:
        value = json.loads(
            body.decode("utf-8"), object_pairs_hook=_object, parse_constant=_constant, parse_float=_float
        )
    except UnicodeDecodeError as error:
        raise Malformed("not_json", f"a body is UTF-8: byte {error.start} is not") from None
    except ValueError as error:  # JSONDecodeError is one, and so is a whole number of thousands of digits
        raise Malformed("not_json", f"the body is no JSON: {error}") from None
    if not isinstance(value, dict):
        raise Malformed("not_an_object", "the body is JSON, but no object")
    if b"\\u" in body and not _is_text(value):
        raise Malformed("not_json", "a text in the body has half of a surrogate pair")
    return value


def _too_deep(body: bytes) -> bool:
    """Found before the parser, which goes by the interpreter's stack, is let near it."""
    if body.count(b"[") + body.count(b"{") <= DEEPEST:
        return False
    depth = 0
    for match in _TOKENS.finditer(body):
        token = match[0]
        depth += (token in (b"[", b"{")) - (token in (b"]", b"}"))
        if depth > DEEPEST:
            return True
    return False


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        ((twice, _),) = Counter(name for name, _ in pairs).most_common(1)
        raise Malformed("duplicate_key", f"the key {twice[:60]!r} is there twice in one object")
    return found


def _constant(name: str) -> float:
    raise Malformed("not_json", f"{name} is no JSON number")


def _float(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise Malformed("not_json", f"{text[:40]} is too large for a number")
    return value


def _is_text(value: object) -> bool:
    try:
        json.dumps(value, ensure_ascii=False).encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True
