"""The knobs of the mesh in memory: each does to the engine what a real mesh can do."""

import pytest

from delivery.adapters.mesh.answer import Request
from delivery.adapters.mesh.memory import Fault, MemoryMesh, Mood
from delivery.model.ids import ReleaseId, target_id
from delivery.model.traffic import ALL_CANDIDATE, ALL_STABLE, Traffic
from delivery.model.version import Backend, Endpoint, VersionRef
from delivery.ports.errors import Conflict, Refused, Unavailable
from delivery.ports.mesh import Route, Stamp

TARGET, RELEASE = target_id("checkout", "local"), ReleaseId("rel_1")
STABLE, CANDIDATE = (Backend("checkout", VersionRef(label, label)) for label in ("1", "2"))
THERE = (Endpoint("127.0.0.1", 1),)


@pytest.fixture
def mesh():
    mesh = MemoryMesh(proxies=3)
    for backend in (STABLE, CANDIDATE):
        assert mesh.publish(TARGET, backend, THERE)
    write(mesh, ALL_STABLE, 1)
    return mesh


def write(mesh, traffic, dseq, expect=None, epoch=1):
    route = Route(TARGET, "checkout", STABLE, CANDIDATE, traffic, "7")
    stamp = Stamp(epoch, RELEASE, dseq, dseq, f"head-{dseq}")
    return mesh.write(route, stamp, expect or mesh.read(TARGET).revision)


def served(mesh, proxy):
    return mesh.serve(Request("checkout"), proxy).backend


def test_a_lost_write_changes_nothing(mesh):
    before = mesh.read(TARGET)
    mesh.fail_next(Fault.LOST)
    with pytest.raises(Unavailable):
        write(mesh, ALL_CANDIDATE, 2)
    assert mesh.read(TARGET) == before
    write(mesh, ALL_CANDIDATE, 2)
    assert mesh.traffic(TARGET) == ALL_CANDIDATE


def test_a_write_can_be_applied_and_answered_with_an_error(mesh):
    mesh.fail_next(Fault.APPLIED)
    with pytest.raises(Unavailable):
        write(mesh, ALL_CANDIDATE, 2)
    assert mesh.traffic(TARGET) == ALL_CANDIDATE
    assert mesh.confirm(TARGET, RELEASE, 2).proven


def test_a_late_write_lands_if_nothing_was_written_meanwhile(mesh):
    mesh.fail_next(Fault.LATE)
    with pytest.raises(Unavailable):
        write(mesh, ALL_CANDIDATE, 2)
    assert mesh.traffic(TARGET) == ALL_STABLE
    mesh.land()
    assert mesh.traffic(TARGET) == ALL_CANDIDATE


def test_a_late_write_is_lost_if_something_was_written_meanwhile(mesh):
    mesh.fail_next(Fault.LATE)
    with pytest.raises(Unavailable):
        write(mesh, ALL_CANDIDATE, 2)
    write(mesh, Traffic(weight=5), 3)
    mesh.land()
    assert mesh.traffic(TARGET) == Traffic(weight=5)


def test_a_lagging_proxy_is_missing_until_it_takes_the_route(mesh):
    mesh.proxies["proxy-1"].mood = Mood.LAGGING
    write(mesh, ALL_CANDIDATE, 2)
    assert mesh.confirm(TARGET, RELEASE, 2).missing == ("proxy-1",)
    assert (served(mesh, "proxy-0"), served(mesh, "proxy-1")) == (CANDIDATE.name, STABLE.name)
    with pytest.raises(Conflict):
        mesh.withdraw(TARGET, STABLE)
    mesh.deliver("proxy-1")
    assert mesh.confirm(TARGET, RELEASE, 2).proven
    mesh.withdraw(TARGET, STABLE)


def test_a_lagging_proxy_does_not_prove_a_second_write_of_the_same_token(mesh):
    write(mesh, ALL_CANDIDATE, 2)
    mesh.proxies["proxy-1"].mood = Mood.LAGGING
    mesh.edit(TARGET, Traffic(weight=50))
    write(mesh, ALL_CANDIDATE, 2)
    assert mesh.confirm(TARGET, RELEASE, 2).missing == ("proxy-1",)


def test_a_lagging_proxy_delays_a_publication(mesh):
    mesh.proxies["proxy-2"].mood = Mood.LAGGING
    third = Backend("checkout", VersionRef("3", "3"))
    assert not mesh.publish(TARGET, third, THERE)
    mesh.deliver("proxy-2")
    assert mesh.publish(TARGET, third, THERE)


def test_a_refusing_proxy_keeps_what_it_has_and_says_so(mesh):
    mesh.proxies["proxy-0"].mood = Mood.REFUSING
    write(mesh, ALL_CANDIDATE, 2)
    confirmation = mesh.confirm(TARGET, RELEASE, 2)
    assert (confirmation.proven, confirmation.refused) == (False, "proxy-0 refused the route")
    assert served(mesh, "proxy-0") == STABLE.name


def test_silent_proxies_are_missing_and_all_silent_is_unavailable(mesh):
    mesh.proxies["proxy-0"].mood = Mood.SILENT
    assert mesh.confirm(TARGET, RELEASE, 1).missing == ("proxy-0",)
    for proxy in mesh.proxies.values():
        proxy.mood = Mood.SILENT
    for call in (
        lambda: mesh.confirm(TARGET, RELEASE, 1),
        lambda: mesh.publish(TARGET, STABLE, THERE),
        lambda: mesh.withdraw(TARGET, CANDIDATE),
    ):
        with pytest.raises(Unavailable):
            call()


def test_a_proxy_that_vanished_is_not_waited_for(mesh):
    mesh.proxies["proxy-0"].mood = Mood.LAGGING
    write(mesh, ALL_CANDIDATE, 2)
    del mesh.proxies["proxy-0"]
    assert mesh.confirm(TARGET, RELEASE, 2).proven


def test_it_can_refuse_a_target_and_no_other(mesh):
    mesh.refuse(TARGET, "the webhook says no")
    with pytest.raises(Refused, match="the webhook says no"):
        write(mesh, ALL_CANDIDATE, 2)
    other = Route(target_id("billing", "local"), "billing", STABLE, None, ALL_STABLE)
    mesh.write(other, Stamp(1, RELEASE, 1, 1, "h"), mesh.read(other.target).revision)
    mesh.refuse(TARGET, None)
    write(mesh, ALL_CANDIDATE, 2)


def test_down_is_unavailable_everywhere(mesh):
    mesh.down = True
    for call in (
        mesh.observe,
        lambda: mesh.read(TARGET),
        lambda: write(mesh, ALL_STABLE, 2, expect="1"),
        lambda: mesh.confirm(TARGET, RELEASE, 1),
        lambda: mesh.publish(TARGET, STABLE, THERE),
        lambda: mesh.withdraw(TARGET, STABLE),
    ):
        with pytest.raises(Unavailable):
            call()
