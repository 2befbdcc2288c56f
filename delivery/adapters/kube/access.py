"""How we come to a Kubernetes API: what a kubeconfig, or the account of our pod, says now.

Credentials are replaced while we run. So their files are looked at before every call and read again when one of them
has changed; what cannot be read, half written say, leaves everything as it was.
"""

import contextlib
import os
import threading
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, TypeAlias

import kubernetes
import yaml
from kubernetes.utils.keepalive import tcp_keepalive_socket_options

from delivery.ports.errors import Refused

KEEPALIVE = (10, 5, 3)  # seconds until a quiet connection is probed, and between probes; how many of them
_NAMED = ("tokenFile", "client-certificate", "client-key", "certificate-authority")
_POD = Path(kubernetes.config.incluster_config.SERVICE_TOKEN_FILENAME)
_config: Any = kubernetes.config  # it has no types
_BROKEN = (kubernetes.config.ConfigException, OSError, yaml.YAMLError, ValueError, TypeError, AttributeError, KeyError)
"""What the official client raises over a file that is no kubeconfig."""
Marks: TypeAlias = Mapping[Path, tuple[int, int, int] | None]
"""By which a file that was changed or replaced is told from what it was."""


class Access:
    """`context` of a kubeconfig file; without a file, the account of the pod that we run in.

    Raises Refused where the configuration cannot be used at the start.
    """

    def __init__(self, kubeconfig: str | None, context: str | None) -> None:
        self._kubeconfig = kubeconfig
        self._context = context
        self._lock = threading.Lock()
        try:
            self._read()
        except _BROKEN as error:
            raise Refused(f"no access to the Kubernetes API: {error}") from error

    def client(self) -> Any:
        """The official client, with what the files say now. One that is in use goes on with what it has."""
        with self._lock:
            if _marks(self._marks) != self._marks:
                with contextlib.suppress(*_BROKEN):  # the next call looks again
                    self._read()
            return self._client

    def close(self) -> None:
        self._client.close()

    def _read(self) -> None:
        marks = _marks(_files(self._kubeconfig))  # first: what changes while it is read is seen the next time
        configuration = kubernetes.client.Configuration()
        if self._kubeconfig is None:
            _config.load_incluster_config(client_configuration=configuration)
        else:
            _config.load_kube_config(self._kubeconfig, self._context, client_configuration=configuration)
        configuration.socket_options = tcp_keepalive_socket_options(*KEEPALIVE)
        configuration.retries = False  # who calls decides whether and when to ask again
        client: Any = kubernetes.client.ApiClient(configuration)
        self._client, self._marks = client, marks


def _files(kubeconfig: str | None) -> tuple[Path, ...]:
    """The kubeconfig, which may be several, and the files that it names."""
    if kubeconfig is None:
        return (_POD,)
    found: list[Path] = []
    for path in (Path(one).expanduser() for one in kubeconfig.split(os.pathsep) if one):
        found += [path, *(path.parent / named for named in _named(path))]
    return tuple(found)


def _named(kubeconfig: Path) -> list[str]:
    if not kubeconfig.exists():
        return []
    document = yaml.safe_load(kubeconfig.read_text(encoding="utf-8"))
    kinds = (("users", "user"), ("clusters", "cluster"))
    entries = [one.get(kind) or {} for several, kind in kinds for one in document.get(several) or ()]
    return [str(entry[key]) for entry in entries for key in _NAMED if key in entry]


def _marks(files: Iterable[Path]) -> Marks:
    return {path: _mark(path) for path in files}


def _mark(path: Path) -> tuple[int, int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_ino, found.st_size
