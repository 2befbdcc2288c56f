"""What only an Envoy over files can get wrong: hand edits, stuck proxies, restarts, counters, foreign sections."""

import json
import os
import shutil
import signal
import socket

import pytest

from delivery.adapters.mesh.answer import Request
from delivery.adapters.mesh.envoy import clusters, marker
from delivery.adapters.mesh.envoy.adapter import EnvoyMesh
from delivery.adapters.mesh.envoy.clusters import MIRROR_LIMIT
from delivery.adapters.mesh.envoy.files import CLUSTERS, ROUTES, sections_of
from delivery.adapters.mesh.envoy.validate import Validator
from delivery.model.traffic import (
    ALL_CANDIDATE,
    ALL_STABLE,
    HeaderMatch,
    Match,
    MatchKind,
    Mirror,
    Rule,
    Sticky,
    Traffic,
)
from delivery.model.version import Endpoint
from delivery.ports.errors import Conflict, Refused, Unavailable
from delivery.testing.contracts.mesh_values import RELEASE, make_case, publish
from tests.contracts.envoy_world import EnvoyWorld


@pytest.fixture
def world(tmp_path):
    world = EnvoyWorld(tmp_path)
    yield world
    world.close()


@pytest.fixture
def two(tmp_path):
    world = EnvoyWorld(tmp_path, envoys=2)
    yield world
    world.close()


def stored(world):
    return {section["name"]: section for section in sections_of(json.loads(world.files.path(ROUTES).read_text()))}


def requests_counted(world, cluster):
    name = f"cluster.{cluster}.upstream_rq_completed"
    stats = world.envoys[0].admin.get(f"/stats?format=json&usedonly&filter=^{name}$")["stats"]
    return sum(stat.get("value", 0) for stat in stats)


def test_a_refusal_has_envoys_own_words(world):
    case = make_case(world)
    broken = Match(headers=(HeaderMatch("x-beta", MatchKind.REGEX, "(unclosed"),))
    with pytest.raises(Refused) as refused:
        case.write(Traffic(rules=(Rule("beta", (broken,)),)))
    assert str(refused.value) == "missing ): (unclosed"


def test_a_file_that_somebody_broke_is_seen_and_a_revert_still_lands(world):
    ours, theirs = make_case(world), make_case(world, "billing")
    ours.shift(ALL_CANDIDATE)
    theirs.shift(Traffic(weight=10))
    before = stored(world)["billing"]
    world.put(world.files.path(ROUTES).read_text()[:-40])
    assert world.mesh.observe()[ours.target] != world.mesh.read(theirs.target).seen
    assert "broken file" in world.mesh.observe()[ours.target].content
    assert ours.versions() == {"1.4.2"}
    ours.shift(ALL_STABLE)
    assert ours.versions() == {"1.4.1"}
    assert stored(world)["billing"] == before


def test_a_section_that_somebody_broke_does_not_stop_another_services_revert(world):
    ours, theirs = make_case(world), make_case(world, "billing")
    ours.shift(ALL_CANDIDATE)
    theirs.shift(ALL_STABLE)
    before = stored(world)["billing"]
    document = json.loads(world.files.path(ROUTES).read_text())
    for section in document["resources"][0]["virtual_hosts"]:
        if section["name"] == "billing":
            section["routes"][0]["route"]["cluster"] = "nowhere"
    world.put(json.dumps(document))
    ours.shift(ALL_STABLE)
    assert ours.versions() == {"1.4.1"}
    assert theirs.versions() == {"1.4.1"}
    assert stored(world)["billing"] == before


def test_a_section_that_somebody_broke_takes_no_other_off_the_air_where_nothing_is_known_to_be_good(world):
    ours, theirs, others = make_case(world), make_case(world, "billing"), make_case(world, "search")
    for case in (ours, theirs, others):
        case.shift(ALL_CANDIDATE)
    document = json.loads(world.files.path(ROUTES).read_text())
    for section in document["resources"][0]["virtual_hosts"]:
        if section["name"] == "billing":
            section["routes"][0]["route"]["cluster"] = "nowhere"
    world.put(json.dumps(document))
    (world.files.directory / "good" / "rds.json").unlink()
    ours.shift(ALL_STABLE)
    assert ours.versions() == {"1.4.1"}
    assert others.versions() == {"1.4.2"}


class Away(Validator):
    """No program can be started any more: there is no memory left for one."""

    def check(self, *_):
        raise Unavailable("Envoy cannot be started to validate a route: Cannot allocate memory")


def test_a_revert_waits_for_no_validation(world):
    case = make_case(world)
    case.shift(ALL_STABLE)
    case.shift(Traffic(weight=50, sticky=Sticky("rel")))
    world.mesh = EnvoyMesh(world.cluster, world.files, [each.admin for each in world.envoys], Away("envoy"))
    with pytest.raises(Unavailable):
        case.write(Traffic(weight=60, sticky=Sticky("rel")))
    case.shift(Traffic(sticky=Sticky("rel")))
    assert case.versions(50) == {"1.4.1"}
    case.stable = world.run("checkout", "1.4.3")
    with pytest.raises(Unavailable):
        case.write(ALL_STABLE)
    assert case.versions() == {"1.4.1"}, "what nobody knows is not what users are sent to"


def test_a_revert_waits_for_no_validation_of_what_others_have_edited(world):
    case, other = make_case(world), make_case(world, "billing")
    case.shift(ALL_CANDIDATE)
    other.shift(ALL_CANDIDATE)
    document = json.loads(world.files.path(ROUTES).read_text())
    theirs = {"name": "legacy", "domains": ["legacy"], "routes": []}
    document["resources"][0]["virtual_hosts"].insert(0, theirs)
    world.put(json.dumps(document))
    world.mesh = EnvoyMesh(world.cluster, world.files, [each.admin for each in world.envoys], Away("envoy"))
    case.shift(ALL_STABLE)
    assert case.versions() == {"1.4.1"}
    assert stored(world)["legacy"] == theirs


def test_other_peoples_sections_stay_as_they_are(world):
    case = make_case(world)
    case.shift(ALL_STABLE)
    document = json.loads(world.files.path(ROUTES).read_text())
    theirs = {
        "routes": [{"direct_response": {"status": 418}, "match": {"prefix": "/"}}],
        "name": "legacy",
        "domains": ["legacy", "*.legacy.example"],
        "metadata": {"filter_metadata": {"somebody": {"z": "1", "a": [1.5, True, None, "ü"]}}},
    }
    document["resources"][0]["virtual_hosts"].insert(0, theirs)
    world.put(json.dumps(document))
    for traffic in (ALL_CANDIDATE, Traffic(weight=10), ALL_STABLE):
        case.shift(traffic)
        found = sections_of(json.loads(world.files.path(ROUTES).read_text()))
        assert json.dumps(found[0]) == json.dumps(theirs)
    assert world.send([Request("legacy")])[0].status == 418


def test_every_section_says_in_the_proxy_who_wrote_it(world):
    case = make_case(world)
    case.epoch = 4
    case.shift(Traffic(weight=10))
    found = [marker.read(section) for section in world.envoys[0].admin.sections()]
    assert [each.stamp for each in found if each] == [case.stamp()]


def test_every_proxy_must_have_taken_it(two):
    case = make_case(two)
    case.shift(ALL_STABLE)
    assert two.mesh.confirm(case.target, RELEASE, case.seq).proxies == 2
    os.kill(two.envoys[1].pid, signal.SIGSTOP)
    try:
        case.write(Traffic(weight=10))
        two.until(lambda: len(two.mesh.confirm(case.target, RELEASE, case.seq).missing) == 1)
        confirmation = two.mesh.confirm(case.target, RELEASE, case.seq)
        assert not confirmation.proven
        assert confirmation.missing == (two.envoys[1].admin.address,)
    finally:
        os.kill(two.envoys[1].pid, signal.SIGCONT)
    two.until(case.proven)


def test_a_proxy_that_answers_and_is_stuck_proves_nothing(world):
    """It still runs the same token, written earlier."""
    case = make_case(world)
    case.shift(Traffic(weight=10))
    _blind(world)
    assert case.proven()
    case.epoch += 1
    world.mesh.write(case.route(Traffic(weight=10)), case.stamp(), world.mesh.read(case.target).revision)
    with pytest.raises(AssertionError):
        _soon(case.proven)
    case.write(ALL_STABLE)
    with pytest.raises(AssertionError):
        _soon(case.proven)


def test_a_backend_that_only_the_file_names_yet_is_kept(world):
    case = make_case(world)
    case.shift(ALL_STABLE)
    _blind(world)
    case.write(ALL_CANDIDATE)
    with pytest.raises(Conflict, match="the route file still names checkout_1-4-2 for checkout"):
        world.mesh.withdraw(case.target, case.candidate)


def test_a_version_that_moved_is_not_published_before_the_proxy_knows_where(world):
    case = make_case(world)
    _blind(world, CLUSTERS)
    assert world.mesh.publish(case.target, case.stable, world.endpoints(case.stable))
    world.end(case.stable)
    moved = world.run(case.service, "1.4.1")
    with pytest.raises(AssertionError):
        _soon(lambda: world.mesh.publish(case.target, moved, world.endpoints(moved)))


def _blind(world, kind=ROUTES):
    """Its directory is replaced, so Envoy never reads that file again."""
    watched = world.files.path(kind).parent
    watched.rename(watched.with_name("gone"))
    shutil.copytree(watched.with_name("gone"), watched)


def _soon(condition):
    """A tenth of what a healthy Envoy was ever seen to need, many times over."""
    assert any(condition() for _ in range(200))


def test_a_dead_proxy_is_unavailable_and_one_that_comes_back_serves_what_was_written_meanwhile(world):
    case = make_case(world)
    case.shift(ALL_STABLE)
    world.envoys[0].kill()
    case.write(ALL_CANDIDATE)
    with pytest.raises(Unavailable):
        case.proven()
    with pytest.raises(Unavailable):
        world.mesh.publish(case.target, case.candidate, world.endpoints(case.candidate))
    world.envoys[0].start()
    assert case.proven()
    assert case.versions() == {"1.4.2"}


def test_each_lane_is_counted_apart(world):
    case = make_case(world)
    case.shift(Traffic(mirror=Mirror(100, methods=("GET",))))
    case.send(30)
    case.send(20, Request(case.service, method="POST"))
    counted = {
        "checkout_1-4-1": 20,
        "checkout_1-4-1_mirrored": 30,
        "checkout_1-4-2_mirror": 30,
        "checkout_1-4-2": 0,
    }
    world.until(lambda: {name: requests_counted(world, name) for name in counted} == counted)


def test_a_shadow_that_hangs_is_not_felt_and_holds_a_bounded_number_of_connections(world):
    case = make_case(world)
    with socket.create_server(("127.0.0.1", 0), backlog=1000) as hanging:
        endpoint = Endpoint("127.0.0.1", hanging.getsockname()[1])
        world.until(lambda: world.mesh.publish(case.target, case.candidate, (endpoint,)))
        case.shift(Traffic(mirror=Mirror(100)))
        assert case.versions(4 * MIRROR_LIMIT) == {"1.4.1"}
        stats = world.envoys[0].admin.get(
            "/stats?format=json&filter=^cluster.checkout_1-4-2_mirror.upstream_cx_active$"
        )
        workers = 2  # each may open one more at the same moment
        assert 0 < stats["stats"][0]["value"] <= MIRROR_LIMIT + workers


@pytest.mark.parametrize("host", ["checkout", "checkout:8080", "checkout.local", "checkout.local:8080", "CHECKOUT"])
def test_a_service_is_known_by_its_host(world, host):
    case = make_case(world)
    case.shift(ALL_STABLE)
    assert world.send([Request(host)])[0].version == "1.4.1"


def test_files_can_be_read_by_an_envoy_of_another_user(world):
    case = make_case(world)
    case.shift(ALL_STABLE)
    for kind in (ROUTES, CLUSTERS):
        assert world.files.path(kind).stat().st_mode & 0o777 == 0o644


def test_a_backend_that_envoy_refuses_is_named_and_harms_nobody(world):
    case = make_case(world)
    case.shift(ALL_STABLE)
    before = world.files.path(CLUSTERS).read_bytes()
    with pytest.raises(Refused, match="malformed IP address: not-an-address"):
        world.mesh.publish(case.target, case.candidate, (Endpoint("not-an-address", 1),))
    assert world.files.path(CLUSTERS).read_bytes() == before


def test_a_cluster_file_that_somebody_broke_is_put_right(world):
    case = make_case(world)
    before = json.loads(world.files.path(CLUSTERS).read_text())["resources"]
    world.put(world.files.path(CLUSTERS).read_text()[:-20], CLUSTERS)
    publish(world, case.target, case.stable)
    assert json.loads(world.files.path(CLUSTERS).read_text())["resources"] == before


def test_a_cluster_that_somebody_broke_does_not_stop_another_version(world):
    case = make_case(world)
    document = json.loads(world.files.path(CLUSTERS).read_text())
    before = document["resources"][:]
    broken = next(each for each in before if each["name"] == case.candidate.name)
    document["resources"][before.index(broken)] = {**broken, "type": "NO_SUCH_TYPE"}
    world.put(json.dumps(document), CLUSTERS)
    other = world.run("checkout", "1.4.3")
    publish(world, case.target, other)
    assert json.loads(world.files.path(CLUSTERS).read_text())["resources"][: len(before)] == before
    case.stable = other
    case.shift(Traffic(weight=50))
    assert case.versions(50) == {"1.4.2", "1.4.3"}


def test_a_foreign_cluster_survives_ours(world):
    case = make_case(world)
    document = json.loads(world.files.path(CLUSTERS).read_text())
    document["resources"].append({**document["resources"][0], "name": "legacy", "connect_timeout": "2s"})
    world.put(json.dumps(document), CLUSTERS)
    publish(world, case.target, world.run("checkout", "1.4.3"))
    case.shift(ALL_STABLE)
    world.mesh.withdraw(case.target, case.candidate)
    names = [cluster["name"] for cluster in json.loads(world.files.path(CLUSTERS).read_text())["resources"]]
    assert "legacy" in names
    assert not [name for name in names if name.startswith(case.candidate.name)]


def test_a_version_with_the_longest_names_is_known(world):
    """Envoy takes no regex as long as its name; nor is another version taken for it that begins like it."""
    long = world.run("n" * 63, "9" * 127 + "1")
    publish(world, make_case(world).target, long)
    admin, names = world.envoys[0].admin, clusters.names(long)
    assert sorted(admin.clusters(names)) == sorted(names)
    assert admin.clusters([f"{'n' * 63}_{'9' * 127}2"]) == {}
