"""Just enough HTTP/1.1 to tell where a message ends. Pure; the demo service and the load both read by it."""

import re

_LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*(\d+)", re.IGNORECASE)
_CHUNKED = re.compile(rb"\r\ntransfer-encoding:[^\r]*chunked", re.IGNORECASE)
_CLOSE = re.compile(rb"\r\nconnection:[^\r]*close", re.IGNORECASE)
_END = b"\r\n\r\n"


def message(buffer: bytes | bytearray, *, bodiless: bool = False) -> tuple[bytes, int] | None:
    """The head of the first message and the length of the whole; None while it is not complete.

    `bodiless` says that none follows whatever the head says, as after HEAD. Raises ValueError for what is not HTTP.
    """
    end = buffer.find(_END)
    if end < 0:
        return None
    head, start = bytes(buffer[:end]), end + len(_END)
    if bodiless:
        return head, start
    if _CHUNKED.search(head):
        stop = _chunks_end(buffer, start)
        return None if stop is None else (head, stop)
    length = _LENGTH.search(head)
    stop = start + (int(length.group(1)) if length else 0)
    return (head, stop) if len(buffer) >= stop else None


def header(head: bytes, name: str) -> str | None:
    """The first value of a header in a message's head."""
    found = re.search(rb"\r\n" + re.escape(name.encode()) + rb":[ \t]*([^\r]*)", head, re.IGNORECASE)
    return found.group(1).decode("latin-1").strip() if found else None


def headers(head: bytes, name: str) -> list[str]:
    """Every value of a header that may come more than once."""
    found = re.findall(rb"\r\n" + re.escape(name.encode()) + rb":[ \t]*([^\r]*)", head, re.IGNORECASE)
    return [value.decode("latin-1").strip() for value in found]


def closes(head: bytes) -> bool:
    """Whether the sender ends the connection after this message."""
    return _CLOSE.search(head) is not None


def _chunks_end(buffer: bytes | bytearray, start: int) -> int | None:
    while True:
        line = buffer.find(b"\r\n", start)
        if line < 0:
            return None
        size = int(bytes(buffer[start:line]).split(b";")[0], 16)
        start = line + 2 + size + 2
        if size == 0:
            return start if len(buffer) >= start else None
