"""The tests of the workers with Redis as the broker, where the others have Valkey: real processes, killed, frozen."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.test_workers import (  # noqa: F401 - run here too, on this module's `broker`
    hints,
    test_a_frozen_broker_holds_up_nobody,
    test_a_killed_and_restarted_broker_costs_hints_and_nothing_else,
    test_a_killed_worker_is_followed_by_one_that_goes_on,
    test_a_pickled_message_is_refused_and_the_worker_goes_on,
    test_a_worker_scans_before_there_is_a_broker_and_takes_hints_once_there_is,
    worker,
)
from tests.integration.test_workers_configured import (  # noqa: F401
    place,
    test_a_worker_by_celerys_own_command,
    test_a_worker_by_its_module_lives_shows_its_metrics_and_ends_warm,
)
from tests.integration.worker_parts import Broker
from tests.redis_server import PROGRAM, LocalRedis
from tests.system.conftest import program


@pytest.fixture
def broker(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Broker]:
    """The tests of `test_workers` start it themselves."""
    program(PROGRAM, PROGRAM)
    broker = Broker(tmp_path, LocalRedis)
    if not request.function.__module__.endswith("test_workers"):
        broker.start()
    yield broker
    broker.kill()


def test_it_is_redis(broker: Broker) -> None:
    assert Path(broker.valkey.command()[0]).resolve().name.startswith("redis")
