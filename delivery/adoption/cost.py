"""What a release costs in pods and minutes, where we make the candidate's. Pure."""

from collections.abc import Iterator

from delivery.adapters.kube.objects import Document
from delivery.adapters.workloads.kubernetes import clone
from delivery.machine.share import carried
from delivery.model.finding import Finding, Weight
from delivery.model.place import Mode, Place
from delivery.model.plan import Plan
from delivery.wording.units import counted, duration


def findings(deployment: Document, place: Place, plan: Plan) -> Iterator[Finding]:
    """One line over all stages: how many pods more, and for how long at least."""
    if place.mode is not Mode.CLONE:
        return
    replicas = clone.size(deployment, 100)
    sizes, most = [], 1
    for stage in plan.stages:
        most = max(most, clone.size(deployment, carried(stage.traffic)))  # it never shrinks during a release
        sizes.append(f"{most} for {duration(stage.bake) if stage.bake else 'a moment'} ({stage.name})")
    text = f"beside stable's {counted(replicas, 'pod')} a release runs {', '.join(sizes)}"
    whole = f"{text}, at least; then {replicas} until its owners' Deployment has gone over"
    yield Finding(Weight.SAYS, f"Deployment {place.namespace}/{place.deployment}", whole)
