"""The content of a release request, whichever envelope it came in."""

from typing import Final

from delivery.model.fields import Fields
from delivery.model.ids import Principal
from delivery.model.notice import ReleaseRequested
from delivery.model.scalars import pattern, text
from delivery.model.version import VersionRef

VERSION: Final = pattern(
    r"[A-Za-z0-9][A-Za-z0-9._+-]{0,127}", "a version such as 1.4.2: letters, digits, dots, dashes, at most 128"
)
# No "+" in a digest's algorithm, though OCI allows it: in an identity what follows one is ours (model/version.py).
IMAGE: Final = pattern(
    r"(?=.{1,400}\Z)[a-z0-9][A-Za-z0-9._:/-]*(@[a-z0-9]+([._-][a-z0-9]+)*:[A-Za-z0-9=_-]{1,128})?",
    "the name of an image, such as ghcr.io/acme/checkout@sha256:...",
)
CONFIG: Final = pattern(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", "what this configuration is called, such as a commit")
COMMIT: Final = pattern(r"[A-Za-z0-9._/-]{1,128}", "a commit, such as 4be1d0c")
RUN_URL: Final = pattern(r"https?://[!-~]{1,1000}", "an http or https URL")


def mistake(request: ReleaseRequested) -> str | None:
    """What is wrong with the version of a request that was put together; None where it could have been read so."""
    version, image = request.version.version, request.version.image
    if VERSION.read(version) is None:
        return f"the version {version[:100]!r}; expected {VERSION.expected}"
    if image is not None and IMAGE.read(image) is None:
        return f"the image {image[:100]!r}; expected {IMAGE.expected}"
    return None


def read(fields: Fields) -> ReleaseRequested:
    """The request; mistakes stay in `fields`, unknown keys too: a `clusters` for `cluster` would release everywhere."""
    origin = {"commit": fields.get("commit", COMMIT, None), "run_url": fields.get("run_url", RUN_URL, None)}
    return ReleaseRequested(
        service=fields.name("service"),
        version=VersionRef.of(
            fields.get("version", VERSION), fields.get("image", IMAGE, None), fields.get("config", CONFIG, None)
        ),
        actor=Principal(fields.get("actor", text(128))),
        cluster=fields.name("cluster", None),
        urgent=fields.flag("urgent", False),
        origin={key: value for key, value in origin.items() if value is not None},
    )
