"""Who is asked in which mode, and that nothing is asked of a namespace that has not opted in."""

import dataclasses
from typing import Any

import pytest

from delivery.adapters.kube.client import Absent
from delivery.adapters.workloads.kubernetes.adapter import KubernetesWorkloads
from delivery.model.place import Mode, Place
from delivery.model.service import Workload
from delivery.ports.errors import Refused
from delivery.ports.workloads import Need
from tests.unit.workloads.charts import NEW, TARGET

PLACE = Place("shop", "checkout", "checkout")


def over(cluster: Any) -> KubernetesWorkloads:
    return KubernetesWorkloads(cluster, ["shop"])


class Nobody:
    """A cluster that must not be asked."""

    def __getattr__(self, name):
        raise AssertionError(f"{name} was called")


class Empty:
    """A cluster in which there is nothing."""

    def find(self, path):
        return None

    def get(self, path, **query):
        raise Absent(f"{path} not found")


def workload(**changes):
    return Workload("deployment", "checkout", dataclasses.replace(PLACE, **changes))


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        (workload(namespace="payments"), "namespace payments has not opted in: the server's configuration has shop"),
        (Workload("deployment", "checkout"), "the service file does not say where checkout lives"),
    ],
)
def test_nothing_is_asked_of_what_is_not_open_to_us(asked, told):
    workloads = over(Nobody())
    for running in (
        workloads.ensure(TARGET, asked, NEW),
        workloads.look(TARGET, asked, NEW, home=True),
        workloads.promote(TARGET, asked, NEW),
    ):
        assert told in (running.failing or "")
    for call in (
        lambda: workloads.retire(TARGET, asked, NEW),
        lambda: workloads.current(TARGET, asked),
        lambda: workloads.rest(TARGET, asked),
    ):
        with pytest.raises(Refused, match=told.split(":")[0]):
            call()


def test_owners_without_a_deployment_are_told():
    workloads = over(Empty())
    with pytest.raises(Refused, match="there is no Deployment shop/checkout"):
        workloads.current(TARGET, workload())
    assert "there is no Deployment" in (workloads.ensure(TARGET, workload(), NEW, Need(home=True)).failing or "")


def test_a_version_that_ci_has_not_deployed_yet_is_waited_for():
    workloads = over(Empty())
    place = workload(mode=Mode.VERSIONED, candidate="checkout-{version}")
    with pytest.raises(Refused, match="there is no Service shop/checkout"):
        workloads.current(TARGET, place, NEW)
    found = workloads.ensure(TARGET, place, NEW)
    assert found.failing is None
    assert "Deployment shop/checkout-1-4-2 or shop/checkout-1.4.2" in found.looked_for


def test_what_goes_away_while_it_is_looked_at_is_no_failure():
    class Going(Empty):
        def find(self, path):
            raise Absent(f"{path} not found")

    found = over(Going()).look(TARGET, workload(), NEW)
    assert (found.ready, found.failing) == (False, None)
