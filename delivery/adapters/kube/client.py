"""The Kubernetes API in plain documents, over the official client: every call is bounded in time.

Its errors are told in the engine's words: Conflict for what changed since it was read, Refused for what repeating will
not help (with the API server's own message), Unavailable for all that may be over in a moment. That we are not known
any more (401) is among that: credentials are being replaced, which says nothing against what was asked for.
"""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlencode

import urllib3
from kubernetes.client.exceptions import ApiException

from delivery.adapters.kube import labels, objects
from delivery.adapters.kube.access import Access
from delivery.adapters.kube.objects import Document, collection, path_of
from delivery.ports.errors import Conflict, Refused, Unavailable

CALL_SECONDS = 5.0
WATCH_SLACK = 5.0  # beyond the time after which the server ends a watch by itself
MANAGER = "delivery"
JSON_PATCH = "application/json-patch+json"
MERGE_PATCH = "application/merge-patch+json"


class Kube:
    """`context` of a kubeconfig file; without a file, the account of the pod that we run in.

    Connections are made at the first call, and what proves who we are is read again when its file changes. Raises
    Refused where the configuration cannot be used.
    """

    def __init__(self, kubeconfig: str | None = None, context: str | None = None) -> None:
        self._access = Access(kubeconfig, context)

    def close(self) -> None:
        self._access.close()

    def find(self, path: str) -> Document | None:
        """The object; None where there is none."""
        try:
            return self.get(path)
        except Absent:
            return None

    def get(self, path: str, **query: str) -> Document:
        """Raises Absent besides."""
        return self._call("GET", path, query=query)

    def items(
        self, version: str, kind: str, namespace: str, selector: Mapping[str, Any] | None = None
    ) -> list[Document]:
        """The objects of a kind in a namespace, those that a LabelSelector matches. Raises Absent besides."""
        query = {"labelSelector": labels.query(selector)} if selector is not None else {}
        found = self.get(objects.path(version, kind, namespace), **query)["items"]
        return [{"apiVersion": version, "kind": kind, **document} for document in found]

    def text(self, path: str, **query: str) -> str:
        """What is no document: the log of a container."""
        return self._read("GET", path, None, query, None).decode(errors="replace")

    def create(self, body: Mapping[str, Any], *, dry_run: bool = False) -> Document:
        """Creates an object where its own document says. Raises Conflict where it is there already."""
        return self._call("POST", collection(body), body, _writing(dry_run))

    def replace(self, body: Mapping[str, Any], *, dry_run: bool = False) -> Document:
        """Replaces the whole object if its `resourceVersion` is still the one in the document."""
        return self._call("PUT", path_of(body), body, _writing(dry_run))

    def patch(self, path: str, body: Any, kind: str = MERGE_PATCH, *, dry_run: bool = False) -> Document:
        """A merge patch, conditional where it has a `resourceVersion`, or a JSON patch. Raises Absent besides."""
        return self._call("PATCH", path, body, _writing(dry_run), kind)

    def delete(self, path: str, *, uid: str | None = None, revision: str | None = None) -> None:
        """Deletes the object, if it is still this one; one that is gone is fine."""
        conditions = {"uid": uid, "resourceVersion": revision}
        only = {name: value for name, value in conditions.items() if value is not None}
        options = {"propagationPolicy": "Background", **({"preconditions": only} if only else {})}
        try:
            self._call("DELETE", path, options)
        except Absent:
            return

    @contextmanager
    def watch(
        self, path: str, since: str, seconds: int, quiet: float | None = None, **query: str
    ) -> Iterator[Iterator[Document]]:
        """Events after a resource version, for so long. Raises Conflict where nobody knows what was missed, list again:
        that version is too old, or nothing came for `quiet` seconds.
        """
        asked = {"watch": "true", "resourceVersion": since, "timeoutSeconds": str(seconds), **query}
        response = self._send("GET", path, None, asked, None, min(seconds + WATCH_SLACK, quiet or float("inf")))
        try:
            yield _events(response)
        finally:
            response.response.close()

    def _call(
        self, method: str, path: str, body: Any = None, query: Mapping[str, str] | None = None, kind: str | None = None
    ) -> Document:
        try:
            found: Document = json.loads(self._read(method, path, body, query or {}, kind))
        except ValueError as error:
            raise Unavailable(f"the Kubernetes API broke off its answer to {method} {path}: {error}") from error
        return found

    def _read(self, method: str, path: str, body: Any, query: Mapping[str, str], kind: str | None) -> bytes:
        response = self._send(method, path, body, query, kind, CALL_SECONDS)
        try:
            return bytes(response.read())
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise Unavailable(f"the Kubernetes API broke off its answer to {method} {path}: {error}") from error

    def _send(self, method: str, path: str, body: Any, query: Mapping[str, str], kind: str | None, limit: float) -> Any:
        client, address = self._access.client(), f"{path}?{urlencode(query)}" if query else path
        request = _request(client, method, address, body, kind)
        try:
            response = client.call_api(*request, _request_timeout=(CALL_SECONDS, limit))
            if 200 <= response.status <= 299:
                return response
            raise _error(response.status, response.getheaders(), response.read(), f"{method} {path}")
        except ApiException as error:
            raise _error(error.status or 0, error.headers or {}, error.body or b"", f"{method} {path}") from error
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise Unavailable(f"the Kubernetes API does not answer to {method} {path}: {error}") from error


def _request(client: Any, method: str, address: str, body: Any, kind: str | None) -> Any:
    """With credentials, which are renewed here: by a plugin, say, that may raise whatever it likes."""
    headers = {"Accept": "application/json", "Content-Type": kind or "application/json"}
    try:
        return client.param_serialize(method, address, header_params=headers, body=body, auth_settings=["BearerToken"])
    except Exception as error:
        raise Unavailable(f"no credentials for the Kubernetes API: {str(error) or repr(error)}") from error


class Absent(Refused):
    """There is no such object, or no such kind of object."""


def _writing(dry_run: bool) -> Mapping[str, str]:
    return {"fieldManager": MANAGER, **({"dryRun": "All"} if dry_run else {})}


def _events(response: Any) -> Iterator[Document]:
    try:
        for line in response.response:
            event: Document = json.loads(line)
            if event["type"] == "ERROR":
                raise Conflict(str(event["object"].get("message", "the watch is too old")))
            yield event
    except urllib3.exceptions.ReadTimeoutError as error:
        raise Conflict("a watch of the Kubernetes API has gone silent") from error
    except (urllib3.exceptions.HTTPError, OSError, ValueError) as error:  # the last one: in the middle of a line
        raise Unavailable(f"a watch of the Kubernetes API broke off: {error}") from error


def _error(status: int, headers: Mapping[str, str], body: bytes | str, call: str) -> Exception:
    text = f"{_message(body)} ({call}: {status})"
    match status:
        case 401:
            return Unavailable(f"{text}: it does not take our credentials; they are read again when a file changes")
        case 404:
            return Absent(text)
        case 409 | 410:
            return Conflict(text)
        case 429 | 500 | 502 | 503 | 504 | 0:
            return Unavailable(text, _seconds(headers.get("Retry-After")))
    return Refused(text)


def _message(body: bytes | str) -> str:
    try:
        return str(json.loads(body)["message"])
    except (ValueError, KeyError, TypeError):
        text = body.decode(errors="replace") if isinstance(body, bytes) else body
        return text[:300] or "no reason given"


def _seconds(text: str | None) -> float | None:
    return float(text) if text is not None and text.isdecimal() else None
