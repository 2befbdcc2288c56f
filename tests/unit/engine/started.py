"""A world whose checkout serves 1.4.1 and bakes 1.4.2 in its first stage."""

from fastapi.testclient import TestClient

from delivery.model.ids import ReleaseId, TargetId
from tests.api.world import SERVICE, World, bearer


def baking(world: World) -> None:
    with TestClient(world.app) as http:
        http.put("/v1/services/checkout", json=SERVICE, headers=bearer("olga"))
        for version in ("1.4.1", "1.4.2"):
            http.post("/v1/releases", json={"service": "checkout", "version": version}, headers=bearer("olga"))
            world.go(5)
    traffic = world.mesh.traffic(TargetId("checkout@local"))
    assert traffic is not None
    assert traffic.weight == 5


def aborted(world: World) -> ReleaseId:
    """The release that runs, which somebody has just taken back."""
    release = world.ledger.rows()[0].target.active
    with TestClient(world.app) as http:
        http.post(f"/v1/releases/{release}/abort", json={"reason": "it is bad"}, headers=bearer("olga"))
    return ReleaseId(release)
