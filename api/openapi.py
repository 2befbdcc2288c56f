"""The OpenAPI document: summaries from docstrings, and errors, of which each route names the kinds that it can have."""

from typing import Any

from fastapi import FastAPI

from api.problems import KINDS, MEDIA_TYPE, PREFIX
from api.schemas.common import MistakeOut, ProblemOut

TEMPLATE = "#/components/schemas/{model}"
Responses = dict[int | str, dict[str, Any]]
_SCHEMA = {"$ref": TEMPLATE.format(model=ProblemOut.__name__)}


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


READ = errors("unauthenticated", "forbidden", "invalid", "too-many-requests", "unavailable")
WRITE = errors(
    "malformed", "unauthenticated", "forbidden", "too-large", "invalid", "too-many-requests", "busy", "unavailable"
)


def install(app: FastAPI) -> None:
    """Puts into the app's document what FastAPI leaves out: the shape of problems, and summaries that are sentences."""
    made = app.openapi

    def document() -> dict[str, Any]:
        if app.openapi_schema is None:
            found = made()
            schemas = found["components"]["schemas"]
            for model in (ProblemOut, MistakeOut):
                schemas[model.__name__] = model.model_json_schema(ref_template=TEMPLATE)
                schemas[model.__name__].pop("$defs", None)
            for operation in (one for methods in found["paths"].values() for one in methods.values()):
                operation["summary"] = operation["description"].partition("\n")[0].rstrip(".")
        return app.openapi_schema or {}

    app.openapi = document  # type: ignore[method-assign]
