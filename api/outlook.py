"""What the gates of a plan would see at today's traffic: that of the last release that was measured, or as told."""

import random
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from api.services import AppServices
from delivery.gates.outlook import Load, load_of, outlooks
from delivery.model.plan import Plan
from delivery.ports.history import Filter
from delivery.wiring import build_gate
from delivery.wording.outlook import told

RECENT = 5
"""Releases that are looked through for one that was measured."""
SEED = 1
"""The same plan at the same traffic gets the same answer."""


@dataclass(frozen=True, slots=True)
class _Known:
    load: Load
    gates: Mapping[str, Any]


def outlook(services: AppServices, plan: Plan, service: str, rps: float | None, errors: float | None) -> list[str]:
    """In sentences; a word on what is missing where nobody knows the traffic. Takes a second or two."""
    known = _last(services, service)
    rps = rps if rps is not None or known is None else known.load.rps
    errors = errors if errors is not None or known is None else known.load.errors
    if rps is None or errors is None:
        return [f"no release of {service} was measured yet: name its requests a second and its share of errors"]
    load = Load(rps, errors)
    return list(told(load, outlooks(plan, load, build_gate, random.Random(SEED), known.gates if known else None)))


def _last(services: AppServices, service: str) -> _Known | None:
    for stored in services.history.page(Filter(service=service), RECENT):
        load = load_of(stored.release.plan, services.history.ticks(stored.release.id))
        if load is not None:
            measuring = services.history.measuring(stored.release.id)
            return _Known(load, measuring.gates if measuring else {})
    return None
