"""What all tables of the configuration are made of."""

from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

Name = Annotated[str, Field(pattern=r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$")]
"""A DNS-1123 label: it becomes part of URLs, keys and metric labels."""


def _base_url(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.netloc or parts.query or parts.fragment:
        raise ValueError("not an http(s) URL")
    return url.rstrip("/")


BaseUrl = Annotated[str, AfterValidator(_base_url)]


class Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Adapter(BaseModel):
    """An adapter by name; every other key is an argument of that adapter."""

    model_config = ConfigDict(extra="allow", frozen=True, strict=True)
    kind: str = Field(min_length=1, description='the name of an adapter, such as "envoy"')

    @property
    def arguments(self) -> dict[str, Any]:
        return dict(self.model_extra or {})
