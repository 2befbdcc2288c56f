"""A service file as a request's body: YAML or JSON, read with the place of every mistake."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request

from api.problems import Problem
from api.services import AppServices
from delivery.catalog.document import Document
from delivery.model import scalars
from delivery.model.mistake import Invalid, Mistake, show
from delivery.sources import json_body

_YAML = ("application/yaml", "text/yaml", "application/x-yaml", "text/plain")
_JSON = ("application/json",)
EXAMPLE = "service: checkout\ncluster: local\nworkload: {process: checkout}\n"
OPENAPI = {
    "requestBody": {
        "required": True,
        "content": {
            "application/yaml": {"schema": {"type": "string"}, "example": EXAMPLE},
            "application/json": {"schema": {"type": "object"}},
        },
    }
}


@dataclass(frozen=True, slots=True)
class ServiceText:
    """A body as it came; JSON has no lines that would help anybody."""

    content: bytes
    json: bool


async def _text(request: Request) -> ServiceText:
    media = request.headers.get("content-type", "application/yaml").partition(";")[0].strip().lower()
    if media not in (*_YAML, *_JSON):
        raise Problem("unsupported-media-type", f"send application/yaml or application/json, not {media}")
    return ServiceText(await request.body(), media in _JSON)


Text = Annotated[ServiceText, Depends(_text)]


def read(services: AppServices, name: str, body: ServiceText) -> Document:
    """The document of the service `name`, unless its own name is none, which a check tells with all the rest.

    Raises Invalid or Malformed.
    """
    file = f"{name}.yaml"
    document = Document(json_body.parse(body.content)) if body.json else services.read(body.content, file)
    given = document.values.get("service", name)
    if given != name and scalars.name().read(given) is not None:
        problem = f"is {show(given)}, but the path names {name}"
        raise Invalid([Mistake("service", document.lines.get("service"), problem, name)], document.file)
    return document
