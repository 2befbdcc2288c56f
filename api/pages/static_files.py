"""The stylesheet, the script and the icon: a few small files, kept in memory."""

from collections.abc import Mapping
from hashlib import sha256
from importlib.resources import files

from fastapi import APIRouter, Request
from fastapi.responses import Response

from api.problems import Problem

router = APIRouter(include_in_schema=False)
_TYPES = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
_FILES: Mapping[str, bytes] = {
    one.name: one.read_bytes() for one in (files("api.pages") / "static").iterdir() if one.is_file()
}
DIGEST = sha256(repr(sorted(_FILES.items())).encode()).hexdigest()[:12]
"""Asked for with it, a file may be kept for ever: other files have another digest."""


@router.get("/static/{name}")
async def static(name: str, request: Request) -> Response:
    if name not in _FILES:
        raise Problem("not-found", f"there is no file {name}")
    kept = "public, max-age=31536000, immutable" if request.url.query == DIGEST else "no-cache"
    media = _TYPES[name[name.rindex(".") :]]
    return Response(_FILES[name], headers={"Cache-Control": kept}, media_type=media)
