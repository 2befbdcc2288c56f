"""Break-glass: while a service is paused nothing of ours is written, whatever is decided; then it goes on."""

from delivery.model.traffic import Traffic
from tests.api.world import bearer

OLGA = bearer("olga")


def start(checkout, version):
    answer = checkout.post("/v1/releases", json={"service": "checkout", "version": version}, headers=OLGA)
    return answer.json()["release"]["id"]


def paused(checkout, what, reason="incident 7"):
    return checkout.post(f"/v1/services/checkout/{what}", json={"reason": reason}, headers=OLGA)


def test_nothing_is_written_while_a_person_has_the_wheel(world, checkout):
    start(checkout, "1.0")
    world.go(10)
    release = start(checkout, "1.1")
    world.go(2)
    target, mesh = "checkout@local", world.mesh
    assert mesh.traffic(target).weight == 5

    assert (
        paused(checkout, "pause").json()["text"]
        == "nothing of ours is written here until a resume of the service: a way back is not, either"
    )
    mesh.edit(target, Traffic(weight=40))
    answer = checkout.post(f"/v1/releases/{release}/abort", json={"reason": "bad"}, headers=OLGA)
    assert (answer.status_code, answer.json()["effect"]) == (202, "waiting")
    assert answer.json()["text"].endswith("but nothing is written now: olga: incident 7")
    world.go(30)
    assert mesh.traffic(target).weight == 40
    said = checkout.get(f"/v1/releases/{release}/explain", headers=OLGA).json()
    assert said["why"][0] == "nothing is written to its routes, reverts neither: olga: incident 7"
    shown = checkout.get("/v1/services/checkout", headers=OLGA).json()
    assert shown["targets"][0]["paused"] == "olga: incident 7"

    assert paused(checkout, "resume", "").status_code == 200
    world.go(30)
    assert mesh.traffic(target).weight == 0
    assert checkout.get(f"/v1/releases/{release}", headers=OLGA).json()["state"] == "rolled_back"


def test_a_pause_holds_raises_and_is_told_as_the_reason(world, checkout):
    start(checkout, "1.0")
    world.go(10)
    paused(checkout, "pause")
    release = start(checkout, "1.1")
    world.go(10)
    shown = checkout.get(f"/v1/releases/{release}", headers=OLGA).json()
    assert (shown["state"], [hold["kind"] for hold in shown["holds"]]) == ("preparing", ["stop"])
    paused(checkout, "resume")
    world.go(10)
    assert world.mesh.traffic("checkout@local").weight == 5


def test_twice_the_same_changes_nothing_and_a_reason_is_needed(checkout):
    assert paused(checkout, "resume").json()["outcome"] == "no_op"
    assert paused(checkout, "pause", "").json()["type"] == "urn:delivery:problem:needs-reason"
    assert paused(checkout, "pause").json()["outcome"] == "signal"
    assert paused(checkout, "pause").json()["outcome"] == "no_op"
    unknown = checkout.post("/v1/services/nothing/pause", json={"reason": "x"}, headers=OLGA)
    assert (unknown.status_code, unknown.json()["type"]) == (404, "urn:delivery:problem:unknown-service")


THERE = "VirtualService shop/checkout has the annotation progressive-delivery/pause (Ann); remove it to go on"


def told(world, release, kind):
    return [one.type for one in world.ledger.events(release, after=0, limit=1000)].count(kind)


class TestInTheMeshItself:
    """Somebody stops our writes at the route: it shows as the other pause does, and ends when they say so there."""

    def test_it_shows_and_is_no_failure_of_the_mesh(self, world, checkout):
        start(checkout, "1.0")
        world.go(10)
        release = start(checkout, "1.1")
        world.go(2)
        world.mesh.pause("checkout@local", THERE)
        world.go(30)
        shown = checkout.get(f"/v1/releases/{release}", headers=OLGA).json()
        assert [(hold["kind"], hold["detail"], hold.get("by")) for hold in shown["holds"]] == [("stop", THERE, None)]
        said = checkout.get(f"/v1/releases/{release}/explain", headers=OLGA).json()
        assert said["why"][0] == f"nothing is written to its routes, reverts neither: {THERE}"
        service = checkout.get("/v1/services/checkout", headers=OLGA).json()
        assert service["targets"][0]["paused"] == THERE
        assert paused(checkout, "resume").json()["text"] == f"it is so already: {THERE}"
        world.mesh.pause("checkout@local", None)
        world.go(10)
        service = checkout.get("/v1/services/checkout", headers=OLGA).json()
        assert service["targets"][0]["paused"] is None
        holds = checkout.get(f"/v1/releases/{release}", headers=OLGA).json()["holds"]
        assert "stop" not in [hold["kind"] for hold in holds]
        about = [one.type for one in world.ledger.events(release, after=0, limit=1000) if "Ann" in str(one.event)]
        assert (about, told(world, release, "MeshFailing")) == (["HoldPlaced"], 0), "it is told once"
        assert world.ledger.alerts(10) == ()

    def test_a_revert_waits_and_that_is_said(self, world, checkout):
        start(checkout, "1.0")
        world.go(10)
        release = start(checkout, "1.1")
        world.go(2)
        world.mesh.pause("checkout@local", THERE)
        world.mesh.edit("checkout@local", Traffic(weight=40))
        world.go(2)
        answer = checkout.post(f"/v1/releases/{release}/abort", json={"reason": "bad"}, headers=OLGA)
        assert (answer.status_code, answer.json()["effect"]) == (202, "waiting")
        assert answer.json()["text"].endswith(f"but nothing is written now: {THERE}")
        world.go(60)
        assert world.mesh.traffic("checkout@local").weight == 40
        said = checkout.get(f"/v1/releases/{release}/explain", headers=OLGA).json()
        assert said["why"][0] == f"nothing is written to its routes, reverts neither: {THERE}"
        world.mesh.pause("checkout@local", None)
        world.go(10)
        assert world.mesh.traffic("checkout@local").weight == 0
        assert checkout.get(f"/v1/releases/{release}", headers=OLGA).json()["state"] == "rolled_back"
        assert told(world, release, "MeshFailing") == 0

    def test_a_route_that_was_never_ours(self, world, checkout):
        """Nothing of it is seen from afar: it is read once a second, and its end is found so."""
        world.mesh.pause("checkout@local", THERE)
        release = start(checkout, "1.0")
        world.go(60)
        assert world.mesh.traffic("checkout@local") is None
        assert checkout.get("/v1/services/checkout", headers=OLGA).json()["targets"][0]["paused"] == THERE
        world.mesh.pause("checkout@local", None)
        world.go(5)
        assert checkout.get(f"/v1/releases/{release}", headers=OLGA).json()["state"] == "promoted"
        assert checkout.get("/v1/services/checkout", headers=OLGA).json()["targets"][0]["paused"] is None
        assert told(world, release, "MeshFailing") == 0

    def test_while_no_release_runs(self, world, checkout):
        start(checkout, "1.0")
        world.go(10)
        world.mesh.pause("checkout@local", THERE)
        world.go(5)
        assert checkout.get("/v1/services/checkout", headers=OLGA).json()["targets"][0]["paused"] == THERE
        paused(checkout, "pause")
        shown = checkout.get("/v1/services/checkout", headers=OLGA).json()["targets"][0]["paused"]
        assert shown == f"olga: incident 7; {THERE}"
        assert paused(checkout, "resume").json()["text"] == f"nothing is written all the same: {THERE}"
        world.mesh.down = True
        world.go(5)
        assert checkout.get("/v1/services/checkout", headers=OLGA).json()["targets"][0]["paused"] == THERE
        world.mesh.pause("checkout@local", None)
        world.mesh.down = False
        world.go(5)
        assert checkout.get("/v1/services/checkout", headers=OLGA).json()["targets"][0]["paused"] is None

    def test_a_watch_that_is_behind_makes_no_storm_of_it(self, world, checkout, monkeypatch):
        """What is read says that it is paused, what is seen from afar does not: the release is held once."""
        start(checkout, "1.0")
        world.go(10)
        with monkeypatch.context() as patch:
            before = world.mesh.observe()
            patch.setattr(world.mesh, "observe", lambda: before)
            world.mesh.pause("checkout@local", THERE)
            release = start(checkout, "1.1")
            world.go(30)
            assert checkout.get("/v1/services/checkout", headers=OLGA).json()["targets"][0]["paused"] == THERE
            about = [one.type for one in world.ledger.events(release, after=0, limit=1000) if "Ann" in str(one.event)]
            assert about == ["HoldPlaced"]
        world.mesh.pause("checkout@local", None)
        world.go(10)
        assert checkout.get("/v1/services/checkout", headers=OLGA).json()["targets"][0]["paused"] is None
        assert world.mesh.traffic("checkout@local").weight == 5
