"""Port Hooks as Jobs in Kubernetes, made from suspended CronJobs that the namespace's owners keep there.

A CronJob that never runs by itself is how a Job's template is kept in a cluster. It says which account the Job has, and
what it may see; a service file only names it. The Job is called after the attempt, so that it is made once.
"""

from collections.abc import Collection
from fnmatch import fnmatchcase
from typing import Any

from delivery.adapters.hooks import job
from delivery.adapters.kube.client import Absent, Kube
from delivery.adapters.kube.objects import Document, path
from delivery.model.place import Place
from delivery.ports.errors import Conflict, PortError, Refused
from delivery.ports.hooks import HookAnswer, HookCall, words

LAST_LINES = 3


class JobHooks:
    """`namespaces` have opted in; `templates` are the names of CronJobs, perhaps with a `*`, that may be run."""

    def __init__(self, kube: Kube, namespaces: Collection[str], templates: Collection[str]) -> None:
        if isinstance(templates, str):
            raise ValueError("templates is a list of names")
        self._kube = kube
        self._namespaces = frozenset(namespaces)
        self._templates = tuple(templates)

    def run(self, call: HookCall) -> HookAnswer:
        template, place = str(call.params.get("template")), self._place(call)
        where = path("batch/v1", "Job", place.namespace, job.name_of(call))
        found = self._kube.find(where)
        if found is None:
            return self._begin(call, place, template, where)
        job.demand_attempt(found, call)
        return self._stands(found)

    def _begin(self, call: HookCall, place: Place, template: str, where: str) -> HookAnswer:
        cron = self._template(place.namespace, template)
        service = self._kube.find(path("v1", "Service", place.namespace, place.service))
        made = job.made_from(cron, call, place.namespace)
        job.demand_unselected(made, service)
        try:
            self._kube.create(made)
        except Conflict:  # another worker was faster
            job.demand_attempt(self._kube.get(where), call)
        return HookAnswer()

    def _template(self, namespace: str, template: str) -> Document:
        if not any(fnmatchcase(template, one) for one in self._templates):
            raise Refused(f"CronJob {template} is none of those that the server's configuration lets hooks run")
        try:
            cron = self._kube.get(path("batch/v1", "CronJob", namespace, template))
        except Absent as error:
            raise Refused(f"there is no CronJob {namespace}/{template} to make a Job from") from error
        if not cron["spec"].get("suspend"):
            raise Refused(f"CronJob {namespace}/{template} is not suspended: it would run by itself, too")
        return cron

    def _place(self, call: HookCall) -> Place:
        if call.place is None:
            raise Refused("the service file does not say in which namespace it lives")
        if call.place.namespace not in self._namespaces:
            raise Refused(f"namespace {call.place.namespace} has not opted in: `namespaces` of this cluster")
        return call.place

    def _stands(self, found: Document) -> HookAnswer:
        conditions = {one["type"]: one for one in found.get("status", {}).get("conditions") or () if _true(one)}
        if "Complete" in conditions:
            return HookAnswer(True, self._last_words(found))
        if (failed := conditions.get("Failed")) is None:
            return HookAnswer()
        why = failed.get("message") or failed.get("reason") or "it failed"
        said = self._last_words(found)
        return HookAnswer(False, words(f"{said} (Job {found['metadata']['name']}: {why})" if said else why))

    def _last_words(self, found: Document) -> str:
        """What its newest pod said last, as far as it can still be read."""
        namespace = found["metadata"]["namespace"]
        selector = f"batch.kubernetes.io/job-name={found['metadata']['name']}"
        try:
            pods = self._kube.get(path("v1", "Pod", namespace), labelSelector=selector)["items"]
            if not pods:
                return ""
            pod = max(pods, key=lambda one: str(one["metadata"]["creationTimestamp"]))
            if told := job.last_words(pod, LAST_LINES):
                return words(told)
            log = f"{path('v1', 'Pod', namespace, pod['metadata']['name'])}/log"
            container = pod["spec"]["containers"][0]["name"]
            return words(self._kube.text(log, container=container, tailLines=str(LAST_LINES)))
        except PortError:
            return ""


def _true(condition: Any) -> bool:
    return bool(condition["status"] == "True")
