"""The server's configuration of the local environment: generated, with secrets that stay in the run directory."""

import hashlib
import json
import secrets
from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from delivery.model.role import Role

SOURCE = "ci"
"""Events go to /v1/webhooks/ci."""
PEOPLE: Mapping[str, Role] = {"alice": Role.OPERATOR, "bob": Role.ADMIN}
"""Two, so that whoever approves did not start it."""


@dataclass(frozen=True, slots=True)
class Keys:
    """`tokens` are by person; `secret` signs events."""

    tokens: Mapping[str, str]
    secret: str


@dataclass(frozen=True, slots=True)
class Places:
    """Where the parts are. `owner` is the process without which no version of a service is to run."""

    api_port: int
    database: Path
    broker: str
    envoy_files: Path
    envoy_admin: str
    envoy_binary: str
    versions: Path
    owner: int

    @property
    def api_url(self) -> str:
        return f"http://127.0.0.1:{self.api_port}"

    @property
    def database_url(self) -> str:
        return f"sqlite:///{self.database}"


def keys_in(path: Path) -> Keys:
    """The keys of an earlier run in this file, else new ones that are written there for the next."""
    if path.exists():
        stored = json.loads(path.read_text())
        return Keys(stored["tokens"], stored["secret"])
    tokens = {name: f"{name}-{secrets.token_urlsafe(24)}" for name in PEOPLE}
    keys = Keys(tokens, "whsec_" + b64encode(secrets.token_bytes(32)).decode())
    write_private(path, json.dumps({"tokens": keys.tokens, "secret": keys.secret}))
    return keys


def write_private(path: Path, text: str) -> None:
    """Writes a file that only its owner may read."""
    path.touch(mode=0o600)
    path.chmod(0o600)
    path.write_text(text, encoding="utf-8")


def settings_text(
    places: Places, keys: Keys, processes: Mapping[str, Sequence[str]], hooks: Mapping[str, str] | None = None
) -> str:
    """The configuration as TOML. `processes` are commands by the name that a service file says, `hooks` are URLs."""
    envoy = {"kind": "envoy", "directory": str(places.envoy_files), "binary": places.envoy_binary}
    tables: list[tuple[str, Mapping[str, object]]] = [
        ("[server]", {"public_url": places.api_url, "listen": f"127.0.0.1:{places.api_port}"}),
        ("[database]", {"url": places.database_url}),
        ("[broker]", {"url": places.broker}),
        ("[clusters.local.mesh]", {**envoy, "admin": [places.envoy_admin]}),
        ("[clusters.local.workloads]", {"kind": "process", "state": str(places.versions), "owner": places.owner}),
        ("[clusters.local.metrics]", {"kind": "envoy", "admin": places.envoy_admin}),
        (f"[sources.{SOURCE}]", {"dialect": "cloudevents", "secrets": [keys.secret]}),
        ("[notify.console]", {"kind": "console"}),
        *((f"[processes.{name}]", {"command": list(command)}) for name, command in processes.items()),
        *((f"[hooks.{name}]", {"url": url, "secrets": [keys.secret]}) for name, url in (hooks or {}).items()),
        *(("[[tokens]]", _token(name, token)) for name, token in keys.tokens.items()),
    ]
    return "\n".join(_table(head, values) for head, values in tables)


def profile_text(places: Places, keys: Keys) -> str:
    """A profile of the `delivery` command, for the first of the people."""
    return f"url = {json.dumps(places.api_url)}\ntoken = {json.dumps(next(iter(keys.tokens.values())))}\n"


def _token(name: str, token: str) -> Mapping[str, object]:
    digest = hashlib.sha256(token.encode()).hexdigest()
    return {"name": name, "principal": name, "role": PEOPLE[name].value, "groups": ["sre"], "sha256": digest}


def _table(head: str, values: Mapping[str, object]) -> str:
    # JSON's strings, numbers and lists are TOML's too.
    return "\n".join([head, *(f"{key} = {json.dumps(value)}" for key, value in values.items()), ""])
