"""A mistake put into the engine on purpose, with the weather in which it is found soonest."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

from tests.simulation.profiles import Profile
from tests.simulation.world import Wrap, unwrapped


@dataclass(frozen=True)
class Mutant:
    """`wrap` stands between the engine and a port, `patched` changes the engine's code while a schedule runs.

    It must break what `breaks` says (any of it) within the first `seeds` schedules of `profile`.
    """

    name: str
    breaks: str | tuple[str, ...]
    profile: Profile
    wrap: Wrap = unwrapped
    patched: Callable[[], AbstractContextManager[Any]] = nullcontext
    seeds: int = 60


class Over:
    """A port with some of its methods replaced."""

    def __init__(self, port: Any) -> None:
        self._port = port

    def __getattr__(self, name: str) -> Any:
        return getattr(self._port, name)


def only(kind: Callable[[Any], Any], name: str) -> Wrap:
    """Wraps the ports of this name."""
    return lambda port, port_name: kind(port) if port_name == name else port
