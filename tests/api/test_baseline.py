"""Stable as it was before, end to end: measured, held, taken back, shown."""

from tests.api.test_actions import act
from tests.api.world import SERVICE, bearer

OLGA, ADAM, VERA = bearer("olga"), bearer("adam"), bearer("vera")
SWITCHES = {
    **SERVICE,
    "strategies": [{"blue_green": {"bake": "4m", "gates": ["before"]}}],
    "gates": {"before": {"ratio": "http_errors", "baseline": "previous", "blocking": True}},
}


def release(http, version):
    answer = http.post("/v1/releases", json={"service": "checkout", "version": version}, headers=OLGA)
    return answer.json()["release"]["id"]


def test_a_version_that_is_worse_than_what_had_everybody_before_goes_back(http, world):
    assert http.put("/v1/services/checkout", json=SWITCHES, headers=OLGA).status_code in (200, 201)
    release(http, "1.4.0")
    world.go(5)
    world.load("checkout@local")
    world.fails("1.4.0", 0.005)
    world.fails("1.4.1", 0.005)
    world.fails("1.4.2", 0.05)
    first = release(http, "1.4.1")
    for _ in range(90):
        world.go(10)
        shown = http.get(f"/v1/releases/{first}", headers=VERA).json()
        if [hold for hold in shown["holds"] if hold["kind"] == "no_data"] or shown["state"] == "promoted":
            break
    told = http.get(f"/v1/releases/{first}", headers=VERA).json()
    if told["state"] != "promoted":
        act(http, first, "promote", ADAM, {"reason": "the first one"})
        world.go(5)
    second = release(http, "1.4.2")
    for _ in range(60):
        world.go(10)
        if http.get(f"/v1/releases/{second}", headers=VERA).json()["state"] == "rolled_back":
            break
    told = http.get(f"/v1/releases/{second}", headers=VERA).json()
    assert told["state"] == "rolled_back"
    (judged,) = [gate for stage in told["stages"] for gate in stage["analysis"]]
    assert judged["verdict"] == "fail"
    assert "times what stable had before" in judged["text"]
    assert "confounded by time" in judged["text"]
    ticks = http.get(f"/v1/releases/{second}/analysis", headers=VERA).json()["ticks"]
    earlier = [tick for tick in ticks if tick.get("earlier")]
    assert earlier
    assert all(tick["earlier_end"] <= tick["start"] for tick in earlier)
