"""Releases of a configuration: the same image under another name of its configuration is another version."""

from typing import Any

import pytest
from fastapi.testclient import TestClient

from delivery.model.event import Phase
from delivery.model.version import VersionRef
from tests.api.world import bearer
from tests.unit.engine.test_home import CHECKOUT, Shop

IMAGE = f"registry.example/checkout@sha256:{'a' * 64}"
TRACKED = {"config": {"track": ["configmap/checkout"]}}
OBSERVED = {"workload": {"deployment": "checkout", "mode": "observe"}}


@pytest.fixture
def shop() -> Shop:
    shop = Shop()
    shop.workloads.own(CHECKOUT, VersionRef.of("1.4.1", IMAGE))
    shop.apply(**TRACKED)
    return shop


def ask(shop: Shop, version: str, config: str) -> dict[str, Any]:
    found: dict[str, Any] = shop.send("", service="checkout", version=version, image=IMAGE, config=config)
    return found


def test_another_configuration_of_the_same_image_is_released_once(shop: Shop) -> None:
    release = ask(shop, "1.4.1-flags.2", "4be1d0c")["releases"][0]["id"]
    assert ask(shop, "1.4.1-flags.2", "4be1d0c")["outcome"] == "no_op", "it runs already"
    shop.go(5)
    shop.send(f"/{release}/promote", reason="hurry")
    shop.go(5)
    assert shop.release.phase is Phase.PROMOTED
    assert shop.row.target.stable.configuration == "4be1d0c"
    assert ask(shop, "1.4.1-flags.2", "4be1d0c")["reason"] == "same_as_stable"
    assert ask(shop, "1.4.1-flags.3", "99aa001")["outcome"] == "release"


@pytest.mark.parametrize("changes", [{}, {**TRACKED, "promotion": {"via": "none"}}, {**TRACKED, **OBSERVED}])
def test_a_configuration_that_nothing_tracks_is_refused_with_what_to_do(changes: dict[str, object]) -> None:
    shop = Shop()
    shop.apply(**changes)
    with TestClient(shop.app) as http:
        body = {"service": "checkout", "version": "1.4.2", "image": IMAGE, "config": "4be1d0c"}
        answer = http.post("/v1/releases", json=body, headers=bearer("olga"))
    assert answer.status_code == 422
    assert "config.track" in answer.json()["detail"]
