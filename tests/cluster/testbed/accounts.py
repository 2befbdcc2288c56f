"""Service accounts of the testbed and their tokens: who asks with less than an administrator's rights."""

import contextlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from kubernetes.client.exceptions import ApiException

from tests.cluster.testbed.api import Api

TOKEN_SECONDS = 3600


def token(api: Api, namespace: str, account: str, audience: str | None = None) -> str:
    """A token of a service account, which is made where it is not there; for the API server, or for an audience."""
    with contextlib.suppress(ApiException):
        api.create(
            {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": account, "namespace": namespace}}
        )
    spec: dict[str, Any] = {"expirationSeconds": TOKEN_SECONDS}
    if audience is not None:
        spec["audiences"] = [audience]
    path = f"/api/v1/namespaces/{namespace}/serviceaccounts/{account}/token"
    asked = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": spec}
    return str(api.post(path, asked)["status"]["token"])


def grant(api: Api, namespace: str, account: str, rules: Sequence[Mapping[str, Any]]) -> None:
    """Gives an account rights in its namespace, as a Role has them in `rules`."""
    metadata = {"name": account, "namespace": namespace}
    api.create({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": metadata, "rules": rules})
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": account}
    subject = {"kind": "ServiceAccount", "name": account, "namespace": namespace}
    binding = {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "metadata": metadata}
    api.create(binding | {"roleRef": role, "subjects": [subject]})


def let_look(api: Api, namespace: str, account: str) -> None:
    """Gives an account the right to read everything in the whole cluster, and to write nothing."""
    group, name = "rbac.authorization.k8s.io", f"{account}-{namespace}"
    head = {"apiVersion": f"{group}/v1", "metadata": {"name": name}}
    rules = [{"apiGroups": ["*"], "resources": ["*"], "verbs": ["get", "list", "watch"]}]
    api.create({**head, "kind": "ClusterRole", "rules": rules})
    role = {"apiGroup": group, "kind": "ClusterRole", "name": name}
    subject = {"kind": "ServiceAccount", "name": account, "namespace": namespace}
    api.create({**head, "kind": "ClusterRoleBinding", "roleRef": role, "subjects": [subject]})


def write_kubeconfig(path: Path, server: str, authority: Path, secret: str | Mapping[str, str]) -> Path:
    """A kubeconfig for a bearer token, or a user as a kubeconfig describes one; readable by its owner alone."""
    user = {"token": secret} if isinstance(secret, str) else dict(secret)
    content = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [
            {"name": "testbed", "cluster": {"server": server, "certificate-authority": str(authority.resolve())}}
        ],
        "users": [{"name": "user", "user": user}],
        "contexts": [{"name": "testbed", "context": {"cluster": "testbed", "user": "user"}}],
        "current-context": "testbed",
    }
    path.touch(mode=0o600)
    path.write_text(json.dumps(content, indent=1))  # every YAML reader reads JSON
    return path
