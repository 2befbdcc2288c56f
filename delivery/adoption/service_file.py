"""A service file as a person would write it: only what is not the default. Pure."""

from typing import Any

import yaml

from delivery.model.place import Isolation, Mode, Place


def as_text(name: str, cluster: str, place: Place) -> str:
    """The smallest file that means this place."""
    workload: dict[str, Any] = {"deployment": place.deployment}
    if place.service != place.deployment:
        workload["service"] = place.service
    if place.mode is not Mode.CLONE:
        workload["mode"] = place.mode.value
    if place.isolation is not Isolation.SERVICE:
        workload["isolation"] = place.isolation.value
    if place.candidate is not None:
        workload["candidate"] = place.candidate
    if place.port is not None:
        workload["port"] = place.port
    values: dict[str, Any] = {"service": name, "cluster": cluster, "namespace": place.namespace, "workload": workload}
    if place.routes:
        values["routes"] = [
            {"virtual_service": ref.virtual_service} | ({"names": list(ref.names)} if ref.names else {})
            for ref in place.routes
        ]
    return str(yaml.safe_dump(values, sort_keys=False, default_flow_style=None))
