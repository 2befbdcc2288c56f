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

    assert paused(checkout, "pause").json()["text"] == "nothing of ours is written here"
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
