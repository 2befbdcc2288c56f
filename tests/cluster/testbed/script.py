"""What a pod of the testbed is to do, read from its own template. Pure.

Annotations: `testbed/ready-after: SECONDS` (0), `testbed/never-ready: "true"`, `testbed/crash-after: SECONDS` (each
time it runs), `testbed/last-words: TEXT` (of its crashes), `testbed/no-image: TEXT` (why its image cannot be pulled),
and `testbed/linger: SECONDS` for which it still serves after its deletion (1), as a preStop hook would have it.
Variables of the first container, from ConfigMaps too: VERSION (else its image's tag, else the label `version`) and
FAULTS (`fail-every=12,latency-ms=5` for every version, `1.4.3:fail-every=12;1.4.4:latency-ms=5` for some).
"""

import dataclasses
from collections.abc import Mapping
from typing import Any

PREFIX = "testbed/"
DEFAULT_PORT = 8080
LINGER_SECONDS = 1.0


@dataclasses.dataclass(frozen=True, slots=True)
class Script:
    """Times are in seconds."""

    version: str
    port: int
    faults: str
    ready_after: float
    never_ready: bool
    crash_after: float | None
    linger: float
    last_words: str = ""
    no_image: str | None = None


def script_of(pod: Mapping[str, Any]) -> Script:
    """Raises ValueError for an annotation that is not a number, or that nothing here reads."""
    metadata, container = pod["metadata"], pod["spec"]["containers"][0]
    asked = {
        name.removeprefix(PREFIX): value
        for name, value in (metadata.get("annotations") or {}).items()
        if name.startswith(PREFIX)
    }
    unknown = asked.keys() - {"ready-after", "never-ready", "crash-after", "last-words", "no-image", "linger"}
    if unknown:
        raise ValueError(f"unknown: {', '.join(sorted(unknown))}")
    variables = {entry["name"]: entry.get("value", "") for entry in container.get("env") or ()}
    ports = [port["containerPort"] for port in container.get("ports") or ()]
    crash = asked.get("crash-after")
    version = variables.get("VERSION") or _tag(container["image"]) or (metadata.get("labels") or {}).get("version", "")
    return Script(
        version=version,
        port=ports[0] if ports else DEFAULT_PORT,
        faults=_faults(variables.get("FAULTS", ""), version),
        ready_after=float(asked.get("ready-after", 0)),
        never_ready=asked.get("never-ready") == "true",
        crash_after=None if crash is None else float(crash),
        linger=float(asked.get("linger", LINGER_SECONDS)),
        last_words=asked.get("last-words", ""),
        no_image=asked.get("no-image"),
    )


def _tag(image: str) -> str:
    """The version that an image's tag names; empty where it has none."""
    name, _, tag = image.partition("@")[0].rpartition(":")
    return tag if name and "/" not in tag else ""


def _faults(text: str, version: str) -> str:
    """The first entry that is for this version, or for all."""
    for entry in text.split(";"):
        named, colon, settings = entry.rpartition(":")
        if not colon or named == version:
            return settings
    return ""
