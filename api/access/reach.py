"""Whether a caller's scope reaches as far as what they ask for."""

from collections.abc import Collection

from api.access.caller import Caller
from api.problems import Problem
from api.services import AppServices
from delivery.engine.addressees import meant
from delivery.model.notice import Again, HandsOff, Happened, Notice, ReleaseAction, ReleaseRequested, Says
from delivery.model.signal import PersonSignal, PromoteNow
from delivery.wording.release import target


def check(
    services: AppServices, caller: Caller, action: str, service: str, clusters: Collection[str] | None = None
) -> None:
    """`clusters` None: all of the service's. Raises the problem `forbidden`. Asks the database where it must."""
    if caller.unlimited:
        return
    entry = services.book.fresh(service)
    known = entry.service if entry else None
    owners = known.owners if known else ()
    refuse(caller, caller.refusal(action, service, owners, clusters or (known.clusters if known else None)))


def check_says(services: AppServices, caller: Caller, says: Says) -> None:
    """As `check`, for what somebody says. What it names is not there: admission will tell."""
    if caller.unlimited:
        return
    match says:
        case ReleaseRequested(service=service, cluster=cluster):
            check(services, caller, "start", service, (cluster and (cluster,)) or None)
        case HandsOff(service=service, cluster=cluster):
            check(services, caller, "break_glass", service, (cluster and (cluster,)) or None)
        case ReleaseAction(release=release) | Again(release=release):
            stored = services.history.release(release)
            if stored is not None:
                service, cluster = target(stored.release)
                check(services, caller, action_of(says), service, (cluster,))
        case _:
            refuse(caller, "it does not reach this")


def check_notice(services: AppServices, caller: Caller, notice: Notice) -> None:
    """As `check_says`, for what came in: whatever the triggers of services make of it has to be in reach."""
    if not isinstance(notice.says, Happened):
        check_says(services, caller, notice.says)
        return
    everything = services.book.read([one.name for one in services.ledger.services()])
    for request in meant(notice.source, notice.says, everything):
        if isinstance(request, ReleaseRequested):
            check_says(services, caller, request)


def check_whole(caller: Caller) -> None:
    """For what is about all services at once. Raises Problem."""
    refuse(caller, "" if caller.unlimited else "this needs a token without a scope")


def refuse(caller: Caller, why: str) -> None:
    """Raises Problem unless there is nothing to say against it."""
    if why:
        raise Problem("forbidden", f"{caller.name} does not reach this far: {why}")


def action_of(says: Says) -> str:
    """The word of the API for what somebody asks of a release; empty for anything else."""
    if isinstance(says, Again):
        return "rollback" if says.back else "retry"
    if not isinstance(says, ReleaseAction):
        return ""
    signal: PersonSignal = says.signal
    return "promote" if isinstance(signal, PromoteNow) else type(signal).__name__.lower()
