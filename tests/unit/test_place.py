import re
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from delivery.model.place import Destination, Isolation, Place, destination, object_name
from delivery.model.version import Backend, Lane, VersionRef

HOME = Backend("checkout", VersionRef.of("1.4.1", "registry/checkout@sha256:aaa"), home=True)
COPY = Backend("checkout", VersionRef.of("1.4.2", "registry/checkout@sha256:bbb"))
PLACE = Place("shop", "checkout", "checkout")


def test_stable_at_home_is_behind_the_service_that_users_call() -> None:
    assert destination(PLACE, HOME) == Destination("checkout.shop.svc.cluster.local")


def test_a_copy_has_a_service_of_its_own() -> None:
    found = destination(PLACE, COPY)
    assert found.subset is None
    assert re.fullmatch(r"checkout-1-4-2-[0-9a-f]{8}\.shop\.svc\.cluster\.local", found.host)


def test_subsets_share_the_service() -> None:
    place = Place("shop", "checkout", "web", isolation=Isolation.SUBSET)
    assert destination(place, COPY) == Destination("web.shop.svc.cluster.local", object_name(COPY))
    assert destination(place, HOME).subset == object_name(HOME)


def test_a_copy_and_what_is_at_home_are_two_places_also_of_one_version() -> None:
    place = Place("shop", "checkout", "web", isolation=Isolation.SUBSET)
    for by in Lane:
        assert destination(place, COPY, by) != destination(place, replace(COPY, home=True), by)
        assert destination(PLACE, COPY, by) != destination(PLACE, replace(COPY, home=True), by)


def test_stable_answers_in_another_lane_under_another_name() -> None:
    assert destination(PLACE, HOME, Lane.SHADOWED) != destination(PLACE, HOME)


@given(
    st.sampled_from(("a-service-with-a-rather-long-name-0123456789-0123456789-0123456", "2fa", "7", "0-" + 61 * "x")),
    st.text(min_size=1, max_size=128),
    st.text(min_size=1, max_size=300),
    st.sampled_from(Lane),
)
def test_names_are_those_of_a_kubernetes_service_and_tell_builds_apart(
    service: str, version: str, digest: str, lane: Lane
) -> None:
    """A Service's name is a label of RFC 1035: it begins with a letter."""
    names = [object_name(Backend(service, VersionRef(version, f"{digest}{n}", "x")), lane) for n in range(2)]
    assert len(set(names)) == 2
    for name in names:
        assert re.fullmatch(r"[a-z]([a-z0-9-]{0,61}[a-z0-9])?", name)
