"""What every section (a virtual host) of ours carries, so that a proxy's own dump proves which write it runs.

It must be content: Envoy keeps the old version_info for ever where only the version changed.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from delivery.model.ids import ReleaseId
from delivery.ports.mesh import Stamp

KEY = "delivery"
Section = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Marker:
    """`rev` grows with every write to the file, so a repeated write under one token is told from the first.

    `policy` is what the candidate's cluster has to show of its policy, empty where it has none.
    """

    stamp: Stamp
    rev: int
    candidate: str = ""
    policy: str = ""


def metadata(marker: Marker) -> dict[str, Any]:
    """The marker as Envoy metadata. Strings only: its numbers are doubles."""
    stamp = marker.stamp
    fields = {
        "release": stamp.release,
        "dseq": str(stamp.dseq),
        "seq": str(stamp.seq),
        "epoch": str(stamp.epoch),
        "head": stamp.head,
        "rev": str(marker.rev),
        "candidate": marker.candidate,
    }
    if marker.policy:
        fields["policy"] = marker.policy
    return {"filter_metadata": {KEY: fields}}


def read(section: Mapping[str, Any]) -> Marker | None:
    """The marker of a section, None where it has none that is whole: then the section is not ours."""
    try:
        fields = section["metadata"]["filter_metadata"][KEY]
        stamp = Stamp(
            epoch=int(fields["epoch"]),
            release=ReleaseId(str(fields["release"])),
            dseq=int(fields["dseq"]),
            seq=int(fields["seq"]),
            head=str(fields["head"]),
        )
        return Marker(stamp, int(fields["rev"]), str(fields["candidate"]), str(fields.get("policy", "")))
    except (KeyError, TypeError, ValueError):
        return None


def live_weight(section: Mapping[str, Any]) -> int:
    """The candidate's percent in the split, which the last route ends; 0 where that cannot be told."""
    marker = read(section)
    if marker is None or not marker.candidate:
        return 0
    try:
        if (drawn := _drawn(section["routes"], marker.candidate)) is not None:
            return drawn
        return _weight(section["routes"][-1]["route"], marker.candidate)
    except (AttributeError, IndexError, KeyError, TypeError, ValueError):  # somebody's edit may look like anything
        return 0


def _drawn(routes: Sequence[Mapping[str, Any]], candidate: str) -> int | None:
    """The percent of a split whose candidate has a route of its own, before the last one."""
    share = routes[-2]["match"].get("runtime_fraction") if len(routes) > 1 else None
    if share is None or routes[-2]["route"].get("cluster") != candidate:
        return None
    return round(int(share["default_value"]["numerator"]) / 10_000)


def _weight(action: Mapping[str, Any], candidate: str) -> int:
    if "cluster" in action:
        return 100 if action["cluster"] == candidate else 0
    entries = action["weighted_clusters"]["clusters"]
    total = sum(int(entry.get("weight", 0)) for entry in entries)
    ours = sum(int(entry.get("weight", 0)) for entry in entries if entry["name"] == candidate)
    return round(100 * ours / total) if total else 0
