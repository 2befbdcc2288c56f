"""The section `hooks` of a service file: work of its owners' own that a release waits for, and when.

    hooks:
      migrate: {job: checkout-migrate, before: start, timeout: 20m}
      smoke:   {http: platform, path: /smoke/checkout}        # blue_green: {smoke: {hook: smoke}}
      tell:    {http: platform, path: /released, after: [promoted, reverted]}

Hosts and the templates of Jobs are names that the server's configuration knows.
"""

from collections.abc import Collection, Iterable, Mapping
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import Final

from delivery.catalog.workloads import Runs
from delivery.model.fields import Fields
from delivery.model.hook import OnFailure, When
from delivery.model.ids import HOUR, MINUTE, SECOND, HookId, Micros
from delivery.model.mistake import one_of, unknown
from delivery.model.scalars import choice, duration, pattern, text
from delivery.model.service import Hook, Workload

KINDS: Final = ("http", "job")
NAME: Final = pattern(r"[a-z][a-z0-9-]{0,39}", "a name of lower case letters, digits and dashes, at most 40")
_PATH: Final = pattern(
    r"(?!.*/\.{1,2}(?:/|$))(?:/[A-Za-z0-9._~-]+)+/?|/", "a path such as /hooks/migrate, without a query"
)
_OBJECT: Final = pattern(r"[a-z0-9]([a-z0-9.-]{0,61}[a-z0-9])?", "the name of a CronJob in the namespace")
_TIMEOUT: Final = duration(SECOND, Micros(24 * HOUR))


class After(StrEnum):
    PROMOTED = "promoted"
    REVERTED = "reverted"


def read_hooks(
    fields: Fields,
    workloads: Mapping[str, Workload],
    hosts: Collection[str] | None,
    runs: Mapping[str, Runs],
) -> tuple[Hook, ...]:
    """The hooks; mistakes stay in `fields`. `workloads` has what runs in each cluster. Without `hosts` no name is
    looked up.
    """
    found = []
    for name, section in fields.named("hooks").items():
        if NAME.read(name) is None:
            section.wrong(None, "is no name for a hook", NAME.expected)
        kinds = [kind for kind in KINDS if kind in section.keys]
        if len(kinds) != 1:
            section.wrong(None, "has several kinds" if kinds else "has no kind", f"exactly {one_of(KINDS)}")
            section.skip()
            continue
        params = _http(section, hosts) if kinds == ["http"] else _job(section, workloads, runs)
        found.append(_hook(HookId(name), kinds[0], params, section))
    return tuple(found)


def _hook(name: HookId, kind: str, params: Mapping[str, object], section: Fields) -> Hook:
    before = section.one_or_many("before", text(80), ())
    during = section.one_or_many("during", text(80), ())
    after = section.one_or_many("after", choice(After), ())
    on_failure = section.choice("on_failure", OnFailure, OnFailure.REVERT)
    if after and "on_failure" in section and not before and not during:
        section.wrong("on_failure", "says what a failure keeps from happening", "none with after: it is only told")
    return Hook(
        id=name,
        kind=kind,
        params=params,
        timeout=section.get("timeout", _TIMEOUT, Micros(5 * MINUTE)),
        retries=section.whole("retries", 0, high=10),
        on_failure=on_failure,
        before=before,
        during=during,
        after=tuple(When(one) for one in after),
    )


def _http(section: Fields, hosts: Collection[str] | None) -> Mapping[str, object]:
    host = section.name("http")
    if hosts is not None and host and host not in hosts:
        expected = f"a table [hooks.NAME] of the server's configuration: {one_of(hosts)}"
        section.wrong("http", f"names {host}, which {unknown(host, hosts)}", expected)
    return {"host": host, "path": section.get("path", _PATH, "/")}


def _job(section: Fields, workloads: Mapping[str, Workload], runs: Mapping[str, Runs]) -> Mapping[str, object]:
    template = section.get("job", _OBJECT)
    for cluster, workload in workloads.items():
        allowed = runs.get(cluster, Runs()).jobs
        if workload.place is None:
            section.wrong("job", f"is a Job in Kubernetes, and {cluster} runs a process", "http")
        elif allowed is not None and template and not _fits(template, allowed):
            problem = f"is {template}, which may not be run in {cluster}"
            where = f"clusters.{cluster}.jobs.templates of the server's configuration"
            section.wrong("job", problem, f"a CronJob that {where} names: {one_of(allowed)}" if allowed else where)
    return {"template": template}


def _fits(template: str, allowed: Iterable[str]) -> bool:
    return any(fnmatchcase(template, one) for one in allowed)
