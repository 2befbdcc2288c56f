"""The three files that Envoy watches, each in a directory of its own, and the lock that every writer takes.

    DIR/rds/rds.json    one RouteConfiguration, a virtual host (section) for each service
    DIR/cds/cds.json    one Cluster for each version and lane
    DIR/ecds/ecds.json  the tokens that routes may ask for: one TypedExtensionConfig
    DIR/good/           the last content of all that Envoy's own validation accepted
    DIR/tmp/, DIR/lock

Any rename in a watched directory makes Envoy read again, so nothing else may happen there. Files are readable for all:
Envoy may run as another user.
"""

import fcntl
import json
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from delivery.adapters.mesh.envoy.clusters import TYPE
from delivery.adapters.mesh.envoy.filters import JWT, authentication
from delivery.ports.errors import Unavailable

ROUTES = "rds"
CLUSTERS = "cds"
TOKENS = "ecds"
ROUTE_CONFIG = "main"
"""The name under which the listener asks for the routes."""
LOCK_SECONDS = 5.0
Document = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Stored:
    """`intact` is False where the file itself cannot be read: an Envoy that restarts on it answers 404 to all."""

    document: Document
    intact: bool


class Files:
    """Reading is free; whoever writes holds `lock()` from before the read to after the write."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def path(self, kind: str) -> Path:
        """The file that Envoy reads."""
        return self.directory / kind / f"{kind}.json"

    def prepare(self) -> None:
        """Directories, and files where there are none: an Envoy without them does not start, or answers 404 to all."""
        for name in (ROUTES, CLUSTERS, TOKENS, "good", "tmp"):
            (self.directory / name).mkdir(mode=0o755, parents=True, exist_ok=True)
        with self.lock():
            for kind, empty in (
                (ROUTES, routes_document([], 0)),
                (CLUSTERS, clusters_document([], 0)),
                (TOKENS, tokens_document({}, 0)),
            ):
                if not self.path(kind).exists():
                    self.replace(kind, self.accepted(kind) or empty)

    @contextmanager
    def lock(self) -> Iterator[None]:
        """One writer at a time, over all processes of the machine. Raises Unavailable after LOCK_SECONDS."""
        try:
            handle = os.open(self.directory / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise Unavailable(f"Envoy's files in {self.directory} cannot be locked: {error.strerror}") from error
        try:
            self._take(handle)
            yield
        finally:
            os.close(handle)  # lets go of the lock too

    def _take(self, handle: int) -> None:
        until = time.monotonic() + LOCK_SECONDS
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() > until:
                    text = f"another process has held {self.directory / 'lock'} for {LOCK_SECONDS:g} s"
                    raise Unavailable(text) from None
                time.sleep(0.002)
            else:
                return

    def load(self, kind: str) -> Stored:
        """What is stored; where a hand edit broke the file, what was accepted last: Envoy still serves that."""
        path = self.path(kind)
        try:
            return Stored(_parse(path), True)
        except (OSError, ValueError) as broken:
            accepted = self.accepted(kind)
            if accepted is None:
                raise Unavailable(f"Envoy's file {path} cannot be read: {broken}") from broken
            return Stored(accepted, False)

    def accepted(self, kind: str) -> Document | None:
        """The content that Envoy's validation accepted last, if that is still known."""
        try:
            return _parse(self.directory / "good" / f"{kind}.json")
        except (OSError, ValueError):
            return None

    def replace(self, kind: str, document: Mapping[str, Any]) -> None:
        """Writes a document that was found valid. The rename is what Envoy sees, and it is all or nothing."""
        content = json.dumps(document, separators=(",", ":"), ensure_ascii=False).encode()
        try:
            self._rename(content, self.path(kind))
            self._rename(content, self.directory / "good" / f"{kind}.json")
        except OSError as error:
            raise Unavailable(f"Envoy's file {self.path(kind)} cannot be written: {error.strerror}") from error

    def _rename(self, content: bytes, path: Path) -> None:
        temporary = self.directory / "tmp" / path.name
        with temporary.open("wb") as file:
            os.fchmod(file.fileno(), 0o644)
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.rename(path)
        _sync_directory(path.parent)


def routes_document(sections: list[Document], rev: int) -> Document:
    """The whole route file."""
    resource = {
        "@type": TYPE + "envoy.config.route.v3.RouteConfiguration",
        "name": ROUTE_CONFIG,
        "ignore_port_in_host_matching": True,
        "virtual_hosts": sections,
    }
    return {"version_info": str(rev), "resources": [resource]}


def clusters_document(clusters: list[Document], rev: int) -> Document:
    """The whole cluster file."""
    return {"version_info": str(rev), "resources": clusters}


def tokens_document(providers: Mapping[str, Any], rev: int) -> Document:
    """The whole file of tokens, by their names."""
    resource = {
        "@type": TYPE + "envoy.config.core.v3.TypedExtensionConfig",
        "name": JWT,
        "typed_config": authentication(providers),
    }
    return {"version_info": str(rev), "resources": [resource]}


def providers_of(document: Mapping[str, Any]) -> Document:
    """The tokens of such a file."""
    return {
        name: proven
        for resource in document["resources"]
        for name, proven in resource.get("typed_config", {}).get("providers", {}).items()
    }


def sections_of(document: Mapping[str, Any]) -> list[Document]:
    """The virtual hosts of a route file."""
    return [dict(section) for resource in document["resources"] for section in resource.get("virtual_hosts", ())]


def _parse(path: Path) -> Document:
    """Raises ValueError also for JSON that is not resources with names: then it was not Envoy's file."""
    document = json.loads(path.read_bytes())
    try:
        resources = document["resources"]
        hosts = [host for resource in resources for host in resource.get("virtual_hosts", ())]
        tokens = [resource.get("typed_config", {}).get("providers", {}) for resource in resources]
        named = all(isinstance(item["name"], str) for item in (*resources, *hosts))
        if named and all(isinstance(providers, dict) for providers in tokens):
            return dict(document)
    except (AttributeError, KeyError, TypeError):
        pass
    raise ValueError("it is JSON, but not a list of named resources")


def _sync_directory(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
