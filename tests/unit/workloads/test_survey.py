"""What `adopt` and `check` say of capacity, cost and configuration, from documents."""

from dataclasses import replace

import pytest

from delivery.adapters.workloads.kubernetes import survey
from delivery.adoption import cost
from delivery.model.finding import Weight
from delivery.model.ids import SECOND, Micros
from delivery.model.place import Mode, Place
from delivery.model.traffic import Traffic
from delivery.strategies.plan import compile_plan
from delivery.testing.builders import a_plan, a_stage
from delivery.wiring import parse
from tests.unit.workloads.charts import autoscaler, deployment, home

PLACE = Place("shop", "checkout", "checkout")
KEDA = {"ownerReferences": [{"kind": "ScaledObject", "name": "checkout"}]}


def plan(*strategies):
    document = {"service": "checkout", "cluster": "prod", "namespace": "shop", "workload": {"deployment": "checkout"}}
    return compile_plan(parse({**document, "strategies": list(strategies)}))


def test_the_cost_is_told_in_pods_and_minutes():
    canary = plan({"canary": {"steps": ["5%", "25%", "50%"], "bake": "5m"}})
    (said,) = cost.findings(deployment(replicas=10), PLACE, canary)
    assert said.weight is Weight.SAYS
    for part in ("beside stable's 10 pods", "1 for 5m", "3 for 5m", "5 for 5m", "then 10 until"):
        assert part in said.text
    chain = plan(
        {"ab_test": {"match": [{"headers": {"x": {"exact": "y"}}}], "bake": "1h"}}, {"canary": {"steps": ["5%"]}}
    )
    (said,) = cost.findings(deployment(replicas=10), PLACE, chain)
    assert "10 for 1h" in said.text
    assert "1 for" not in said.text, "who meets a rule is not known: as good as all; and it never shrinks"


@pytest.mark.parametrize(
    ("mode", "said"),
    [
        (Mode.CLONE, "runs 1 for 5m (5%), 3 for 5m (25%), 3 for 5m (50%), at least"),
        (Mode.VERSIONED, "runs 10 for 5m (5%), 10 for 5m (25%), 10 for 5m (50%), at least"),
        (Mode.OBSERVE, None),
    ],
)
def test_the_cost_of_a_copy_of_stable_is_told_apart(mode, said):
    shares = ((5, 5), (25, 25), (50, None))
    stages = tuple(
        a_stage(weight, name=f"{weight}%", bake=Micros(300 * SECOND), traffic=Traffic(weight, baseline=baseline))
        for weight, baseline in shares
    )
    texts = [one.text for one in cost.findings(deployment(replicas=10), replace(PLACE, mode=mode), a_plan(*stages))]
    assert [text for text in texts if "a copy of stable" in text and said in text] if said else not texts


@pytest.mark.parametrize("mode", [Mode.VERSIONED, Mode.OBSERVE])
def test_who_else_makes_the_pods_knows_the_cost(mode):
    assert list(cost.findings(deployment(), replace(PLACE, mode=mode), plan({"canary": {"steps": ["5%"]}}))) == []


def test_an_autoscaler_of_keda_cannot_be_kept():
    """KEDA's operator writes it again: in `mode: versioned`, where nothing refuses it."""
    own, kedas = autoscaler(), autoscaler()
    kedas["metadata"] |= KEDA
    found = list(survey._capacity(home(autoscalers=[own, kedas]), replace(PLACE, mode=Mode.VERSIONED)))
    assert [one.weight for one in found] == [Weight.SAYS, Weight.WARNS]
    assert "KEDA sets its minReplicas back" in found[1].text
    observed = survey._capacity(home(autoscalers=[own]), replace(PLACE, mode=Mode.OBSERVE))
    assert list(observed) == [], "nothing is written there"
