"""Argo CD notifications: which Application changed. The body is a template of Argo CD's administrator and only hints; a
worker reads the Application and the Deployment again, and what is there counts.

The template's body, as docs/events.md has it:

    {"application": "checkout", "namespace": "argocd", "finished_at": "2026-11-24T10:02:11Z", "revision": "4be1d0c"}

Argo CD cannot sign. It proves itself by a secret in the Authorization header. It sends at least once; the same body is
the same delivery.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from delivery.model.codec import digest
from delivery.model.fields import Fields
from delivery.model.ids import Micros, Principal
from delivery.model.notice import Hinted, Notice
from delivery.model.scalars import pattern, text
from delivery.sources import authorization, json_body
from delivery.sources.errors import Malformed

EVENT = "deployed"
DEPLOYER = "argocd"
"""Who is asked what is really there: `[clusters.NAME.deployers.argocd]` of the server's configuration."""
NOBODY = "argocd"
"""The actor where the template names nobody: Argo CD itself does not know who pushed."""
_NAME: Final = pattern(r"[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?", "the name of an object in Kubernetes")
_TEXT: Final = text(200)


@dataclass(frozen=True, slots=True)
class ArgoCD:
    """A configured source. `secrets` are as they are written: `bearer TOKEN` or `basic USER:PASSWORD`."""

    name: str
    secrets: Sequence[str] = field(repr=False)

    def receive(self, headers: Mapping[str, str], body: bytes, now: Micros) -> Notice:
        """The notice in a request. Raises Unsigned or Malformed."""
        authorization.verify(headers, self.secrets, "headers of Argo CD's service.webhook")
        return self.reread(body)

    def reread(self, body: bytes) -> Notice:
        """The notice in a body that was verified when it came. Raises Malformed."""
        payload = json_body.parse(body)
        # Templates fill in what is not there (an Application that never synced) as null or nothing.
        fields = Fields({key: value for key, value in payload.items() if value not in (None, "")})
        known = {
            "application": fields.get("application", _NAME),
            "namespace": fields.get("namespace", _NAME, None),
            "finished_at": fields.get("finished_at", _TEXT, None),
            "revision": fields.get("revision", _TEXT, None),
        }
        actor = fields.get("actor", text(128), None)
        mistakes = fields.finish()
        if mistakes:
            said = "; ".join(map(str, mistakes))
            raise Malformed("invalid_event", f"{said}: see the template in docs/events.md", f"/{mistakes[0].place}")
        facts = {name: value for name, value in known.items() if value is not None}
        fingerprint = digest(facts)
        says = Hinted(EVENT, facts, Principal(actor or NOBODY), DEPLOYER, robot=actor is None)
        key = f"{facts['application']} {fingerprint[:40]}"
        return Notice(self.name, key, fingerprint, says)
