"""Whether a change has reached the proxies, by what istiod says that it sent and they acknowledged. Pure."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from enum import StrEnum

from delivery.adapters.mesh.istio.clock import Span
from delivery.adapters.mesh.istio.istiod import ROUTER, SIDECAR, Sent, Synced

LONGEST = 1000  # characters of a refusal
_PRINTED = "goo.gle/debug"  # what protobuf begins its prints with


class Reached(StrEnum):
    YES = "yes"  # sent after the change, and acknowledged
    UNCLEAR = "unclear"  # acknowledged, but sent while the change was being made: perhaps without it
    UNTOUCHED = "untouched"  # everything sent is acknowledged, and nothing was sent since the change
    NOT_YET = "not_yet"
    REFUSED = "refused"  # what was sent since the change was refused


@dataclass(frozen=True, slots=True)
class Spread:
    """How far a change has come. `untouched` proxies may not depend on it, or may not have been told yet; `unclear`
    ones were told at the same time, and if it was without the change they will be told again."""

    proxies: tuple[str, ...]
    missing: tuple[str, ...]
    untouched: tuple[str, ...]
    unclear: tuple[str, ...]
    refused: str | None


def spread(proxies: Iterable[Synced], change: Span, kinds: Collection[str], types: Collection[str]) -> Spread:
    """Of a change that was made within `change`, for proxies of some types, in all of some kinds of resources.

    A push that may have gone out before the change proves nothing: what is acknowledged then is the old configuration.
    """
    concerned = [proxy for proxy in proxies if proxy.kind in types]
    states = {proxy.name: [_reached(proxy.sent.get(kind), change) for kind in kinds] for proxy in concerned}
    worst = {name: max(found, key=_WORSE.index) for name, found in states.items()}

    def named(*of: Reached) -> tuple[str, ...]:
        return tuple(name for name, found in worst.items() if found in of)

    refused = next((text for proxy in concerned if (text := _refusal(proxy, change, kinds))), None)
    missing = named(Reached.NOT_YET, Reached.REFUSED)
    return Spread(tuple(states), missing, named(Reached.UNTOUCHED), named(Reached.UNCLEAR), refused)


_WORSE = list(Reached)


def _reached(sent: Sent | None, change: Span) -> Reached:
    if sent is None:
        return Reached.UNTOUCHED  # it watches nothing of this kind
    if sent.error:
        return Reached.REFUSED
    if not sent.acked:
        return Reached.NOT_YET
    if sent.at.first >= change.last:
        return Reached.YES
    return Reached.UNCLEAR if sent.at.last >= change.first else Reached.UNTOUCHED


def _refusal(proxy: Synced, change: Span, kinds: Collection[str]) -> str | None:
    """A refusal of something older is somebody else's, and keeps what is new from being taken all the same."""
    for kind in kinds:
        sent = proxy.sent.get(kind)
        if sent is not None and sent.error and sent.at.last >= change.first:
            return f"{proxy.name}: {_in_a_line(sent.error)}"
    return None


def _in_a_line(text: str) -> str:
    """Envoy's own words. Some of its messages print the whole configuration, secrets of ours included, before the
    reason, and are cut at 4 kB: then the reason may be missing."""
    if text.startswith(_PRINTED):
        _, found, text = text.rpartition("\n: ")
        text = text if found else "a configuration is refused, and the reason was cut off: the proxy's own log has it"
    return " ".join(text.split())[:LONGEST]


BOTH = (ROUTER, SIDECAR)
