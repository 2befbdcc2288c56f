"""A person's own way to a cluster."""

import os
from collections.abc import Mapping
from pathlib import Path

from delivery.adapters.kube.client import Kube
from delivery.ports.errors import Refused

__all__ = ["Kube", "connect"]


def connect(kubeconfig: str | None, context: str | None, environ: Mapping[str, str] = os.environ) -> Kube:
    """By this kubeconfig file, or the one that kubectl would take. Raises Refused where it cannot be used."""
    named = kubeconfig or environ.get("KUBECONFIG") or str(Path.home() / ".kube" / "config")
    if not any(Path(one).expanduser().exists() for one in named.split(os.pathsep) if one):
        raise Refused(f"there is no kubeconfig file {named}")
    return Kube(named, context)
