"""Which targets a notice is about."""

from collections.abc import Mapping, Sequence

from delivery.engine.answer import Answer, unknown
from delivery.engine.book import Book, Entry
from delivery.model.ids import TargetId, target_id
from delivery.model.notice import Again, Alert, HandsOff, Happened, Hinted, Notice, ReleaseAction, ReleaseRequested
from delivery.model.place import Mode, Promotion
from delivery.model.trigger import Trigger
from delivery.ports.ledger import Ledger
from delivery.sources import release_request


def addressees(
    notice: Notice, entries: Mapping[str, Entry | None], ledger: Ledger, book: Book
) -> Sequence[TargetId] | Answer:
    """The targets; or the answer to a notice that names what is not there. `entries` has the services it names."""
    match notice.says:
        case ReleaseRequested(service=name, cluster=cluster) as request:
            found = _of_service(name, cluster, entries[name])
            return _unconfigurable(request, found, entries[name]) or found
        case HandsOff(service=name, cluster=cluster):
            return _of_service(name, cluster, entries[name])
        case ReleaseAction(release=release) | Again(release=release):
            stored = ledger.releases([release]).get(release)
            return [stored.release.target] if stored else unknown("unknown_release", f"there is no release {release}")
        case Alert() as alert:
            return _of_alert(alert, ledger, book)
        case Happened(event=event) | Hinted(event=event):
            raise TypeError(f"what {event} means is for triggers to say")


def meant(source: str, happened: Happened, entries: Mapping[str, Entry | None]) -> list[ReleaseRequested | Answer]:
    """What each service with a trigger for an event makes of it: a release, or why that is none.

    A service whose trigger is wrong keeps no other from its own.
    """
    fitting = (
        (name, trigger)
        for name, entry in sorted(entries.items())
        for trigger in _first_that_fits(source, happened, entry)
    )
    found = [_asked(name, trigger, happened) for name, trigger in fitting]
    return found or [Answer("no_op", reason="nobody_waits", text=f"no service has a trigger for this {happened.event}")]


def hinted(source: str, hint: Hinted, entries: Mapping[str, Entry | None]) -> list[TargetId]:
    """The targets that a hint may be about."""
    found = {
        target_id(name, cluster)
        for name, entry in entries.items()
        if entry is not None and entry.service is not None
        for trigger in entry.service.triggers
        if trigger.may_fit(source, hint)
        for cluster in entry.service.clusters
        if trigger.cluster in (None, cluster)
    }
    return sorted(found)


def _first_that_fits(source: str, happened: Happened, entry: Entry | None) -> Sequence[Trigger]:
    triggers = entry.service.triggers if entry and entry.service else ()
    return [trigger for trigger in triggers if trigger.fits(source, happened)][:1]


def _asked(service: str, trigger: Trigger, happened: Happened) -> ReleaseRequested | Answer:
    try:
        request = trigger.request(service, happened)
    except KeyError as missing:
        text = f"the trigger of {service} needs {missing}, which this {happened.event} does not have"
        return Answer("no_op", reason="fact_missing", text=text)
    if (problem := release_request.mistake(request)) is not None:
        return Answer("no_op", reason="no_version", text=f"the trigger of {service} makes {problem}")
    return request


def _of_service(name: str, cluster: str | None, entry: Entry | None) -> Sequence[TargetId] | Answer:
    if entry is None:
        return unknown("unknown_service", f"there is no service {name}: apply its service file first")
    if entry.service is None or entry.plan is None:
        return unknown("broken_service", f"the stored service file of {name} cannot be used: {entry.broken}")
    if cluster is not None and cluster not in entry.service.clusters:
        known = ", ".join(entry.service.clusters)
        return unknown("unknown_cluster", f"{name} has no target in cluster {cluster}; it has {known}")
    return [target_id(name, one) for one in ((cluster,) if cluster else entry.service.clusters)]


def _unconfigurable(
    request: ReleaseRequested, found: Sequence[TargetId] | Answer, entry: Entry | None
) -> Answer | None:
    """Why the configuration that a request names can mean nothing to a target of its service."""
    if not request.version.configuration or isinstance(found, Answer) or entry is None or entry.service is None:
        return None
    for target in found:
        place = entry.service.workload_in(target.rpartition("@")[2]).place
        tracks = place is not None and place.mode is Mode.CLONE and place.track and place.promotion is Promotion.PATCH
        if not tracks and (place is None or place.mode is not Mode.VERSIONED):
            text = (
                f"{target} takes no `config`: that needs `config.track` in its service file with mode: clone, promoted "
                f"by patch; or mode: versioned"
            )
            return unknown("nothing_tracked", text)
    return None


def _of_alert(alert: Alert, ledger: Ledger, book: Book) -> Sequence[TargetId] | Answer:
    """Labels `service` and `cluster` say what it is about; without them it is about whoever names it in abort_on.

    A cluster that is none of the service's says nothing: Prometheus' own names of clusters may be others than ours, and
    an alert that aborts nothing, in silence, is the worse mistake.
    """
    service, cluster = alert.labels.get("service"), alert.labels.get("cluster")
    named = [service] if service is not None else [record.name for record in ledger.services()]
    watching = [name for name, entry in book.read(named).items() if _watches(entry, alert.name)]
    targets = [target for name in watching for target in ledger.targets(name)]
    there = [target for target in targets if target.rpartition("@")[2] == cluster]
    about = f"{service} does not name" if service is not None else "no service names"
    return there or targets or unknown("unwatched_alert", f"{about} the alert {alert.name} in abort_on")


def _watches(entry: Entry | None, alert: str) -> bool:
    return entry is not None and entry.service is not None and alert in entry.service.policy.abort_on
