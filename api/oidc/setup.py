"""What the configuration trusts, put together: the organisation's provider, and those of CI."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from api.access.proofs import Trusted
from api.oidc.flow import Flow
from api.oidc.jobs import Jobs
from api.oidc.people import Directory
from api.oidc.provider import Provider
from api.oidc.verify import Verifier
from api.people import People
from delivery.settings import Ci, Oidc, Person, Token

CALLBACK = "/login/oidc/callback"


@dataclass(frozen=True, slots=True)
class SignIn:
    """Signing in on the page at the organisation's provider."""

    flow: Flow
    directory: Directory
    title: str


@dataclass(frozen=True, slots=True)
class Identity:
    """The tables [oidc], [ci.NAME] and [[people]], as they are configured.

    `senders`: for each source of webhooks the names of those whose jobs may send by it.
    """

    oidc: Oidc | None = None
    ci: Mapping[str, Ci] = field(default_factory=dict)
    people: tuple[Person, ...] = ()
    senders: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


def jobs(identity: Identity, public_url: str) -> Mapping[str, Trusted]:
    """Whose jobs' tokens count, by the name of the table."""
    people = People(identity.people)
    return {
        name: Trusted(
            Verifier(Provider(ci.at), ci.audience or public_url, ci.algorithms), Jobs(name, ci, people).caller
        )
        for name, ci in identity.ci.items()
    }


def trusted(
    identity: Identity, ci: Mapping[str, Trusted], tokens: tuple[Token, ...], public_url: str
) -> tuple[tuple[Trusted, ...], SignIn | None]:
    """Whose tokens count, and how one signs in on the page, where that is configured."""
    found = list(ci.values())
    oidc = identity.oidc
    if oidc is None:
        return tuple(found), None
    provider = Provider(oidc.issuer)
    taken = frozenset([one.principal for one in identity.people] + [one.principal for one in tokens])
    directory = Directory(oidc, identity.people, taken)
    if oidc.audience:
        found.append(Trusted(Verifier(provider, oidc.audience, oidc.algorithms), directory.caller))
    if not oidc.client_id:
        return tuple(found), None
    verifier = Verifier(provider, oidc.client_id, oidc.algorithms)
    flow = Flow(provider, verifier, oidc.client_id, oidc.client_secret, oidc.scopes, public_url + CALLBACK)
    return tuple(found), SignIn(flow, directory, oidc.title)
