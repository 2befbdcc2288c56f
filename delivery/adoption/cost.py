"""What a release costs in pods and minutes, where we make the candidate's. Pure."""

from collections.abc import Iterator
from itertools import accumulate

from delivery.adapters.kube.objects import Document
from delivery.adapters.workloads.kubernetes import clone
from delivery.machine.share import carried
from delivery.model.finding import Finding, Weight
from delivery.model.place import Mode, Place
from delivery.model.plan import Plan
from delivery.wording.units import counted, duration


def findings(deployment: Document, place: Place, plan: Plan) -> Iterator[Finding]:
    """How many pods more, and for how long at least: one line for the candidate, one for a copy of stable."""
    subject = f"Deployment {place.namespace}/{place.deployment}"
    replicas = clone.size(deployment, 100)
    if place.mode is Mode.CLONE:
        runs = _over(plan, [clone.size(deployment, carried(stage.traffic)) for stage in plan.stages])
        text = f"beside stable's {counted(replicas, 'pod')} a release runs {runs}, at least"
        yield Finding(Weight.SAYS, subject, f"{text}; then {replicas} until its owners' Deployment has gone over")
    shares = [stage.traffic.baseline for stage in plan.stages]
    if place.mode is not Mode.OBSERVE and any(shares):
        whole = place.mode is Mode.VERSIONED  # as the candidate's, which CI deploys whole
        sizes = [0 if share is None else replicas if whole else clone.size(deployment, share) for share in shares]
        text = f"a copy of stable, as young as the candidate (baseline: fresh), runs {_over(plan, sizes)}, at least"
        yield Finding(Weight.SAYS, subject, f"{text}; it goes when the release is over")


def _over(plan: Plan, sizes: list[int]) -> str:
    """The pods of each stage: none are taken away before the end."""
    most = accumulate(sizes, max)
    return ", ".join(
        f"{pods} for {duration(stage.bake) if stage.bake else 'a moment'} ({stage.name})"
        for stage, pods in zip(plan.stages, most, strict=True)
        if pods
    )
