"""What every adapter of the Metrics port must do: a class of pytest tests to inherit from, with a fixture `world`."""

import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Protocol, TypeVar

import pytest

from delivery.gates.deltas import carry, counts, restarted
from delivery.model.series import Sample, Series
from delivery.model.verdict import Counts
from delivery.model.version import Lane
from delivery.ports.errors import Unavailable
from delivery.ports.metrics import Metrics, Subject

T = TypeVar("T")
LIMIT = 10.0


class MetricsWorld(Protocol):
    """The adapter, with whatever really counts behind it."""

    metrics: Metrics

    def subject(self, version: str, lane: Lane = Lane.PLAIN) -> Subject:
        """A version of one service. 1.4.1, 1.4.2 and 1.4.22 are there, in every lane, and have counted nothing; so is
        `copied` of 1.4.1."""

    def send(self, subject: Subject, requests: int, errors: int = 0, seconds: float = 0.0) -> None:
        """So many requests to this subject that have ended, each after `seconds`; `errors` of them with a 503."""

    def restart(self) -> None:
        """What counts begins again, with nothing counted."""

    def cut(self) -> None:
        """What counts does not answer any more."""


class MetricsContract:
    def test_counts_are_what_was_sent_to_each_version(self, world: MetricsWorld) -> None:
        first, second = world.subject("1.4.1"), world.subject("1.4.2")
        bases = {subject: read(world, subject).series for subject in (first, second)}
        world.send(first, 7)
        world.send(second, 3)
        world.send(first, 2)
        assert arrived(world, first, (9, 0), bases[first]) == (9, 0)
        assert arrived(world, second, (3, 0), bases[second]) == (3, 0)

    def test_a_version_whose_name_begins_like_another_s_is_another(self, world: MetricsWorld) -> None:
        short, long = world.subject("1.4.2"), world.subject("1.4.22")
        world.send(long, 4)
        assert arrived(world, long, (4, 0)) == (4, 0)
        assert since(world, {}, short).requests == 0

    def test_a_copy_of_a_version_is_counted_apart_from_it(self, world: MetricsWorld) -> None:
        stable, copy = world.subject("1.4.1"), copied(world.subject("1.4.1"))
        world.send(stable, 6)
        world.send(copy, 4, errors=1)
        assert arrived(world, copy, (4, 1)) == (4, 1)
        assert arrived(world, stable, (6, 0)) == (6, 0)

    def test_an_error_counts_once_and_is_a_request_too(self, world: MetricsWorld) -> None:
        subject = world.subject("1.4.2")
        world.send(subject, 5, errors=2)
        assert arrived(world, subject, (5, 2)) == (5, 2)

    def test_lanes_of_a_version_are_counted_apart(self, world: MetricsWorld) -> None:
        for number, lane in enumerate(Lane, start=1):
            world.send(world.subject("1.4.2", lane), 2 * number, errors=number)
        for number, lane in enumerate(Lane, start=1):
            subject = world.subject("1.4.2", lane)
            wanted = (2 * number, number)
            assert arrived(world, subject, wanted) == wanted

    def test_nothing_sent_is_zero(self, world: MetricsWorld) -> None:
        sample = world.metrics.sample([world.subject("1.4.1")])[world.subject("1.4.1")]
        assert isinstance(sample, Sample)
        assert plain(counts({}, sample)) == (0, 0)

    def test_nobody_asked_for_is_no_mistake(self, world: MetricsWorld) -> None:
        assert world.metrics.sample([]) == {}

    def test_one_sample_answers_for_every_subject(self, world: MetricsWorld) -> None:
        subjects = [world.subject(version, lane) for version in ("1.4.1", "1.4.2", "1.4.22") for lane in Lane]
        world.send(subjects[0], 1)
        assert set(world.metrics.sample(subjects)) == set(subjects)
        assert arrived(world, subjects[0], (1, 0)) == (1, 0)
        assert [since(world, {}, subject).requests for subject in subjects[1:]] == [0] * 8

    def test_counters_grow_from_look_to_look(self, world: MetricsWorld) -> None:
        subject = world.subject("1.4.1")
        world.send(subject, 4)
        assert arrived(world, subject, (4, 0)) == (4, 0)
        base = read(world, subject)
        world.send(subject, 3, errors=1)
        assert arrived(world, subject, (3, 1), base.series) == (3, 1)
        assert read(world, subject).at >= base.at

    def test_a_restart_is_seen_and_loses_nothing_that_came_after(self, world: MetricsWorld) -> None:
        subject = world.subject("1.4.2")
        world.send(subject, 6, errors=1)
        assert arrived(world, subject, (6, 1)) == (6, 1)
        base = dict(read(world, subject).series)
        assert not restarted(base, read(world, subject))
        world.restart()
        assert restarted(base, read(world, subject))
        assert plain(since(world, base, subject)) == (0, 0)
        world.send(subject, 8, errors=3)  # more than before: only the epoch can tell
        assert arrived(world, subject, (8, 3), base) == (8, 3)
        assert restarted(base, read(world, subject))
        base = dict(carry(base, read(world, subject)))
        assert plain(since(world, base, subject)) == (0, 0)
        assert not restarted(base, read(world, subject))

    def test_epochs_stay_while_nothing_restarts(self, world: MetricsWorld) -> None:
        subject = world.subject("1.4.1")
        before = read(world, subject).series
        world.send(subject, 1)
        assert arrived(world, subject, (1, 0)) == (1, 0)
        after = read(world, subject).series
        assert {key: series.epoch for key, series in before.items()} == {
            key: series.epoch for key, series in after.items()
        }

    def test_slow_requests_are_above_the_bounds_that_they_exceed(self, world: MetricsWorld) -> None:
        subject = world.subject("1.4.2")
        world.send(subject, 3)
        world.send(subject, 2, seconds=0.15)
        world.send(subject, 1, seconds=0.6)
        wanted = {100: 3, 250: 1, 500: 1, 1000: 0, 5000: 0}

        def slow() -> dict[int, int]:
            return {bound: number for bound, number in since(world, {}, subject).slow if bound in wanted}

        assert settled(slow, wanted) == wanted

    def test_what_does_not_answer_is_unavailable(self, world: MetricsWorld) -> None:
        read(world, world.subject("1.4.1"))
        world.cut()
        with pytest.raises(Unavailable, match=r"\w"):
            world.metrics.sample([world.subject("1.4.1")])


def copied(subject: Subject) -> Subject:
    """The copy of a version that a release is compared with."""
    return replace(subject, backend=replace(subject.backend, version=subject.backend.version.copy_for("rel_1")))


def read(world: MetricsWorld, subject: Subject) -> Sample:
    """One subject's sample, which must be there."""
    sample = world.metrics.sample([subject])[subject]
    assert isinstance(sample, Sample), sample
    return sample


def since(world: MetricsWorld, base: Mapping[str, Series], subject: Subject) -> Counts:
    """What happened to a subject since the base."""
    return counts(base, read(world, subject))


def plain(found: Counts) -> tuple[int, int]:
    return found.requests, found.errors


def arrived(
    world: MetricsWorld, subject: Subject, wanted: tuple[int, int], base: Mapping[str, Series] | None = None
) -> tuple[int, int]:
    """Requests and errors of a subject since the base, once they are what is wanted or the limit is over."""
    return settled(lambda: plain(since(world, base or {}, subject)), wanted)


def settled(look: Callable[[], T], wanted: T) -> T:
    """What is seen once it is what is wanted, or the limit is over: counters may come a moment after the answer."""
    until = time.monotonic() + LIMIT
    while (found := look()) != wanted and time.monotonic() < until:
        time.sleep(0.02)
    return found
