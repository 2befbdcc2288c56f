"""What OpenAPI says of errors: each route names the kinds of problems that it can answer with."""

from typing import Any

from api.problems import KINDS, MEDIA_TYPE, PREFIX

Responses = dict[int | str, dict[str, Any]]
_SCHEMA = {"$ref": "#/components/schemas/ProblemOut"}


def errors(*kinds: str) -> Responses:
    """`responses` of a route, with an example for each kind."""
    found: Responses = {}
    for kind in kinds:
        status, title = KINDS[kind]
        response = found.setdefault(status, {"description": title, "content": {MEDIA_TYPE: {"schema": _SCHEMA}}})
        example = {"type": PREFIX + kind, "title": title, "status": status, "detail": "...", "request_id": "5f0c"}
        response["content"][MEDIA_TYPE].setdefault("examples", {})[kind] = {"value": example}
        if title not in response["description"]:
            response["description"] += f"; {title[:1].lower()}{title[1:]}"
    return found


READ = errors("unauthenticated", "forbidden", "invalid", "unavailable")
WRITE = errors("malformed", "unauthenticated", "forbidden", "too-large", "invalid", "busy", "unavailable")
