"""What the programs say, in a file for each."""

from pathlib import Path
from types import TracebackType
from typing import Self, TextIO


class LogFiles:
    """Files of the run that is on; those of the run before are replaced."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._files: dict[str, TextIO] = {}

    def __enter__(self) -> Self:
        self._directory.mkdir(parents=True, exist_ok=True)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for file in self._files.values():
            file.close()
        self._files.clear()

    def write(self, name: str, line: str) -> None:
        """One line of a program, readable at once."""
        if name not in self._files:
            self._files[name] = (self._directory / f"{name}.log").open("w", encoding="utf-8", buffering=1)
        self._files[name].write(line + "\n")
