"""Port Mesh over Envoys that watch files: one Envoy, or several on this machine that share the files."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from delivery.adapters.mesh.answer import takes_back
from delivery.adapters.mesh.envoy import admit, clusters, filters, limiting, marker, render
from delivery.adapters.mesh.envoy.admin import Admin
from delivery.adapters.mesh.envoy.files import (
    CLUSTERS,
    ROUTES,
    TOKENS,
    Document,
    Files,
    clusters_document,
    providers_of,
    routes_document,
    sections_of,
    tokens_document,
)
from delivery.adapters.mesh.envoy.validate import Validator
from delivery.model.codec import digest
from delivery.model.event import Level
from delivery.model.ids import ReleaseId, TargetId, target_id
from delivery.model.version import Backend, Endpoint
from delivery.ports.errors import Conflict, Refused, Unavailable
from delivery.ports.mesh import Confirmation, Live, Route, Seen, Stamp

ABSENT = "absent"
"""The revision of a section that is not there."""


class EnvoyMesh:
    """`cluster` is the name that target ids carry. A virtual host's name is its service's, so there is one target each.

    Envoy has no resource versions. The fence is ours: a section's revision, compared under the lock of all writers.
    """

    def __init__(self, cluster: str, files: Files, proxies: Sequence[Admin], validator: Validator) -> None:
        self._cluster = cluster
        self._files = files
        self._proxies = tuple(proxies)
        self._validator = validator

    def read(self, target: TargetId) -> Live:
        stored = self._files.load(ROUTES)
        return _live(_find(sections_of(stored.document), _service(target)), stored.intact)

    def write(self, route: Route, stamp: Stamp, expect: str) -> Live:
        with self._files.lock():
            stored = self._files.load(ROUTES)
            sections = sections_of(stored.document)
            found = _live(_find(sections, route.service), stored.intact).revision
            if found != expect:
                raise Conflict(f"the route of {route.service} was written by someone else: {found}, not {expect}")
            rev = _next_revision(stored.document, sections)
            written = render.section(route, stamp, rev)
            self._check_filters(written)
            known, change = self._files.load(CLUSTERS).document, limiting.clusters(route)
            before, tokens = self._tokens(route, sections)
            wanted = admit.Known(change(known["resources"]), tokens)
            waits = not takes_back(route)
            whole = admit.sections(self._validator, self._files, sections, written, wanted, waits=waits)
            if tokens != before:
                self._files.replace(TOKENS, tokens_document(tokens, rev))
            if wanted.clusters != known["resources"]:
                self._change_clusters(known, change)
            self._files.replace(ROUTES, routes_document(whole, rev))
            return _live(written, intact=True)

    def confirm(self, target: TargetId, release: ReleaseId, dseq: int) -> Confirmation:
        file = self._files.load(ROUTES)
        section = _find(sections_of(file.document), _service(target))
        stored = marker.read(section or {})

        def proves(proxy: Admin) -> bool:
            running = marker.read(_find(proxy.sections(), _service(target)) or {})
            return running is not None and _at_least(running, stored, release, dseq) and _limited(proxy, running)

        missing = self._missing(proves)
        content = _live(section, file.intact).content
        return Confirmation(not missing, Level.ACKED, len(self._proxies), missing, content=content)

    def publish(self, target: TargetId, backend: Backend, endpoints: tuple[Endpoint, ...]) -> bool:
        with self._files.lock():
            stored = self._files.load(CLUSTERS)
            known = admit.by_name(stored.document["resources"])
            policy = clusters.policy_of(known.get(backend.name))  # the route's business, not that of where it runs
            wanted = admit.by_name(clusters.lanes(backend, endpoints, policy))
            if not stored.intact or any(known.get(name) != cluster for name, cluster in wanted.items()):
                self._change_clusters(stored.document, lambda known: list((admit.by_name(known) | wanted).values()))
        addresses = {name: clusters.addresses(cluster) for name, cluster in wanted.items()}

        def active(proxy: Admin) -> bool:
            return proxy.clusters(addresses) == addresses

        return not self._missing(active)

    def withdraw(self, target: TargetId, backend: Backend) -> None:
        names = clusters.names(backend)
        for proxy in self._proxies:  # one may still run an older route than the file's
            _refuse_named(names, proxy.sections(), f"Envoy at {proxy.address}")
        with self._files.lock():
            _refuse_named(names, sections_of(self._files.load(ROUTES).document), "the route file")
            document = self._files.load(CLUSTERS).document
            if names & admit.by_name(document["resources"]).keys():
                self._change_clusters(document, lambda known: [each for each in known if each["name"] not in names])

    def observe(self) -> Mapping[TargetId, Seen]:
        stored = self._files.load(ROUTES)
        return {
            target_id(section["name"], self._cluster): Seen(_live(section, stored.intact).content)
            for section in sections_of(stored.document)
        }

    def _tokens(self, route: Route, sections: list[Document]) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
        """The tokens that proxies know, and those that they have to. Most routes ask for none."""
        if not limiting.asks_for_tokens(route):
            return {}, {}
        known = providers_of(self._files.load(TOKENS).document)
        return known, limiting.tokens(route, sections, known)

    def _check_filters(self, section: Document) -> None:
        """Raises Refused where a proxy would pass over what the section relies on, such as the token of a preview."""
        if not (needed := filters.needed(section)):
            return
        for proxy in self._proxies:
            if lacking := needed - proxy.filters():
                text = f"Envoy at {proxy.address} has no filter {min(lacking)}, which this traffic needs"
                raise Refused(f"{text}: start it with the configuration of this version")

    def _change_clusters(self, document: Document, change: admit.Change) -> None:
        rev = _number(document.get("version_info")) + 1
        whole = admit.clusters(self._validator, self._files, document, change)
        self._files.replace(CLUSTERS, clusters_document(whole, rev))

    def _missing(self, holds: Callable[[Admin], bool]) -> tuple[str, ...]:
        """The proxies for which it does not hold, silent ones among them. Raises Unavailable where none answers."""
        missing, silent = [], []
        for proxy in self._proxies:
            try:
                if not holds(proxy):
                    missing.append(proxy.address)
            except Unavailable as error:
                silent.append(error)
                missing.append(proxy.address)
        if silent and len(silent) == len(self._proxies):
            raise silent[0]
        return tuple(missing)


def _limited(proxy: Admin, running: marker.Marker) -> bool:
    """Whether it runs the candidate's cluster with the policy that the route came with."""
    name, policy = running.candidate, running.policy
    return not policy or proxy.policies([name]) == {name: policy}


def _at_least(running: marker.Marker, stored: marker.Marker | None, release: ReleaseId, dseq: int) -> bool:
    """Whether a proxy runs this token or a newer one of its release, and the newest writing of it.

    The second half matters after a foreign edit was corrected: the correction carries the same token.
    """
    if running.stamp.release != release or running.stamp.dseq < dseq:
        return False
    return stored is None or stored.stamp.release != release or running.rev >= stored.rev


def _service(target: TargetId) -> str:
    return target.rpartition("@")[0]


def _find(sections: list[Document], name: str) -> Document | None:
    return next((section for section in sections if section.get("name") == name), None)


def _live(section: Document | None, intact: bool) -> Live:
    """A section that survives only in the copy beside a broken file counts as changed, so that it is put back."""
    if section is None:
        return Live(ABSENT, None, "")
    content = digest(section) if intact else f"broken file, {digest(section)}"
    found = marker.read(section)
    return Live(content, found.stamp if found else None, content, marker.live_weight(section))


def _next_revision(document: Document, sections: list[Document]) -> int:
    markers = (marker.read(section) for section in sections)
    return 1 + max([_number(document.get("version_info")), *(found.rev for found in markers if found)])


def _number(text: object) -> int:
    return int(text) if isinstance(text, str) and text.isdigit() else 0


def _refuse_named(names: frozenset[str], sections: list[Document], where: str) -> None:
    for section in sections:
        if named := names & admit.named_clusters(section):
            raise Conflict(f"{where} still names {min(named)} for {section['name']}")
