"""What is released, and where its requests go."""

import hashlib
import re
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache

from delivery.model.frozen import replace

_CONFIGURED = "+configured:"
_COPY = "+copy:"


@dataclass(frozen=True, slots=True)
class VersionRef:
    """A version of a service. Two are the same if their identities are, whatever their labels say."""

    version: str
    identity: str
    image: str | None = None

    @staticmethod
    def of(version: str, image: str | None = None, config: str | None = None) -> "VersionRef":
        """Identified by what runs: the image's digest wherever it is stored, else its name, else the label; and by its
        configuration, where its sender calls that by a name (a commit)."""
        digest = (image or "").partition("@")[2]
        return VersionRef(version, digest or image or version, image).configured(config)

    def configured(self, config: str | None) -> "VersionRef":
        """The same with this configuration; as it is, without a name of one."""
        return replace(self, identity=f"{self.identity}{_CONFIGURED}{config}") if config else self

    def pins(self, other: "VersionRef") -> bool:
        """Whether it is the other one, known by its image's name alone, with the digest that was found behind it."""
        name, _, digest = (self.image or "").partition("@")
        alike = self.identity.removeprefix(digest) == other.identity.removeprefix(name)
        return bool(digest) and other.image == name and alike

    @property
    def configuration(self) -> str:
        """What its sender calls its configuration; nothing where it named none."""
        return self.original.partition(_CONFIGURED)[2]

    def copy_for(self, release: str) -> "VersionRef":
        """A copy of it that is started for one release, to be compared with: the same in every way but its age.

        Its identity is its own, so that it is never taken for what it is a copy of, nor for another release's copy.
        """
        return replace(self, identity=f"{self.identity}{_COPY}{release}")

    @property
    def is_copy(self) -> bool:
        """Whether it is a release's copy of its stable version."""
        return _COPY in self.identity

    @property
    def original(self) -> str:
        """The identity of what it is a copy of; its own where it is none."""
        return self.identity.partition(_COPY)[0]


class Lane(StrEnum):
    """A version may be reached under several backend names, so that what is counted stays comparable."""

    PLAIN = "plain"
    SHADOW = "mirror"  # the candidate's copies of mirrored requests
    SHADOWED = "mirrored"  # stable's own answers to just the requests that are mirrored


@dataclass(frozen=True, slots=True)
class Backend:
    """Where a version's requests go. One per version, never repointed at another one.

    `home`: the version runs in the workload that its owners keep, and not in a copy that we made of it.
    """

    service: str
    version: VersionRef
    home: bool = False

    @property
    def name(self) -> str:
        """`SERVICE_VERSION`: no dots (they break metric names). A hash tells apart what would be called the same: two
        builds of one label, and labels such as 1.4.2 and 1-4-2."""
        return _backend_name(self.service, self.version, self.home)

    def lane(self, lane: Lane) -> str:
        """The backend's name in this lane."""
        return self.name if lane is Lane.PLAIN else f"{self.name}_{lane.value}"


@lru_cache(maxsize=4096)
def _backend_name(service: str, version: VersionRef, home: bool) -> str:
    label = re.sub(r"[^A-Za-z0-9-]", "-", version.version)
    place = "_home" if home else ""
    if version.identity == version.version and re.fullmatch(r"[A-Za-z0-9.]+", version.version):
        return f"{service}_{label}{place}"
    return f"{service}_{label}-{hashlib.sha256(version.identity.encode()).hexdigest()[:8]}{place}"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """An address that answers for a version."""

    host: str
    port: int
