"""The first token: a server that knows no admin makes one, once, and shows it to whoever starts it."""

from collections.abc import Callable

from api.access.keyring import digest_of, new_secret
from delivery.model.ids import Principal
from delivery.model.role import Role
from delivery.model.scope import EVERYTHING
from delivery.ports.access import Access, ApiToken
from delivery.ports.clock import Clock
from delivery.ports.errors import PortError
from delivery.settings import Settings

NAME = "first-admin"
TEXT = """
No token of an admin is configured, so here is one. It is shown this once and kept nowhere:

    {secret}

Make tokens of your own with it, then take it away:

    delivery token create NAME --principal NAME --role admin
    delivery token revoke {name}

"""


def offer(settings: Settings, access: Access, clock: Clock, tell: Callable[[str], object]) -> None:
    """Makes and tells the token, unless there is an admin or there ever was one. Of several processes one does it.

    Where the database cannot be asked the next start will.
    """
    if any(token.role is Role.ADMIN for token in settings.tokens):
        return
    secret = new_secret()
    try:
        if any(token.role is Role.ADMIN for token in access.tokens()):
            return
        admin = Principal(NAME)
        made = access.add_token(
            ApiToken(NAME, digest_of(secret), admin, Role.ADMIN, (), EVERYTHING, clock.now(), admin)
        )
    except PortError:
        return
    if made:
        tell(TEXT.format(secret=secret, name=NAME))
