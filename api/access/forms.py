"""What a browser sends off: forms, from our own pages only."""

import hmac
from collections.abc import Mapping
from urllib.parse import parse_qsl, quote, urlsplit

from fastapi import Request

from api.problems import Problem

FIELD, HEADER = "csrf", "X-CSRF-Token"
HOME = "/releases"
"""Where one lands who wanted nowhere else."""


async def read(request: Request) -> Mapping[str, str]:
    """The fields of a form as browsers send it by default. Of a field that comes twice the last counts."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind not in ("", "application/x-www-form-urlencoded"):
        raise Problem("unsupported-media-type", "send the form as application/x-www-form-urlencoded")
    return dict(parse_qsl((await request.body()).decode("utf-8", "replace"), keep_blank_values=True))


def check_origin(request: Request, public_url: str) -> None:
    """Raises Problem unless a page of ours sent it. Browsers name the page's origin with everything that they post."""
    origin = request.headers.get("origin", "")
    ours = urlsplit(public_url)
    if origin != f"{ours.scheme}://{ours.netloc}" and urlsplit(origin).netloc != request.headers.get("host", ""):
        raise Problem("forbidden", "this was not sent from a page of this server; open the page again and repeat it")


def check_token(request: Request, form: Mapping[str, str], expected: str) -> None:
    """Raises Problem unless the form, or the header of a script, has the session's own token."""
    given = form.get(FIELD) or request.headers.get(HEADER, "")
    if not hmac.compare_digest(given.encode(), expected.encode()):
        raise Problem("forbidden", "the page is out of date; open it again and repeat it")


def local(path: str) -> str:
    """The path, where it is one of this server; HOME for whatever might lead elsewhere."""
    fine = path.startswith("/") and not path.startswith("//") and path.isprintable() and "\\" not in path
    return path if fine else HOME


def sign_in_url(base: str, path: str) -> str:
    """Where to sign in, to come back to this path."""
    return f"{base}/login?next={quote(local(path), safe='/')}"


def base_path(public_url: str) -> str:
    """What a reverse proxy takes off the front of paths: links for browsers begin with it. Mostly empty."""
    return urlsplit(public_url).path
