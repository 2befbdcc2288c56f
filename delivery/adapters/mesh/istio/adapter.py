"""Port Mesh over Istio: VirtualServices that their owners keep, edited in place by conditional writes.

Stored in the cluster itself, or in a git repository that somebody else applies: proxies are asked all the same.
"""

import contextlib
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from delivery.adapters.git.objects import Objects
from delivery.adapters.kube.client import Kube
from delivery.adapters.kube.objects import ISTIO, Document, path
from delivery.adapters.kube.watch import View, Watch
from delivery.adapters.mesh.answer import takes_back, uncarried
from delivery.adapters.mesh.istio import document, guards, hosts, stamps, tags, targets
from delivery.adapters.mesh.istio.limiting import Limiting
from delivery.adapters.mesh.istio.moments import Applied, Moments
from delivery.adapters.mesh.istio.proof import Exposed, Proof, exposed
from delivery.adapters.mesh.istio.publishing import Publishing
from delivery.adapters.mesh.istio.stored import InCluster, InGit, Stored
from delivery.adapters.mesh.istio.tagging import Tagging
from delivery.model.event import Level
from delivery.model.ids import ReleaseId, TargetId, target_id
from delivery.model.place import Place, host, object_name
from delivery.model.version import Backend, Endpoint, Lane
from delivery.ports.errors import Conflict, Refused, Unavailable
from delivery.ports.mesh import Confirmation, Live, Route, Seen, Stamp

SECRET_BYTES = 12


class IstioMesh:
    """`cluster` is the name that target ids carry; `locate` says where a target lives. `git` has the VirtualServices
    where only somebody else may write to the cluster: then `kube` is one that writes there too. `tagged`: traces tell
    releases apart."""

    def __init__(
        self,
        cluster: str,
        kube: Kube,
        locate: Callable[[TargetId], Place],
        proof: Proof,
        *,
        git: Objects | None = None,
        tagged: bool = False,
    ) -> None:
        self._cluster = cluster
        self._kube = kube
        self._locate = locate
        self._proof = proof
        self._moments = Moments() if git is None else Applied()
        self._publishing = Publishing(kube, proof, self._moments if git is not None else Moments())
        self._limiting = Limiting(kube)
        self._tagging = Tagging(kube, self._limiting, asked=tagged)
        self._watch = Watch(kube, path(ISTIO, targets.KIND))
        self._stored: Stored = InCluster(kube) if git is None else InGit(kube, git, self._watch)
        self._kept: dict[TargetId, tuple[str, list[Document]]] = {}
        self._seen: dict[tuple[str, str], tuple[int, Seen]] = {}
        self._told: tuple[Mapping[str, int], Mapping[TargetId, Seen]] | None = None

    def close(self) -> None:
        """Ends what works in the background."""
        self._watch.close()
        self._kube.close()

    def read(self, target: TargetId) -> Live:
        return self._read(target)

    def write(self, route: Route, stamp: Stamp, expect: str) -> Live:
        place = self._locate(route.target)
        found = self._expected(route.target, expect)
        if (reason := targets.paused(found)) is not None:
            raise Unavailable(f"nothing is written: {reason}")
        if (reason := uncarried(route)) is not None:
            raise Refused(f"{route.service}: {reason}")
        if (reason := self._unroutable(found, place, route.service)) is not None:
            if not takes_back(route):
                raise Refused(reason)
            found = found or self._naming(route, place)
            if not found:
                return self._keep(route.target, place, [])  # nothing of ours is left that anybody could reach
        before = targets.newest(found, route.service)
        held = frozenset(before.guards if before else ())
        wanted = guards.told(route) | self._tagging.put(route, place, held)
        written = replace(
            document.stamped(found, route, place, stamp),
            guards=tuple(sorted(wanted if route.traffic.exposes else held | wanted)),
        )
        changed = [self._edited(each, route, place, written) for each in found]
        self._demand_published(route, place, found, changed)
        self._limiting.put(route, place)
        if route.traffic.exposes:  # whoever only lowers waits for nothing
            self._drop(route.target, place, held - wanted)
        done = self._moments.during(route.target, written.token, lambda: self._store(route, place, found, changed))
        for each in self._stored.applied(done, route.service):
            self._watch.take(each)
        return self._keep(route.target, place, done)

    def confirm(self, target: TargetId, release: ReleaseId, dseq: int) -> Confirmation:
        """What is proven of routes as this process knows them counts once they were read again: others may have written
        since."""
        found = self._with_token(target, release, dseq)
        content = targets.content(found, self._locate(target), _service(target))
        asked = self._confirmed(found, target, release, dseq)
        proven = asked.proven and self._read(target, fresh=True).content == content
        return replace(asked, proven=proven, content=content)

    def _confirmed(self, found: list[Document], target: TargetId, release: ReleaseId, dseq: int) -> Confirmation:
        service = _service(target)
        written = targets.newest(found, service)
        asked = [each for one in found for each in self._exposed(one, service)]
        least = (release, dseq, written.rev if written and written.stamp.release == release else 0)
        if written is None or written.stamp.release != release or written.stamp.dseq < dseq:
            return self._unwritten(asked, least, target)
        if {stamps.read(each, service) for each in found} != {written}:
            missing = tuple(_name(each) for each in found if stamps.read(each, service) != written)
            return Confirmation(False, Level.WRITTEN, len(missing), missing)
        there = self._stored.applied(found, service)
        if late := _unapplied(found, there, written, service):
            self._kept.pop(target, None)  # what it waits for may be no more
            return Confirmation(False, Level.WRITTEN, len(late), late)
        return self._proof.routes(asked, least, self._moments.of(target, written.token, there[0]))

    def publish(self, target: TargetId, backend: Backend, endpoints: tuple[Endpoint, ...]) -> bool:
        """The endpoints are those of the Service: its pods are found by itself."""
        return self._publishing.publish(target, self._locate(target), backend)

    def withdraw(self, target: TargetId, backend: Backend) -> None:
        place, service = self._locate(target), _service(target)
        names = frozenset(hosts.all_lanes(place, backend)) - {host(place, place.service)}
        listed = self._stored.listed(place)
        for each in listed:
            if named := names & document.named(each):
                raise Conflict(f"{_name(each)} still names {min(named)}")
        self._keep(target, place, self._stored.fetch(place, service))
        written = targets.newest(self._kept[target][1], service)
        if written is not None:
            confirmed = self.confirm(target, written.stamp.release, written.stamp.dseq)
            if not confirmed.proven:
                missing = ", ".join(confirmed.missing) or "a proxy"
                raise Conflict(f"{missing} may still run an older route of {service}, which names {backend.name}")
        guarding = [each for each in (written.guards if written else ()) if each.endswith(f"/{object_name(backend)}")]
        self._drop(target, place, frozenset(guarding))
        self._publishing.withdraw(target, place, backend)

    def observe(self) -> Mapping[TargetId, Seen]:
        """The same mapping as before where nothing changed: every drain asks, and there may be thousands of routes."""
        view = self._watch.view()
        if self._told is not None and self._told[0] == view.changes:
            return self._told[1]
        marked = {
            (namespace, service) for (namespace, _), one in view.documents.items() for service in stamps.services(one)
        }
        found = {
            (namespace, target_id(service, self._cluster)): self._observed(service, namespace, view)
            for namespace, service in sorted(marked)
        }
        known = {target: seen for (_, target), seen in found.items() if seen.content}
        whole = all(seen.content for seen in found.values())  # else a service file may yet say where one lives
        self._told = (view.changes, known) if whole else None
        return known

    def _observed(self, service: str, namespace: str, view: View) -> Seen:
        """By the watch; computed again only where something changed in the namespace. Nothing where no service file
        says that the service lives there."""
        changes = view.changes[namespace]
        known = self._seen.get((namespace, service))
        if known is not None and known[0] == changes:
            return known[1]
        seen = Seen("")
        with contextlib.suppress(Refused):
            place = self._locate(target_id(service, self._cluster))
            if place.namespace == namespace:
                beside = [one for (where, _), one in view.documents.items() if where == namespace]
                chosen = targets.select(beside, place, service)
                seen = Seen(targets.content(chosen, place, service), targets.paused(chosen))
        if seen.content:
            self._seen[(namespace, service)] = (changes, seen)
        return seen

    def _keep(self, target: TargetId, place: Place, documents: list[Document]) -> Live:
        live = targets.live(documents, place, _service(target))
        self._kept[target] = (live.revision, documents)
        return live

    def _expected(self, target: TargetId, expect: str) -> list[Document]:
        """The documents of the revision that the writer has read. Each write is conditional besides."""
        if self._kept.get(target, ("", []))[0] != expect:
            self.read(target)
        revision, documents = self._kept[target]
        if revision != expect:
            raise Conflict(f"the routes of {target} were written by someone else: {revision}, not {expect}")
        return documents

    def _drop(self, target: TargetId, place: Place, told: frozenset[str]) -> None:
        """Takes away what stands beside the routes."""
        tagging = frozenset(each for each in told if each.startswith(f"{tags.KIND}/"))
        self._tagging.drop(target, place, tagging)
        self._limiting.drop(target, place, told - tagging)

    def _edited(self, found: Document, route: Route, place: Place, written: stamps.Written) -> Document:
        secret = document.secret_of(found, route.service) or secrets.token_hex(SECRET_BYTES)
        return document.edit(found, route, place, written, secret)

    def _store(
        self, route: Route, place: Place, found: Sequence[Document], changed: Sequence[Document]
    ) -> list[Document]:
        live = targets.live(found, place, route.service)
        less = not route.traffic.rules and route.traffic.mirror is None and route.traffic.weight <= live.weight
        lowers = takes_back(route) or (less and live.stamp is not None)
        return self._stored.store(route.service, found, changed, lowers)

    def _naming(self, route: Route, place: Place) -> list[Document]:
        """Those that send to the release's versions, though nothing of them leads to the service any more."""
        names = frozenset(hosts.all_lanes(place, route.candidate, route.copy)) - {host(place, place.service)}
        return [each for each in self._stored.listed(place) if names & document.named(each)]

    def _unroutable(self, found: Sequence[Document], place: Place, service: str) -> str | None:
        """Why nothing can be raised there."""
        if (name := targets.missing(found, place)) is not None:
            text = f"there is no VirtualService {place.namespace}/{name}{self._stored.where}"
            return f"{text}: create it, or correct `routes` of the service file of {service}"
        return None if found else _no_route(place)

    def _demand_published(
        self, route: Route, place: Place, found: Sequence[Document], changed: Sequence[Document]
    ) -> None:
        """A host that no proxy knows would answer 503. What a route names already is known."""
        before = frozenset().union(*map(document.named, found))
        new = frozenset().union(*map(document.named, changed)) - before
        known = self._publishing.reaches if takes_back(route) else self._publishing.knows
        for backend in filter(None, (route.stable, route.candidate, route.copy)):
            for lane in Lane:
                where = hosts.lane(place, backend, lane)
                if where in new and not known(place, backend, lane):
                    raise Refused(f"{backend.lane(lane)} is not published: there is nothing at {where}")

    def _read(self, target: TargetId, *, fresh: bool = False) -> Live:
        place = self._locate(target)
        return self._keep(target, place, self._stored.fetch(place, _service(target), fresh=fresh))

    def _with_token(self, target: TargetId, release: ReleaseId, dseq: int) -> list[Document]:
        """As this process knows them, where that has the token; else as they are stored now."""
        known = targets.newest(self._kept.get(target, ("", []))[1], _service(target))
        if known is None or known.stamp.release != release or known.stamp.dseq < dseq:
            self.read(target)
        return self._kept[target][1]

    def _exposed(self, found: Document, service: str) -> list[Exposed]:
        secret = document.secret_of(found, service) or ""
        roots = () if (found.get("spec") or {}).get("hosts") else tuple(self._watch.view().documents.values())
        return exposed(found, roots, secret)

    def _unwritten(self, asked: Sequence[Exposed], least: tuple[str, int, int], target: TargetId) -> Confirmation:
        """Nothing can be proven of what is not stored; who answers is counted all the same."""
        found = self._proof.probed(asked, least)
        if found.proxies:
            return replace(found, proven=False)
        text = f"the routes of {target} do not carry {least[0]}/{least[1]}"
        if not asked:
            text = self._unroutable([], self._locate(target), _service(target)) or text
        return Confirmation(False, Level.WRITTEN, 1, (text,))


def _unapplied(
    stored: Sequence[Document], there: Sequence[Document], written: stamps.Written, service: str
) -> tuple[str, ...]:
    """Those that the cluster does not have as they are stored: what proxies say is of something older."""
    having = {_name(each) for each in there if stamps.read(each, service) == written}
    return tuple(f"{_name(each)}, which is not applied yet" for each in stored if _name(each) not in having)


def _service(target: TargetId) -> str:
    return target.rpartition("@")[0]


def _name(found: Document) -> str:
    return f"VirtualService {found['metadata']['namespace']}/{found['metadata']['name']}"


def _no_route(place: Place) -> str:
    where = host(place, place.service)
    return f"no VirtualService of namespace {place.namespace} has an HTTP route to {where}: add one"
