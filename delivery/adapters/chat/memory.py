"""A chat that keeps what it was told, and fails as often as a test asks it to."""

from delivery.ports.chat import Place, Post
from delivery.ports.errors import PortError


class MemoryChat:
    """`failures` are raised first, one for each call."""

    def __init__(self, failures: tuple[PortError, ...] = ()) -> None:
        self.posts: list[Post] = []
        self._failures = list(failures)

    def deliver(self, post: Post, place: Place) -> None:
        if self._failures:
            raise self._failures.pop(0)
        self.posts.append(post)
