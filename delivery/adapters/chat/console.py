"""Messages as lines of a stream: the chat of a machine that has none."""

import sys
from typing import TextIO

from delivery.ports.chat import Place, Post
from delivery.ports.errors import Unavailable
from delivery.wording.chat import summary


class ConsoleChat:
    """Writes one line a message to `stream`, standard error by default; `channel` stands in front."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stderr

    def deliver(self, post: Post, place: Place) -> None:
        call = "! " if post.message.call else ""
        try:
            told = summary(post.message, post.release, post.paused)
            self._stream.write(f"[{post.channel.partition(':')[2]}] {call}{told}\n")
            self._stream.flush()
        except (OSError, ValueError) as error:  # a closed pipe, a closed stream
            raise Unavailable(f"the console cannot be written: {error}") from error
