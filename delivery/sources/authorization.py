"""Senders that cannot sign and prove themselves by a secret in the Authorization header: `bearer TOKEN`, or `basic
USER:PASSWORD`. The header is all that keeps others out: it is as secret as the connection that it comes over.
"""

import base64
import hmac
import re
from collections.abc import Mapping, Sequence

from delivery.sources.errors import Unsigned

_LEAST_SECRET = 16
_SECRET = re.compile(r"bearer (?P<token>[!-~]+)|basic (?P<pair>[!-9;-~]+:[!-~]+)")


def verify(headers: Mapping[str, str], secrets: Sequence[str], where: str) -> None:
    """Raises Unsigned where the header is none of the secrets', ValueError for a secret that is none. `where`: the
    setting of the sender that makes it send the header."""
    wanted = [expected(secret).encode() for secret in secrets]
    lower = {name.lower(): value for name, value in headers.items()}
    scheme, _, rest = lower.get("authorization", "").strip().partition(" ")
    if not rest:
        raise Unsigned(f"no Authorization header: set {where}")
    given = f"{scheme.lower()} {rest.strip()}".encode()
    # All are compared, so that the time taken does not tell which secret it was.
    if not sum(hmac.compare_digest(one, given) for one in wanted):
        raise Unsigned("the Authorization header does not fit: is it the secret of this source?")


def expected(secret: str) -> str:
    """The Authorization header of who has this secret, its scheme in small letters. Raises ValueError."""
    match = _SECRET.fullmatch(secret)
    if match is None or len(match["token"] or match["pair"].partition(":")[2]) < _LEAST_SECRET:
        expects = "`bearer TOKEN` or `basic USER:PASSWORD`"
        raise ValueError(f"a secret of this dialect is {expects}; the last has {_LEAST_SECRET} characters or more")
    if match["token"]:
        return f"bearer {match['token']}"
    return f"basic {base64.b64encode(match['pair'].encode()).decode()}"
