from dataclasses import dataclass, field

import pytest

from delivery.adapters.metrics.memory import Behaviour, MemoryMetrics
from delivery.model.ids import SECOND, Micros, target_id
from delivery.model.series import Sample, Unread, Why
from delivery.model.version import Backend, Lane, VersionRef
from delivery.ports.metrics import Subject
from delivery.testing.contracts.metrics import MetricsContract

TARGET = target_id("checkout", "local")


@dataclass
class Watch:
    at: int = 1_000_000_000

    def now(self) -> Micros:
        return Micros(self.at)

    def monotonic(self) -> float:
        return self.at / SECOND

    def pause(self, seconds: float) -> None:
        self.at += round(seconds * SECOND)


@dataclass
class MemoryWorld:
    clock: Watch = field(default_factory=Watch)

    def __post_init__(self) -> None:
        self.metrics = MemoryMetrics(self.clock)

    def subject(self, version: str, lane: Lane = Lane.PLAIN) -> Subject:
        return Subject(TARGET, Backend("checkout", VersionRef(version, version)), lane)

    def send(self, subject: Subject, requests: int, errors: int = 0, seconds: float = 0.0) -> None:
        self.metrics.count(subject, requests, errors, ms=1000 * seconds)

    def restart(self) -> None:
        self.metrics.restart()

    def cut(self) -> None:
        self.metrics.down = True


class TestMemoryMetrics(MetricsContract):
    @pytest.fixture
    def world(self) -> MemoryWorld:
        return MemoryWorld()


@pytest.fixture
def world() -> MemoryWorld:
    return MemoryWorld()


def read(world: MemoryWorld, subject: Subject) -> tuple[int, int]:
    sample = world.metrics.sample([subject])[subject]
    assert isinstance(sample, Sample)
    return sum(s.requests for s in sample.series.values()), sum(s.errors for s in sample.series.values())


def test_driven_requests_follow_rate_shares_and_time(world):
    stable, candidate = world.subject("1.4.1"), world.subject("1.4.2")
    shares = {stable: 0.95, candidate: 0.05}
    world.metrics.drive(TARGET, 100, lambda: shares)
    world.metrics.behave(candidate.backend.name, Behaviour(error_rate=0.1, slow_rate=0.5, slow_ms=300))
    world.clock.at += 60 * SECOND
    assert read(world, stable) == (5700, 0)
    assert read(world, candidate) == (300, 30)
    sample = world.metrics.sample([candidate])[candidate]
    assert dict(sample.series["proxy"].slow)[250] == 150
    assert dict(sample.series["proxy"].slow)[500] == 0


def test_driven_requests_lose_no_part_of_one_over_many_looks(world):
    candidate = world.subject("1.4.2")
    world.metrics.drive(TARGET, 1, lambda: {candidate: 0.1})
    world.metrics.behave(candidate.backend.name, Behaviour(error_rate=0.5))
    for _ in range(1000):
        world.clock.at += SECOND
        read(world, candidate)
    assert read(world, candidate) == (100, 50)


def test_shares_that_change_count_from_the_moment_they_change(world):
    stable, candidate = world.subject("1.4.1"), world.subject("1.4.2")
    shares = {stable: 1.0}
    world.metrics.drive(TARGET, 10, lambda: shares)
    world.clock.at += 10 * SECOND
    world.metrics.advance()
    shares = {stable: 0.5, candidate: 0.5}
    world.clock.at += 10 * SECOND
    assert (read(world, stable), read(world, candidate)) == ((150, 0), (50, 0))


def test_a_clock_that_goes_back_counts_nothing(world):
    stable = world.subject("1.4.1")
    world.metrics.drive(TARGET, 10, lambda: {stable: 1.0})
    world.clock.at -= 3600 * SECOND
    assert read(world, stable) == (0, 0)
    world.clock.at += SECOND
    assert read(world, stable) == (10, 0)


def test_a_source_that_is_gone_is_not_told(world):
    subject = world.subject("1.4.1")
    world.metrics.count(subject, 5, source="pod-a")
    world.metrics.count(subject, 3, source="pod-b")
    assert read(world, subject) == (8, 0)
    world.metrics.remove("pod-a")
    assert set(world.metrics.sample([subject])[subject].series) == {"proxy", "pod-b"}


def test_an_unreadable_subject_is_told_with_its_reason_and_spoils_no_other(world):
    stable, candidate = world.subject("1.4.1"), world.subject("1.4.2")
    world.metrics.unreadable.add(candidate)
    samples = world.metrics.sample([stable, candidate])
    assert samples[candidate] == Unread(Why.NO_SERIES, "its counters are not there")
    assert samples[stable] is not None
