"""`/delivery status|start|approve|reject|pause|resume|promote|abort`, understood."""

from collections.abc import Sequence
from itertools import takewhile

from api.routes.lookup import explained
from api.services import AppServices
from api.views.beside import sentence
from delivery.model.hold import HoldKind
from delivery.model.notice import ReleaseAction, ReleaseRequested, Says
from delivery.model.release import Release
from delivery.model.signal import Resume
from delivery.model.version import VersionRef
from delivery.ports.history import Filter
from delivery.sources.slack import SIGNALS, VIA, Speaker, resume
from delivery.wording.release import headline

HELP = (
    "`/delivery status SERVICE` says where its release is and what it waits for\n"
    "`/delivery start SERVICE VERSION [IMAGE]` starts a release\n"
    "`/delivery approve|reject|pause|promote|abort SERVICE[@CLUSTER] [why]` acts on the one that is open\n"
    "`/delivery resume SERVICE[@CLUSTER] [HOLD...] [why]` lifts the pause, or the holds that are named"
)
WORDS = ("status", "start", *SIGNALS)


def understand(services: AppServices, words: Sequence[str], speaker: Speaker) -> Says | str:
    """What is to be done; or the answer, where nothing is. Reads only."""
    word, *rest = words
    if not rest:
        return HELP
    if word == "start":
        return _start(rest, speaker)
    service, _, cluster = rest[0].partition("@")
    open_ones = _open(services, service, cluster or None)
    if word == "status":
        return _status(services, service, open_ones)
    if not open_ones:
        return f"no release of {rest[0]} is open"
    if len(open_ones) > 1:
        named = ", ".join(release.target for release in open_ones)
        return f"several releases of {service} are open; say which: {named}"
    (release,) = open_ones
    if word == "resume":
        return ReleaseAction(release.id, _resume(release, rest[1:], speaker))
    kind, reason = SIGNALS[word], " ".join(rest[1:])
    signal = kind(speaker.principal, reason, VIA, speaker.groups, speaker.admin, release.dseq)
    return ReleaseAction(release.id, signal)


def _start(rest: Sequence[str], speaker: Speaker) -> Says | str:
    if len(rest) not in (2, 3):
        return HELP
    service, _, cluster = rest[0].partition("@")
    version = VersionRef.of(rest[1], rest[2] if len(rest) > 2 else None)
    return ReleaseRequested(service, version, speaker.principal, cluster or None, origin={"via": VIA})


def _resume(release: Release, words: Sequence[str], speaker: Speaker) -> Resume:
    """The holds that are named first, else the pause; what follows them is the reason."""
    named = [HoldKind(word) for word in takewhile(lambda word: word in set(HoldKind), words)]
    return resume(speaker, " ".join(words[len(named) :]), release.dseq, tuple(named) or (HoldKind.PAUSE,))


def _open(services: AppServices, service: str, cluster: str | None) -> list[Release]:
    """Those that run, one a target."""
    rows = [row for row in services.history.rows(service) if cluster in (None, row.target.cluster)]
    ids = [row.target.active for row in rows if row.target.active is not None]
    found = [services.history.release(one) for one in ids]
    return [stored.release for stored in found if stored is not None]


def _status(services: AppServices, service: str, open_ones: Sequence[Release]) -> str:
    if not open_ones:
        newest = services.history.page(Filter(service=service), 1, None)
        return headline(newest[0].release) if newest else f"there is no release of {service}"
    return "\n".join(f"{headline(one)}\n{_explained(services, one)}" for one in open_ones)


def _explained(services: AppServices, release: Release) -> str:
    return explained(services, release, sentence(services.ledger, release.id)).text()
