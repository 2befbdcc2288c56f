"""Why something that came in is not taken. The texts are for whoever sends it."""

from collections.abc import Sequence

from delivery.model.notice import Notice


class Unsigned(Exception):
    """No signature of ours fits: whatever the body says, nobody reads it. `kind` is for programs."""

    def __init__(self, text: str, kind: str = "unsigned") -> None:
        super().__init__(text)
        self.kind = kind


class Stale(Unsigned):
    """It was signed too long ago, or in the future."""

    def __init__(self, text: str) -> None:
        super().__init__(text, "stale")


class Malformed(Exception):
    """It was signed and says nothing that we understand. `kind` is for programs, `pointer` (RFC 6901) says where.

    `beside` are the notices, each with its body, that came in the same request and are right.
    """

    def __init__(self, kind: str, text: str, pointer: str = "", beside: Sequence[tuple[Notice, bytes]] = ()) -> None:
        super().__init__(text)
        self.kind = kind
        self.pointer = pointer
        self.beside = beside
