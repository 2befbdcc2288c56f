"""Keyset pages: a cursor names the last release of a page, so that new releases shift nothing."""

import base64
import binascii
import re
from urllib.parse import urlencode

from starlette.datastructures import QueryParams

from api.problems import Problem
from delivery.model.ids import ReleaseId

MOST = 200
_VERSION = "1:"
_ID = re.compile(r"^rel_[0-9A-Za-z]{1,64}$")


def cursor(last: ReleaseId) -> str:
    return base64.urlsafe_b64encode(f"{_VERSION}{last}".encode()).decode().rstrip("=")


def position(given: str | None) -> ReleaseId | None:
    """The release that the page before ended with. Raises the problem `bad-cursor`."""
    if given is None:
        return None
    try:
        text = base64.b64decode(given + "=" * (-len(given) % 4), altchars=b"-_", validate=True).decode()
    except (binascii.Error, ValueError):
        text = ""
    last = text.removeprefix(_VERSION)
    if not text.startswith(_VERSION) or not _ID.match(last):
        raise Problem("bad-cursor", "take the cursor from `next` or from the Link header, or leave it out")
    return ReleaseId(last)


def link(base: str, query: QueryParams, following: str | None) -> dict[str, str]:
    """The Link header (RFC 8288) to the next page, with the filters of this one; nothing after the last page."""
    if following is None:
        return {}
    kept = [(key, value) for key, value in query.multi_items() if key != "cursor"]
    return {"Link": f'<{base}?{urlencode([*kept, ("cursor", following)])}>; rel="next"'}
