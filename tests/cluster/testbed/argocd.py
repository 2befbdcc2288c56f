"""Argo CD's own CRD of Applications, and a stand-in for its controller.

The CRD is taken from Argo CD's Go module and kept beside the built programs. The controller itself is not run: it needs
a repo server and Redis besides. What stands in does what the documentation says of syncs: it compares, syncs what it is
asked to or allowed to, heals if told, and writes the status where Argo CD does. It renders no charts: `render` says
what a source means.
"""

import copy
import json
import shutil
import subprocess
import threading
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml
from kubernetes.client.exceptions import ApiException

from tests.cluster.testbed.api import Api, Document, place
from tests.cluster.testbed.process import CannotRun, wait_until
from tools.cluster_build import cache

MODULE, VERSION = "github.com/argoproj/argo-cd/v3", "v3.1.0"
SUM = "h1:2+gPskQKCyPC9DzRSWQ1AvmS3WiIlRR7bKz/FO3DozI="
CRD = "manifests/crds/application-crd.yaml"
API = "argoproj.io/v1alpha1"
NAMESPACE = "argocd"
PERIOD = 0.1
Render = Callable[[Document], list[Document]]
"""A source of an Application -> the objects that it means."""


def install(api: Api) -> None:
    """Applications are known to the API server from now on. Harmless to repeat."""
    body = yaml.safe_load(crd().read_text())
    for made in (body, {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}}):
        with suppress(ApiException):
            api.create(made)

    def established() -> bool:
        found = api.get(f"{place(body)}/{body['metadata']['name']}")
        conditions = (found.get("status") or {}).get("conditions") or ()
        return any(one["type"] == "Established" and one["status"] == "True" for one in conditions)

    wait_until("the CRD of Applications", established, 30)


def crd() -> Path:
    """The file, downloaded once; its module is checked by its hash."""
    kept = cache() / f"argocd-{VERSION}" / Path(CRD).name
    if not kept.exists():
        command = ["go", "mod", "download", "-json", f"{MODULE}@{VERSION}"]
        told = json.loads(subprocess.run(command, check=True, capture_output=True, cwd="/", timeout=300).stdout)
        assert told["Sum"] == SUM, told
        kept.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(Path(told["Dir"]) / CRD, kept)
    return kept


def application(name: str, source: Document, destination: str, **spec: Any) -> Document:
    return {
        "apiVersion": API,
        "kind": "Application",
        "metadata": {"name": name, "namespace": NAMESPACE},
        "spec": {
            "project": "default",
            "source": source,
            "destination": {"server": "https://kubernetes.default.svc", "namespace": destination},
            **spec,
        },
    }


class LittleArgo:
    """Looks after one Application until it is stopped. `syncs` counts; while `holds` is set an operation does not end,
    and `fails` is why one comes to nothing. `trouble` is what the API server said last against it."""

    def __init__(self, api: Api, name: str, render: Render) -> None:
        self._api = api
        self._name = name
        self.render = render
        self.revision = "commit-1"
        self.syncs = 0
        self.fails = ""
        self.trouble = ""
        self.holds = threading.Event()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._ended.set()
        if self._thread.ident is not None:
            self._thread.join()

    def commit(self, render: Render) -> None:
        """Git says something else from now on."""
        self.render, self.revision = render, f"commit-{int(self.revision.rpartition('-')[2]) + 1}"

    def get(self) -> Document:
        return self._api.get(f"/apis/{API}/namespaces/{NAMESPACE}/applications/{self._name}")

    def until_synced(self) -> None:
        def synced() -> bool:
            return bool((self.get().get("status") or {}).get("sync", {}).get("status") == "Synced")

        try:
            wait_until("it is synced", synced, 60)
        except CannotRun as error:
            raise CannotRun(f"{error}: {self.trouble}, {self.get().get('status')}") from error

    def _run(self) -> None:
        while not self._ended.wait(PERIOD):
            try:
                self._look()
            except ApiException as error:  # a conflict, or a webhook that is busy: the next look does it
                self.trouble = f"{error.status} {error.body}"

    def _look(self) -> None:
        found = self.get()
        source, policy = found["spec"]["source"], found["spec"].get("syncPolicy") or {}
        wanted = self.render(source)
        if "operation" in found:
            found = self._begin(found)
        state = (found.get("status") or {}).get("operationState") or {}
        if state.get("phase") == "Running":
            if not self.holds.is_set():
                self._sync(found, wanted)
            return
        statuses = [self._status(one, found["spec"].get("ignoreDifferences") or ()) for one in wanted]
        behind = any(one["status"] != "Synced" for one in statuses)
        automated = policy.get("automated")
        result = state.get("syncResult") or {}
        tried = (result.get("source"), result.get("revision")) == (source, self.revision)
        self._write(found, statuses, behind)
        if behind and automated is not None and (not tried or automated.get("selfHeal")):
            self._begin({**self.get(), "operation": {"sync": {}, "initiatedBy": {"automated": True}}})

    def _begin(self, found: Document) -> Document:
        """An operation is taken off the object and runs from then on."""
        changed = copy.deepcopy(found)
        operation = changed.pop("operation")
        status = changed.setdefault("status", _empty())
        state = {"operation": operation, "phase": "Running", "message": "syncing", "startedAt": _now()}
        status["operationState"] = state
        return self._api.replace(changed)

    def _sync(self, found: Document, wanted: list[Document]) -> None:
        state = found["status"]["operationState"]
        only = (state["operation"].get("sync") or {}).get("resources")
        names = None if only is None else {(one["kind"], one["name"]) for one in only}
        state |= {
            "phase": "Failed" if self.fails else "Succeeded",
            "message": self.fails or "synced",
            "finishedAt": _now(),
        }
        state["syncResult"] = {"source": found["spec"]["source"], "revision": self.revision}
        for one in wanted:
            if not self.fails and (names is None or (one["kind"], one["metadata"]["name"]) in names):
                self._apply(one)
        self.syncs += 1
        self._api.replace(found)

    def _apply(self, wanted: Document) -> None:
        """As a client that sends what git says, and leaves what git does not say: lists are replaced whole."""
        path = f"{place(wanted)}/{wanted['metadata']['name']}"
        try:
            self._api.get(path)
        except ApiException as error:
            if error.status != 404:
                raise
            self._api.create(wanted)
            return
        self._api.patch(path, wanted)

    def _status(self, wanted: Document, ignored: Any) -> Document:
        version, _, _ = wanted["apiVersion"].rpartition("/")
        metadata = wanted["metadata"]
        try:
            live = self._api.get(f"{place(wanted)}/{metadata['name']}")
        except ApiException:
            live = {}
        pointers = {
            pointer
            for one in ignored
            if (one["group"], one["kind"]) == (version, wanted["kind"])
            for pointer in one.get("jsonPointers") or ()
        }
        spec = {key: value for key, value in wanted["spec"].items() if f"/spec/{key}" not in pointers}
        same = _within(spec, live.get("spec"))
        named = {"group": version, "version": "v1", "kind": wanted["kind"], "name": metadata["name"]}
        return {**named, "namespace": metadata["namespace"], "status": "Synced" if same else "OutOfSync"}

    def _write(self, found: Document, statuses: list[Document], behind: bool) -> None:
        changed = copy.deepcopy(found)
        status = changed.setdefault("status", _empty())
        compared = {"source": found["spec"]["source"], "destination": found["spec"]["destination"]}
        status |= {
            "resources": statuses,
            "sync": {"status": "OutOfSync" if behind else "Synced", "comparedTo": compared, "revision": self.revision},
            "health": {"status": "Healthy"},
        }
        if changed != found:
            self._api.replace(changed)


def _within(wanted: Any, live: Any) -> bool:
    """Whether all that git says is so; what it does not say may be anything."""
    if isinstance(wanted, dict):
        there = {} if live is None else live  # the API server leaves out what is empty
        return isinstance(there, dict) and all(_within(value, there.get(key)) for key, value in wanted.items())
    if isinstance(wanted, list):
        return isinstance(live, list) and len(wanted) == len(live) and all(map(_within, wanted, live))
    return bool(wanted == live)


def _empty() -> Document:
    return {"sync": {"status": "Unknown"}}


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
