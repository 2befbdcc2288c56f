"""A small HTTP/1.1 client over kept connections, for load: cheap enough for a few thousand requests a second."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field

from delivery.sandbox import wire

VERSION_HEADER = "x-version"
CONNECTIONS = 256


@dataclass(frozen=True, slots=True)
class Call:
    """One request to a service behind the proxy."""

    service: str
    path: str = "/"
    method: str = "GET"
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""

    def encode(self) -> bytes:
        lines = [f"{self.method} {self.path} HTTP/1.1", f"host: {self.service}"]
        lines += [f"{name}: {value}" for name, value in self.headers.items()]
        if self.body:
            lines.append(f"content-length: {len(self.body)}")
        return "\r\n".join(lines).encode() + b"\r\n\r\n" + self.body


@dataclass(frozen=True, slots=True)
class Reply:
    """`version` is None where no version made the answer: the proxy did, or (`status` 0) nobody. `seconds` it took."""

    status: int
    version: str | None
    cookies: tuple[str, ...] = ()
    body: bytes = b""
    seconds: float = 0.0


class ClientError(Exception):
    """No whole answer came; the text says what happened instead."""


class Client:
    """Connections are opened as they are needed and used again, the last one first. Belongs to one event loop."""

    def __init__(self, host: str, port: int, *, seconds: float = 20.0) -> None:
        self._address = (host, port)
        self._seconds = seconds
        self._idle: list[_Connection] = []
        self._open: set[_Connection] = set()
        self._places = asyncio.Semaphore(CONNECTIONS)

    async def call(self, call: Call) -> Reply:
        """One request. Raises ClientError; nothing is tried twice, because that would hide a failure."""
        loop = asyncio.get_running_loop()
        begun = loop.time()
        async with self._places:
            connection = await self._connection()
            try:
                async with asyncio.timeout(self._seconds):
                    head, body = await connection.exchange(call)
            except TimeoutError:
                connection.close()
                raise ClientError(f"no answer within {self._seconds:g} s") from None
            if not wire.closes(head):
                self._idle.append(connection)
            else:
                connection.close()
        status, cookies = int(head.split(b" ", 2)[1]), tuple(wire.headers(head, "set-cookie"))
        return Reply(status, wire.header(head, VERSION_HEADER), cookies, body, loop.time() - begun)

    async def _connection(self) -> "_Connection":
        while self._idle:
            connection = self._idle.pop()
            if not connection.closed:
                return connection
        try:
            _, made = await asyncio.get_running_loop().create_connection(
                lambda: _Connection(self._open), *self._address
            )
        except OSError as error:
            raise ClientError(f"no connection: {error.strerror}") from error
        return made

    def close(self) -> None:
        """Ends every connection."""
        for connection in tuple(self._open):
            connection.close()
        self._idle.clear()


class _Connection(asyncio.Protocol):
    def __init__(self, opened: "set[_Connection]") -> None:
        self._opened = opened
        self._transport: asyncio.Transport | None = None
        self._buffer = bytearray()
        self._bodiless = False
        self._waiting: asyncio.Future[tuple[bytes, bytes]] | None = None

    @property
    def closed(self) -> bool:
        return self._transport is None or self._transport.is_closing()

    def exchange(self, call: Call) -> "asyncio.Future[tuple[bytes, bytes]]":
        if self._transport is None:
            raise ClientError("the connection was closed before the request")
        self._bodiless = call.method == "HEAD"
        self._waiting = asyncio.get_running_loop().create_future()
        self._transport.write(call.encode())
        return self._waiting

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if isinstance(transport, asyncio.Transport):
            self._transport = transport
            self._opened.add(self)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        try:
            found = wire.message(self._buffer, bodiless=self._bodiless)
        except ValueError:
            self.close()
            return
        if found is not None and self._waiting is not None and not self._waiting.done():
            head, length = found
            body = bytes(self._buffer[len(head) + 4 : length])
            del self._buffer[:length]
            self._waiting.set_result((head, body))

    def connection_lost(self, exc: Exception | None) -> None:
        self._opened.discard(self)
        self._transport = None
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_exception(ClientError(f"the connection was cut: {exc or 'closed by the other side'}"))

    def close(self) -> None:
        if self._transport is not None:
            self._transport.abort()
