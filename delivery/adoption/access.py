"""A person's own way to a cluster."""

import os
from collections.abc import Mapping
from pathlib import Path

from delivery.adapters.kube.client import Kube

__all__ = ["Kube", "connect"]


def connect(kubeconfig: str | None, context: str | None, environ: Mapping[str, str] = os.environ) -> Kube:
    """By this kubeconfig file, or the one that kubectl would take. Raises Refused where it cannot be used."""
    named = kubeconfig or environ.get("KUBECONFIG") or str(Path.home() / ".kube" / "config")
    return Kube(named, context)
