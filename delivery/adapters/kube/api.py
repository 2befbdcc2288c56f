"""The calls of the Kubernetes API that may also be answered out of what is observed."""

from collections.abc import Mapping
from typing import Any, Protocol

from delivery.adapters.kube.objects import Document


class Api(Protocol):
    """What they do is said at `Kube`."""

    def find(self, path: str) -> Document | None: ...

    def get(self, path: str, **query: str) -> Document: ...

    def items(
        self, version: str, kind: str, namespace: str, selector: Mapping[str, Any] | None = None
    ) -> list[Document]: ...

    def text(self, path: str, **query: str) -> str: ...

    def create(self, body: Mapping[str, Any], *, dry_run: bool = False) -> Document: ...

    def replace(self, body: Mapping[str, Any], *, dry_run: bool = False) -> Document: ...

    def patch(self, path: str, body: Any, kind: str = ..., *, dry_run: bool = False) -> Document: ...

    def delete(self, path: str, *, uid: str | None = None, revision: str | None = None) -> None: ...
