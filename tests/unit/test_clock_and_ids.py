"""Clocks and names: what they promise when time and chance misbehave."""

import threading
import time

from hypothesis import given
from hypothesis import strategies as st

from delivery.adapters.clock.database import DatabaseClock
from delivery.adapters.clock.system import SystemClock
from delivery.adapters.ids import UlidIds
from delivery.model.ids import SECOND, Micros
from delivery.ports.errors import Unavailable


class World:
    """A database, a monotonic clock and a wall clock, each with a will of its own."""

    def __init__(self) -> None:
        self.monotonic = 5 * SECOND
        self.wall = 1_000 * SECOND
        self.database = 1_060 * SECOND  # a minute ahead
        self.round_trip = 0
        self.down = False
        self.asked = 0

    def read(self) -> Micros:
        self.asked += 1
        if self.down:
            raise Unavailable("connection refused")
        self.pass_time(self.round_trip // 2)
        answer = self.database
        self.pass_time(self.round_trip - self.round_trip // 2)
        return Micros(answer)

    def pass_time(self, micros: int) -> None:
        self.monotonic += micros
        self.wall += micros
        self.database += micros

    def clock(self) -> DatabaseClock:
        return DatabaseClock(self.read, lambda: Micros(self.monotonic), lambda: Micros(self.wall))


def test_the_database_decides_what_time_it_is_and_is_asked_every_ten_seconds():
    world = World()
    clock = world.clock()
    for _ in range(5):
        assert clock.now() == world.database
    assert world.asked == 1
    world.pass_time(10 * SECOND)
    world.database += 3 * SECOND
    assert clock.now() == world.database
    assert world.asked == 2


def test_a_step_of_the_local_wall_clock_changes_nothing():
    world = World()
    clock = world.clock()
    clock.now()
    world.wall += 3_600 * SECOND
    assert clock.now() == world.database


def test_half_the_round_trip_is_allowed_for():
    world = World()
    world.round_trip = 100_000
    assert world.clock().now() == world.database


def test_a_slow_answer_does_not_replace_a_known_offset():
    world = World()
    clock = world.clock()
    clock.now()
    world.pass_time(11 * SECOND)
    world.round_trip = 30 * SECOND
    before = world.database
    assert clock.now() == before + 30 * SECOND
    assert world.asked == 2


def test_while_the_database_is_down_the_last_offset_stands_and_it_is_not_asked_at_every_call():
    world = World()
    clock = world.clock()
    clock.now()
    world.down = True
    world.pass_time(11 * SECOND)
    assert [clock.now() for _ in range(3)] == [world.database] * 3
    assert world.asked == 2


def test_before_the_first_answer_the_wall_clock_of_this_machine_serves():
    world = World()
    world.down = True
    assert world.clock().now() == world.wall


def test_the_system_clock_has_microseconds_since_the_epoch():
    clock = SystemClock()
    before = time.time()
    clock.pause(0.001)
    after = clock.now() / SECOND
    assert before + 0.001 <= after <= time.time()


@given(st.lists(st.tuples(st.integers(0, 2**48 - 1), st.integers(0, 2**80 - 2)), min_size=2, max_size=20))
def test_ids_of_a_process_rise_whatever_the_clock_and_chance_do(draws):
    times = iter([moment for moment, _ in draws])
    chances = iter([chance for _, chance in draws])
    ids = UlidIds(lambda: next(times), lambda bits: next(chances))
    made = [ids.release() for _ in draws]
    assert made == sorted(set(made))
    assert all(len(name) == 30 and name.startswith("rel_") for name in made)


def test_a_ulid_is_encoded_as_its_specification_says():
    assert UlidIds(lambda: 1_469_918_176_385, lambda bits: 0).release() == "rel_01ARYZ6S410000000000000000"


def test_threads_get_different_ids_and_processes_different_names():
    ids = UlidIds()
    made: list[str] = []
    threads = [threading.Thread(target=lambda: made.extend(ids.release() for _ in range(200))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(made)) == 800
    assert ids.owner() == ids.owner()
    assert ids.owner() != UlidIds().owner()
