"""The services of the simulated world: every strategy, every policy for a new version, short enough to end soon."""

import json
from collections.abc import Iterable, Mapping
from copy import deepcopy
from dataclasses import replace
from typing import Any

from delivery.model.ids import Micros, TargetId, target_id
from delivery.model.plan import Plan
from delivery.model.service import Service
from delivery.model.version import VersionRef
from delivery.strategies.plan import compile_plan
from delivery.wiring import parse

CLUSTERS = ("east", "west")
_TERMS: Mapping[str, Any] = {"bake": "900ms", "deadline": "4s"}
_CANARY = {"canary": {"steps": ["5%", "50%"], **_TERMS}}
_SUCCESS = {"threshold": "http_success_rate", "at_least": "90%", "over": "1s", "min_requests": 50}
_HOOK: Mapping[str, Any] = {"http": "platform", "timeout": "2s"}
_BETA = [{"headers": {"x-beta": {"exact": "true"}}}]
FIRST = VersionRef("good-0", "good-0")
"""What runs before anything happens."""


def cloned(service: str) -> Mapping[str, Any]:
    """A service whose owners keep a workload of their own."""
    return {
        "namespace": "shop",
        "workload": {"deployment": service, "rollback_window": "6s", "appear_within": "3s"},
    }


SERVICES: Mapping[str, Mapping[str, Any]] = {
    "queueing": {"cluster": list(CLUSTERS), "strategies": [_CANARY]},
    "superseding": {
        "on_new_version": "supersede",
        "strategies": [
            {"dark_launch": {"mirror": "20%", **_TERMS}},
            {"canary": {"steps": ["10%", "40%"], "sticky": {"cookie": "rel"}, **_TERMS}},
        ],
    },
    "switching": {
        "gates": {"success": _SUCCESS},
        "strategies": [{"blue_green": {"approval": {"count": 2, "expires": "6s"}, **_TERMS}}],
    },
    "asking": {
        "cluster": "west",
        "on_new_version": "reject",
        "on_drift": "alert",
        "strategies": [{"ab_test": {"match": _BETA, "then": "ask", **_TERMS}}],
    },
    "withdrawing": {
        "cluster": "west",
        "strategies": [{"dark_launch": {"mirror": "20%", "methods": "all", "then": "withdraw", **_TERMS}}],
    },
    "short": {
        "tick": "100ms",
        "workload": {"process": "short", "rollback_window": "1s", "appear_within": "1m"},
        "strategies": [{"canary": {"steps": ["20%"], "bake": "300ms", "deadline": "20s"}}],
    },
    "cloning": {
        **cloned("cloning"),
        "cluster": "west",
        "strategies": [_CANARY],
    },
    "handing": {
        **cloned("handing"),
        "promotion": {"via": "none"},
        "on_new_version": "supersede",
        "strategies": [{"dark_launch": {"mirror": "20%", **_TERMS}}, {"canary": {"steps": ["50%"], **_TERMS}}],
    },
    "brisk": {
        **cloned("brisk"),
        "tick": "100ms",
        "strategies": [{"canary": {"steps": ["20%"], "bake": "300ms", "deadline": "20s"}}],
    },
    "hooking": {
        "cluster": "west",
        "hooks": {
            "migrate": {**_HOOK, "before": "start", "retries": 1},
            "smoke": {**_HOOK, "during": "canary 10%", "on_failure": "ask"},
            "warm": {**_HOOK, "before": ["traffic", "canary 40%", "promotion"]},
            "tell": {**_HOOK, "after": ["promoted", "reverted"]},
        },
        "strategies": [{"canary": {"steps": ["10%", "40%"], **_TERMS}}],
    },
    "comparing": {
        "gates": {"errors": {"ratio": "http_errors", "baseline": "fresh"}},
        "strategies": [_CANARY],
    },
    "twinning": {
        **cloned("twinning"),
        "cluster": "west",
        "gates": {"errors": {"ratio": "http_errors", "baseline": "fresh"}},
        "no_data": {"hold": "3s", "then": "ask"},
        "strategies": [_CANARY],
    },
    "frozen": {
        "gates": {"errors": {"ratio": "http_errors"}, "success": _SUCCESS},
        "low_traffic": "hold",
        "no_data": {"hold": "3s", "then": "ask"},
        "freeze": [{"cron": "*/2 * * * *", "for": "1m"}],
        "strategies": [{"canary": {"steps": ["2%", "100%"], "min_requests": 400, **_TERMS}}],
    },
}
ORDINARY: Mapping[str, Any] = {"strategies": [_CANARY]}
"""What a service of any other name is like."""
BURNING = "Burning"
"""The alert that every service names."""
BETA_SHARE = 20
"""Percent of users that a rule sends to the candidate."""
_POLICY = {
    "on_drift": "correct",
    "no_data": {"hold": "3s", "then": "revert"},
    "low_traffic": "advance",
    "abort_on": [{"alert": BURNING}],
}


def document(service: str) -> dict[str, Any]:
    """The service file."""
    own = deepcopy(dict(SERVICES.get(service, ORDINARY)))
    policy: dict[str, Any] = {
        **_POLICY,
        **{key: own.pop(key) for key in ("on_drift", "no_data", "low_traffic", "freeze") if key in own},
    }
    return {
        "service": service,
        "cluster": CLUSTERS[0],
        "workload": {"process": service, "rollback_window": "6s", "appear_within": "3s"},
        "tick": "300ms",
        "policy": policy,
        "notify": {"memory": service},
        **own,
    }


def is_cloned(service: str) -> bool:
    return "namespace" in SERVICES.get(service, ORDINARY)


def clusters(service: str) -> tuple[str, ...]:
    found = document(service)["cluster"]
    return tuple(found) if isinstance(found, list) else (str(found),)


def targets(services: Iterable[str]) -> list[TargetId]:
    return [target_id(service, cluster) for service in services for cluster in clusters(service)]


GRACE = Micros(2_000_000)


def plan_of(service: Service) -> Plan:
    """The plan that the engine would compile, with less patience."""
    return replace(compile_plan(service), grace=GRACE)


_PARSED: dict[str, Service] = {}


def parse_once(found: Mapping[str, object]) -> Service:
    """As the engine's own, which is pure: so that an engine's life begins quickly."""
    key = json.dumps(found, sort_keys=True)
    if key not in _PARSED:
        _PARSED[key] = parse(found)
    return _PARSED[key]
