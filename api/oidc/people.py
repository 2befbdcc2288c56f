"""Who a token of the organisation's provider is about, by the names and roles that count here."""

from collections.abc import Mapping
from typing import Any

from api.access.caller import Caller, Came
from api.oidc.verify import Untrusted
from delivery.model.ids import Principal
from delivery.model.role import Role
from delivery.settings import Oidc, Person

ANYBODY = "*"


class Directory:
    """`taken` are principals of the configuration: nobody gets one of them by a name that they chose for themselves."""

    def __init__(self, oidc: Oidc, people: tuple[Person, ...], taken: frozenset[str]) -> None:
        self._oidc = oidc
        self._people = {name.lower(): person for person in people for name in person.oidc}
        self._taken = frozenset(name.lower() for name in taken)

    def caller(self, claims: Mapping[str, Any]) -> Caller:
        """Raises Untrusted for somebody who may do nothing here."""
        name = self._name(claims)
        person = self._people.get(name.lower())
        if person is None and name.lower() in self._taken:
            raise Untrusted(
                f'{name} is somebody\'s name here: add oidc = ["{name}"] to the [[people]] table of who it is'
            )
        groups = _texts(claims.get(self._oidc.groups_claim))
        role = self._role(groups) or (person.role if person else None)
        if role is None:
            raise Untrusted(f"{name} has no role here: none of their groups is named in [oidc.roles]")
        known = person.groups if person else ()
        principal = Principal(person.principal if person else name)
        return Caller(name, principal, role, tuple(dict.fromkeys((*known, *groups))), Came.OIDC)

    def _name(self, claims: Mapping[str, Any]) -> str:
        claim = self._oidc.claim
        name = claims.get(claim)
        if not isinstance(name, str) or not name.isprintable() or not 0 < len(name) <= 128:
            raise Untrusted(f"it has no claim {claim} that names somebody")
        if claim != "email":
            return name
        if claims.get("email_verified") is not True:
            raise Untrusted("its e-mail address is not verified")
        return name.lower()  # written otherwise it is the same person, of whom four eyes must not become eight

    def _role(self, groups: tuple[str, ...]) -> Role | None:
        """The highest that any group gives."""
        given = [role for role in Role if {*groups, ANYBODY} & set(self._oidc.roles.get(role, ()))]
        return given[-1] if given else None


def _texts(value: object) -> tuple[str, ...]:
    many = value if isinstance(value, list) else [value]
    return tuple(one for one in many if isinstance(one, str) and one and one.isprintable() and len(one) <= 128)
