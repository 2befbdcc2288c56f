"""A target's route as one Envoy virtual host. Pure.

Routes are tried in order: rules, then the cookies of a sticky split, then the split, which is always the last route.
"""

import re
from typing import Any

from delivery.adapters.mesh.answer import uncarried
from delivery.adapters.mesh.envoy import clusters, filters, sticky
from delivery.adapters.mesh.envoy.actions import Action, Cookie, Share, limits_of, to_cluster, to_split
from delivery.adapters.mesh.envoy.marker import Marker, Section, metadata
from delivery.model.policy import TrafficPolicy
from delivery.model.traffic import HeaderMatch, Match, MatchKind, Mirror, Rule, Traffic
from delivery.model.version import Backend, Lane
from delivery.ports.errors import Refused
from delivery.ports.mesh import Route, Stamp

MIRRORED_HEADER = "x-delivery-mirrored"
"""What a mirrored copy carries, so that a version can tell it from a user's request."""
OVERWRITE = "OVERWRITE_IF_EXISTS_OR_ADD"


def section(route: Route, stamp: Stamp, rev: int) -> Section:
    """The whole virtual host. Raises Refused for traffic that these backends cannot carry."""
    candidate, policy = route.candidate.name if route.candidate else "", limiting(route)
    section: Section = {
        "name": route.service,
        "domains": [route.service, f"{route.service}.local"],
        "metadata": metadata(Marker(stamp, rev, candidate, clusters.told(policy))),
        "routes": routes(route),
    }
    if policy is not None and policy.rate_limit is not None:
        section["typed_per_filter_config"] = filters.rate_limit(policy.rate_limit, candidate)
    return section


def limiting(route: Route) -> TrafficPolicy | None:
    """The policy that is in force: there is none where no user can reach the candidate."""
    return route.traffic.policy if route.candidate is not None and route.traffic.exposes else None


def routes(route: Route) -> list[Action]:
    """The routes of a target in the order in which they are tried."""
    traffic, stable, candidate = route.traffic, route.stable, route.candidate
    if (reason := uncarried(route)) is not None:
        raise Refused(f"{route.service}: {reason}")
    if candidate is None:
        return [_nobody(route.service) if stable is None else to_cluster(_ANY, stable.name)]
    if stable is None:
        return _first_version(route.service, candidate, traffic)
    if traffic.mirror is not None:
        return _mirrored(stable, candidate, traffic.mirror)
    limits = limits_of(limiting(route))
    if traffic.weight == 100:
        return [to_cluster(_ANY, candidate.name, limits=limits)]
    rules = [
        to_cluster(_match(match), candidate.name, name=f"delivery-{rule.name}", limits=limits, options=_options(rule))
        for rule in traffic.rules
        for match in rule.matches
    ]
    if traffic.sticky is not None:
        pair = stable.name, candidate.name
        return rules + sticky.routes(_ANY, pair, traffic.weight, traffic.sticky, route.tag, limits)
    baseline = traffic.baseline or 0
    shares = [Share(stable.name, 100 - traffic.weight - baseline), Share(candidate.name, traffic.weight, limits=limits)]
    if route.copy is not None:
        shares.append(Share(route.copy.name, baseline))
    return rules + to_split(_ANY, shares)


def _options(rule: Rule) -> filters.Options:
    fault = filters.fault(rule.fault) if rule.fault is not None else {}
    return fault | (filters.bearer(rule.jwt) if rule.jwt is not None else {})


_ANY: dict[str, Any] = {"prefix": "/"}


def _nobody(service: str) -> Action:
    text = f"no version of {service} has been released yet\n"
    return {"match": _ANY, "direct_response": {"status": 503, "body": {"inline_string": text}}}


def _first_version(service: str, candidate: Backend, traffic: Traffic) -> list[Action]:
    if traffic.weight == 100:
        return [to_cluster(_ANY, candidate.name, limits=limits_of(traffic.policy))]
    return [_nobody(service)]


def _mirrored(stable: Backend, candidate: Backend, mirror: Mirror) -> list[Action]:
    """Copies go to a cluster of their own; where only some methods are copied, so do their originals."""
    policy = {
        "cluster": candidate.lane(Lane.SHADOW),
        "runtime_fraction": {"default_value": {"numerator": mirror.percent}},
        "disable_shadow_host_suffix_append": True,
        "request_headers_mutations": [
            {"append": {"header": {"key": MIRRORED_HEADER, "value": "1"}, "append_action": OVERWRITE}}
        ],
    }
    if not mirror.methods:
        return [to_cluster(_ANY, stable.name, mirrors=[policy])]
    some = "|".join(re.escape(method) for method in mirror.methods)
    copied = {**_ANY, "headers": [{"name": ":method", "string_match": {"safe_regex": {"regex": some}}}]}
    return [to_cluster(copied, stable.lane(Lane.SHADOWED), mirrors=[policy]), to_cluster(_ANY, stable.name)]


def _match(match: Match) -> dict[str, Any]:
    path = (match.path or "/").rstrip("/")
    found: dict[str, Any] = {"path_separated_prefix": path} if path else {"prefix": "/"}
    if match.headers:
        found["headers"] = [_header(header) for header in match.headers]
    if match.cookies:
        found["cookies"] = [Cookie(cookie.name, {"exact": cookie.value}).match() for cookie in match.cookies]
    return found


def _header(header: HeaderMatch) -> dict[str, Any]:
    """Envoy's regex matches the whole value, as ours is meant to."""
    wanted: dict[str, Any] = {header.kind.value: header.value}
    if header.kind is MatchKind.REGEX:
        wanted = {"safe_regex": {"regex": header.value}}
    return {"name": header.name.lower(), "string_match": wanted}
