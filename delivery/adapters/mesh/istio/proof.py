"""The ladder of confirmation: probed at gateways, acknowledged to istiod, or settled by time. The level is told.

What can be proven depends on rights: gateways are asked themselves, sidecars only through istiod, and where istiod does
not tell, all that is left is to wait longer than it ever delays a push.
"""

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from delivery.adapters.kube.objects import Document
from delivery.adapters.mesh.istio import probe
from delivery.adapters.mesh.istio.clock import Span
from delivery.adapters.mesh.istio.istiod import CLUSTERS, ENDPOINTS, ROUTER, ROUTES, SIDECAR, Istiods
from delivery.adapters.mesh.istio.probe import Question
from delivery.adapters.mesh.istio.proxies import Addresses
from delivery.adapters.mesh.istio.pushes import BOTH, Spread, spread
from delivery.model.event import Level
from delivery.ports.errors import PortError, Refused, Unavailable
from delivery.ports.mesh import Confirmation

DEBOUNCE = 10.0
"""Seconds: the longest that istiod delays a push (PILOT_DEBOUNCE_MAX)."""
SLACK = 5.0
"""Seconds for the push itself, where nobody tells how long pushes take."""
REMEMBERED = 1000
"""Changes whose first count of refusals is kept; a change that is forgotten begins anew."""
MESH = "mesh"
PROBE_PATH = "/.delivery-probe"
"""Before the first write has arrived, a probe is a request like any other: it asks for what no service has."""


@dataclass(frozen=True, slots=True)
class Gateway:
    """The proxies behind a Gateway object."""

    addresses: Addresses
    tls: bool = False


@dataclass(frozen=True, slots=True)
class Exposed:
    """A VirtualService as proxies see it: the gateways that it is bound to, and how to ask them for it."""

    gateways: frozenset[str]
    host: str
    path: str
    secret: str


class Proof:
    """`gateways` by the NAMESPACE/NAME of their Gateway objects."""

    def __init__(self, gateways: Mapping[str, Gateway], istiods: Istiods | None) -> None:
        self._gateways = gateways
        self._istiods = istiods
        self._rejects: dict[str, float] = {}

    def routes(self, exposed: Sequence[Exposed], least: tuple[str, int, int], change: Span) -> Confirmation:
        """Whether the proxies run what was written within `change`. `least`: release, dseq, and number of the write."""
        probed = self.probed(exposed, least)
        types = self._unprobed(exposed)
        if not types:
            return self._explained(probed, change)
        rest = self._pushed(change, (ROUTES,), types, f"{least[0]}/{least[1]}")
        return _together(probed, rest) if probed.proxies else rest

    def backends(self, change: Span, write: str) -> bool:
        """Whether every proxy knows a backend that was made known within `change`, and where it is. `write` tells this
        change from every other: refusals are counted from when it is first asked after.

        Raises Unavailable where a replica of istiod keeps that from being known: the candidate cannot help it.
        """
        found = self._pushed(change, (CLUSTERS, ENDPOINTS), BOTH, write)
        silent = self._istiods.silent if self._istiods else ()
        if silent and not found.proven:
            raise Unavailable(f"{silent[0]} does not answer: what the proxies know that it serves cannot be told")
        return found.proven

    def probed(self, exposed: Iterable[Exposed], least: tuple[str, int, int]) -> Confirmation:
        """What the gateways themselves say. Raises Unavailable where none of them answers."""
        questions = [
            Question(proxy, address, each.host, each.path, each.secret, gateway.tls)
            for each in exposed
            for name, gateway in self._gateways.items()
            if name in each.gateways
            for proxy, address in gateway.addresses.find().items()
        ]
        answers = probe.ask_all(questions)
        pairs = list(zip(questions, answers, strict=True))
        missing = dict.fromkeys(question.proxy for question, answer in pairs if not _runs(answer, least))
        proxies = {question.proxy for question in questions}
        return Confirmation(bool(proxies) and not missing, Level.PROBED, len(proxies), tuple(missing))

    def _unprobed(self, exposed: Iterable[Exposed]) -> frozenset[str]:
        """The types of proxies that take one of these routes and cannot be asked themselves."""
        names = {name for each in exposed for name in each.gateways} - self._gateways.keys()
        return frozenset({SIDECAR} if MESH in names else ()) | frozenset({ROUTER} if names - {MESH} else ())

    def _explained(self, probed: Confirmation, change: Span) -> Confirmation:
        """Why a gateway does not run it, in its own words, where istiod tells."""
        if probed.proven or self._istiods is None:
            return probed
        try:
            refused = spread(self._istiods.account().proxies, change, (ROUTES,), (ROUTER,)).refused
        except PortError:
            return probed
        return Confirmation(False, probed.level, probed.proxies, probed.missing, refused)

    def _pushed(self, change: Span, kinds: Sequence[str], types: Iterable[str], key: str) -> Confirmation:
        if self._istiods is None:
            return self._waited(change, key)
        try:
            account = self._istiods.account()
        except Refused:  # Denied: the rung below
            return self._waited(change, key)
        found = spread(account.proxies, change, kinds, frozenset(types))
        found = replace(found, missing=(*account.silent, *found.missing))
        return _acknowledged(found, _age(change) >= DEBOUNCE + SLACK)

    def _waited(self, change: Span, key: str) -> Confirmation:
        """By time alone; with istiod's counters it is known at least that pushes are fast and nobody refused one."""
        try:
            told = self._istiods.rejects() if self._istiods else None
        except PortError:
            told = None
        if told is None:
            return _by_time(_age(change) >= DEBOUNCE + SLACK, Level.WRITTEN)
        if len(self._rejects) >= REMEMBERED:
            self._rejects.clear()
        before = min(told.rejects, self._rejects.get(key, told.rejects))  # a replica may have begun anew
        self._rejects[key] = before
        if told.rejects > before:
            return Confirmation(False, Level.SETTLED, 0, ("a proxy that refused a configuration since",))
        return _by_time(_age(change) >= DEBOUNCE + told.p99, Level.SETTLED)


def exposed(document: Document, roots: Iterable[Document], secret: str) -> list[Exposed]:
    """How a VirtualService is reached: by itself, or, as a delegate without hosts, by those that delegate to it."""
    if (document.get("spec") or {}).get("hosts"):
        return [Exposed(_gateways(document), _host(document), PROBE_PATH, secret)]
    return [
        Exposed(_gateways(root), _host(root), _path(route), secret)
        for root in roots
        for route in root["spec"].get("http") or ()
        if _delegates(root, route, document)
    ]


def _delegates(root: Document, route: Mapping[str, object], document: Document) -> bool:
    told = route.get("delegate")
    if not isinstance(told, Mapping) or told.get("name") != document["metadata"]["name"]:
        return False
    return bool(told.get("namespace", root["metadata"]["namespace"]) == document["metadata"]["namespace"])


def _gateways(document: Document) -> frozenset[str]:
    namespace = document["metadata"]["namespace"]
    names = document["spec"].get("gateways") or [MESH]
    return frozenset(name if name == MESH or "/" in name else f"{namespace}/{name}" for name in names)


def _host(document: Document) -> str:
    """A host that the document answers to."""
    first = str(document["spec"]["hosts"][0])
    return "probe.invalid" if first == "*" else first.replace("*", "probe", 1)


def _path(route: Mapping[str, object]) -> str:
    """A path that a delegating route takes, where it takes only some."""
    matches = route.get("match")
    first = matches[0] if isinstance(matches, list) and matches else {}
    uri = first.get("uri") or {}
    return str(uri.get("exact") or f"{str(uri.get('prefix', '')).rstrip('/')}{PROBE_PATH}")


def _runs(answer: str | None, least: tuple[str, int, int]) -> bool:
    """Whether a marker is of this write, or of a newer one of the same release."""
    release, dseq, rev = (answer or "").strip().rsplit("/", 2) if (answer or "").count("/") >= 2 else ("", "0", "0")
    if release != least[0] or not (dseq.isdigit() and rev.isdigit()):
        return False
    return int(dseq) >= least[1] and int(rev) >= least[2]


def _acknowledged(found: Spread, old: bool) -> Confirmation:
    """A proxy that was sent nothing since long ago does not depend on the change: that is no proof, so it is told."""
    if old and not found.missing:
        level = Level.SETTLED if found.untouched else Level.ACKED
        return Confirmation(True, level, len(found.proxies))
    missing = (*found.missing, *found.untouched, *found.unclear)
    return Confirmation(not missing, Level.ACKED, len(found.proxies), missing, found.refused)


def _by_time(old: bool, level: Level) -> Confirmation:
    return Confirmation(old, level, 0, () if old else ("proxies that cannot be asked",))


def _together(one: Confirmation, other: Confirmation) -> Confirmation:
    levels = list(Level)
    level = min(one.level, other.level, key=levels.index)
    proven = one.proven and other.proven
    return Confirmation(
        proven, level, one.proxies + other.proxies, (*one.missing, *other.missing), one.refused or other.refused
    )


def _age(change: Span) -> float:
    return time.monotonic() - change.last
