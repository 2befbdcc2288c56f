"""What a person is told whose action does not fit now. Nothing has changed then."""

from collections.abc import Iterable

CONFLICT = "conflict"
"""It does not fit the state that the release is in, or what the person had seen is no longer live."""
FORBIDDEN = "forbidden"
"""It fits, but not from this person."""
NEEDS_REASON = "needs_reason"
"""It fits once a reason is given."""


class Refusal(Exception):
    """`kind` is one of the constants of this module, `text` says why, `allowed` names the actions that fit now."""

    def __init__(self, kind: str, text: str, allowed: Iterable[str] = ()) -> None:
        super().__init__(kind, text)
        self.kind = kind
        self.text = text
        self.allowed = tuple(allowed)

    def __str__(self) -> str:
        return f"{self.text} (possible now: {', '.join(self.allowed) or 'nothing'})"

    def allowing(self, allowed: Iterable[str]) -> "Refusal":
        """The same refusal, with the actions that fit now."""
        return Refusal(self.kind, self.text, allowed)
