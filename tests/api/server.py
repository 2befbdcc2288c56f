"""The API on a real port, for what a test client cannot do: streams that stay open, and documented commands."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import uvicorn
from fastapi import FastAPI

LIMIT = 10.0


@contextmanager
def serving(app: FastAPI | Callable[[str], FastAPI], certificate: Path | None = None) -> Iterator[str]:
    """The base URL, for as long as the block lasts. The app is to be one that nothing else runs; or it is made for that
    URL. With a certificate (a PEM file that has its key too) it is served over https.
    """
    listening = socket.create_server(("127.0.0.1", 0))
    base = f"{'https' if certificate else 'http'}://127.0.0.1:{listening.getsockname()[1]}"
    made = app if isinstance(app, FastAPI) else app(base)
    config = uvicorn.Config(
        made, log_config=None, access_log=False, timeout_graceful_shutdown=1, ssl_certfile=certificate
    )
    server = uvicorn.Server(config)
    started = threading.Event()
    original = server.startup

    async def startup(sockets: list[socket.socket] | None = None) -> None:
        await original(sockets)
        started.set()

    server.startup = startup  # type: ignore[method-assign]
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
    thread.start()
    try:
        assert started.wait(LIMIT)
        yield base
    finally:
        server.should_exit = True
        thread.join(LIMIT)
        listening.close()
        assert not thread.is_alive()
