"""The fence: what it writes, what it leaves alone, and to whom it gives way."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from delivery.adapters.ledger.memory import MemoryLedger
from delivery.adapters.mesh.memory import MemoryMesh, Mood
from delivery.engine.drain import LEASE
from delivery.engine.fence import Fence, Fenced, Order, Outcome
from delivery.engine.working import Working
from delivery.machine.change import Change
from delivery.machine.desired import desired
from delivery.machine.evolve import fold
from delivery.model import signal as s
from delivery.model.hold import HoldKind
from delivery.model.ids import Micros, ReleaseId
from delivery.model.target import Target
from delivery.model.traffic import Traffic
from delivery.model.version import Backend, Endpoint
from delivery.ports.mesh import Confirmation, Live, Route, Stamp
from delivery.ports.rows import Result, Row, Wake
from delivery.testing.builders import BOB, CANDIDATE, NOW, STABLE, TARGET, TargetStory, a_target
from delivery.testing.contracts.ledger_values import Watch

ME, OTHER = "worker-1", "worker-2"


class Interrupted(MemoryMesh):
    """Something happens just before the next write arrives, or just after it was stored."""

    def __init__(self) -> None:
        super().__init__()
        self.before: Callable[[], object] = lambda: None
        self.after: Callable[[], object] = lambda: None

    def write(self, route: Route, stamp: Stamp, expect: str) -> Live:
        self.before()
        live = super().write(route, stamp, expect)
        self.after()
        return live


class Scene:
    """1.4.2 is to have its first 5 percent; worker-1 has claimed the target and nothing is written yet."""

    def __init__(self) -> None:
        self.clock = Watch(NOW)
        self.ledger = MemoryLedger(self.clock, fold)
        self.mesh = Interrupted()
        for version in (STABLE, CANDIDATE):
            self.mesh.publish(TARGET, Backend("checkout", version), (Endpoint("127.0.0.1", 9000),))
        self.ledger.create_target(Row(Target(TARGET, "checkout", "prod-eu", stable=STABLE)))
        self.story: TargetStory = a_target()
        self._stored = 0
        self.story.ask()
        self.story.tell(s.WorkloadReady())
        self.commit()
        self.claim(ME)

    @property
    def row(self) -> Row:
        return self.ledger.load([TARGET])[TARGET].row

    def commit(self, owner: str | None = None) -> None:
        """What was decided since is stored, and the target is due."""
        working = Working.of(self.ledger.load([TARGET])[TARGET], lambda: "salt")
        working.apply(Change(self.story.world, tuple(self.story.moves[self._stored :])), self.clock.at)
        self._stored = len(self.story.moves)
        (done,) = self.ledger.commit([working.unit(owner, Wake(self.clock.at, "a decision"))])
        assert done.result is Result.DONE

    def claim(self, owner: str) -> None:
        assert self.ledger.claim(["prod-eu"], owner, LEASE, 1) == (TARGET,)

    def taken_over(self) -> None:
        """The lease ends, and another worker has the target."""
        self.clock.pass_by(Micros(LEASE + 1))
        self.claim(OTHER)

    def order(self, correct: bool = True) -> Order:
        release = self.story.world.active or self.story.release(1)
        stable, candidate = Backend("checkout", STABLE), Backend("checkout", CANDIDATE)
        route = Route(TARGET, "checkout", stable, candidate, desired(release))
        head = self.ledger.releases([release.id])[release.id].head
        return Order(route, release, head, correct)

    def write(
        self, row: Row | None = None, observed: str | None = None, *, by: str = ME, correct: bool = True
    ) -> Outcome:
        fence = Fence(self.ledger, self.clock, by)
        return fence.write(self.mesh, row or self.row, self.order(correct), observed)

    @property
    def weight(self) -> int:
        traffic = self.mesh.traffic(TARGET)
        return traffic.weight if traffic else 0

    def stamp(self) -> Stamp:
        stamp = self.mesh.read(TARGET).stamp
        assert stamp is not None
        return stamp

    def restamp(self, stamp: Stamp, weight: int) -> None:
        """The route as commits that are lost now had it written."""
        live = self.mesh.read(TARGET)
        route = replace(self.order().route, traffic=Traffic(weight=weight))
        MemoryMesh.write(self.mesh, route, stamp, live.revision)


@pytest.fixture
def scene() -> Scene:
    return Scene()


@pytest.fixture
def written(scene: Scene) -> Scene:
    """As before, and the first 5 percent are live."""
    assert scene.write().result is Fenced.WRITTEN
    return scene


class TestWriting:
    def test_the_first_write_of_an_owner_moves_the_epoch_and_leaves_our_stamp(self, scene: Scene) -> None:
        outcome = scene.write()
        release, live = scene.story.active, scene.mesh.read(TARGET)
        assert (outcome.result, outcome.drift, scene.weight) == (Fenced.WRITTEN, "", 5)
        head = scene.ledger.head_at(release.id, release.seq)
        assert live.stamp == Stamp(1, release.id, release.dseq, release.seq, head or "")
        row = scene.row
        assert (row.epoch, row.writer, row.settled) == (1, ME, (1, release.id, release.dseq))
        assert (row.content, row.written_at) == (live.content, scene.clock.at)
        assert outcome.row == row, "what it says the database has is what the database has"

    def test_the_same_owner_writes_on_in_its_epoch(self, written: Scene) -> None:
        written.story.confirm()
        written.story.act(s.PromoteNow(BOB))
        written.commit(ME)
        assert written.write().result is Fenced.WRITTEN
        assert (written.weight, written.row.epoch) == (100, 1)

    def test_another_owner_moves_the_epoch(self, written: Scene) -> None:
        written.story.confirm()
        written.story.act(s.PromoteNow(BOB))
        written.commit()
        written.taken_over()
        assert written.write(by=OTHER).result is Fenced.WRITTEN
        assert (written.row.epoch, written.row.writer, written.stamp().epoch) == (2, OTHER, 2)

    def test_an_epoch_that_the_route_has_seen_is_never_used_again(self, scene: Scene) -> None:
        """The database lost that it had been given out."""
        release = scene.story.active
        head = scene.ledger.head_at(release.id, release.seq) or ""
        scene.restamp(Stamp(7, release.id, release.dseq, release.seq, head), 0)
        assert scene.write().result is Fenced.WRITTEN
        assert scene.stamp().epoch == 8

    def test_nor_by_the_owner_that_it_had_been_given_out_to(self, written: Scene) -> None:
        written.story.act(s.Abort(BOB))
        written.commit(ME)
        written.restamp(replace(written.stamp(), epoch=7), 5)
        assert written.write().result is Fenced.WRITTEN
        assert (written.stamp().epoch, written.row.epoch) == (8, 8)

    def test_grace_counts_from_the_first_write_of_a_traffic(self, written: Scene) -> None:
        first = written.row.written_at
        written.clock.pass_by(Micros(1_000_000))
        written.mesh.strip(TARGET)
        assert written.write().result is Fenced.WRITTEN
        assert written.row.written_at == first


class TestKept:
    def test_what_is_known_to_be_there_is_not_even_read(self, written: Scene) -> None:
        written.mesh.down = True
        assert written.write(observed=written.row.content).result is Fenced.KEPT

    def test_what_nobody_has_observed_is_read_and_left(self, written: Scene) -> None:
        writes: list[object] = []
        written.mesh.before = lambda: writes.append(1)
        assert (written.write().result, writes) == (Fenced.KEPT, [])

    def test_also_by_another_owner_who_then_needs_no_epoch(self, written: Scene) -> None:
        written.taken_over()
        assert written.write(by=OTHER).result is Fenced.KEPT
        assert written.row.epoch == 1

    def test_never_because_live_equals_desired(self, scene: Scene) -> None:
        """A write of somebody who lost the target may still be under way: only ours moves the revision."""
        release = scene.story.active
        head = scene.ledger.head_at(release.id, release.seq) or ""
        scene.restamp(Stamp(1, release.id, release.dseq, release.seq, head), 5)
        assert scene.write().result is Fenced.WRITTEN


class TestGivingWay:
    """Whoever is not the owner any more, or had decided on an older row, writes nothing."""

    def test_the_lease_is_over(self, scene: Scene) -> None:
        scene.clock.pass_by(Micros(LEASE + 1))
        assert scene.write().result is Fenced.LOST
        assert scene.mesh.traffic(TARGET) is None

    def test_somebody_else_has_it(self, scene: Scene) -> None:
        scene.taken_over()
        assert scene.write().result is Fenced.LOST
        assert (scene.mesh.traffic(TARGET), scene.row.epoch) == (None, 0)

    def test_a_person_has_decided_since(self, scene: Scene) -> None:
        before, order = scene.row, scene.order()
        scene.story.act(s.Abort(BOB))
        scene.commit()
        outcome = Fence(scene.ledger, scene.clock, ME).write(scene.mesh, before, order, None)
        assert (outcome.result, scene.mesh.traffic(TARGET)) == (Fenced.LOST, None)

    def test_it_is_taken_over_between_check_and_write(self, scene: Scene) -> None:
        def overtaken() -> None:
            scene.mesh.before = lambda: None
            scene.taken_over()
            assert scene.write(by=OTHER).result is Fenced.WRITTEN

        scene.mesh.before = overtaken
        assert scene.write().result is Fenced.LOST
        assert (scene.stamp().epoch, scene.row.settled) == (2, (2, scene.story.active.id, scene.story.active.dseq))

    def test_it_is_taken_over_while_the_write_arrives(self, scene: Scene) -> None:
        """It landed before the other one looked, so it was still ours to write; but it is not ours to record."""
        scene.mesh.after = scene.taken_over
        assert scene.write().result is Fenced.LOST
        assert (scene.weight, scene.row.settled) == (5, None)


class TestPaused:
    """Somebody stopped our writes in the mesh itself."""

    def test_nothing_is_written_and_it_is_said(self, scene: Scene) -> None:
        scene.mesh.pause(TARGET, "by Ann")
        outcome = scene.write()
        assert (outcome.result, scene.mesh.traffic(TARGET)) == (Fenced.PAUSED, None)
        assert outcome.live is not None
        assert outcome.live.paused == "by Ann"
        assert (outcome.row, scene.row.epoch) == (scene.row, 0), "no epoch moves for what is not written"

    def test_one_that_comes_between_check_and_write_is_seen_when_it_is_claimed_again(self, scene: Scene) -> None:
        scene.mesh.before = lambda: scene.mesh.pause(TARGET, "by Ann")
        assert scene.write().result is Fenced.LOST
        assert scene.mesh.traffic(TARGET) is None
        scene.mesh.before = lambda: None
        assert scene.write().result is Fenced.PAUSED

    def test_before_a_route_that_is_ahead_or_foreign(self, written: Scene) -> None:
        written.mesh.edit(TARGET, Traffic(weight=60))
        written.mesh.pause(TARGET, "by Ann")
        assert written.write(correct=False).result is Fenced.PAUSED
        written.mesh.pause(TARGET, None)
        assert (written.write().result, written.weight) == (Fenced.WRITTEN, 5)


class TestLostHistory:
    """The route was written after events that the database does not have."""

    def ahead(self, scene: Scene, weight: int, release: ReleaseId | None = None) -> Scene:
        live = scene.stamp()
        stamp = replace(live, seq=live.seq + 3, head="f" * 64, release=release or live.release)
        scene.restamp(stamp, weight)
        return scene

    def known(self, scene: Scene, weight: int) -> Scene:
        scene.story.tell(s.HistoryLost("a failover", weight))
        scene.commit(ME)
        return scene

    def test_it_is_said_and_nothing_is_written(self, written: Scene) -> None:
        outcome = self.ahead(written, 50).write()
        assert (outcome.result, written.weight) == (Fenced.HISTORY_LOST, 50)
        assert "at event 7" in outcome.drift
        assert outcome.live is not None
        assert outcome.live.weight == 50

    def test_once_the_release_knows_the_lower_of_both_is_written(self, written: Scene) -> None:
        assert self.known(self.ahead(written, 2), 2).write().result is Fenced.WRITTEN
        assert written.weight == 2

    def test_what_raises_is_not(self, written: Scene) -> None:
        """It was lowered once more after the release was told."""
        self.known(self.ahead(written, 4), 4)
        self.ahead(written, 1)
        assert (written.write().result, written.weight) == (Fenced.HISTORY_LOST, 1)

    def test_what_another_release_has_there_gives_this_one_nothing(self, written: Scene) -> None:
        self.known(self.ahead(written, 50, ReleaseId("rel_9")), 50)
        assert written.write().result is Fenced.HISTORY_LOST

    def resumed(self, scene: Scene) -> Scene:
        scene.story.act(s.Resume(BOB, "go on", admin=True, holds=(HoldKind.HISTORY_LOST,)))
        scene.commit(ME)
        return scene

    def test_once_it_is_lowered_a_person_may_have_it_raised_again(self, written: Scene) -> None:
        assert self.known(self.ahead(written, 2), 2).write().result is Fenced.WRITTEN
        assert (self.resumed(written).write().result, written.weight) == (Fenced.WRITTEN, 5)

    def test_a_person_may_decide_so_before_anything_was_lowered(self, written: Scene) -> None:
        written.story.confirm()
        written.story.act(s.PromoteNow(BOB))
        written.commit(ME)
        written.write()
        self.known(self.ahead(written, 50), 50)
        assert (self.resumed(written).write().result, written.weight) == (Fenced.WRITTEN, 100)

    def test_that_decision_was_about_this_loss_and_not_about_the_next(self, written: Scene) -> None:
        """The release is promoted, and the route is found ahead once more: a later abort may be among what is lost."""
        self.test_a_person_may_decide_so_before_anything_was_lowered(written)
        written.story.confirm()
        written.commit(ME)
        assert written.story.world.active is None
        self.ahead(written, 0, ReleaseId("rel_9"))
        assert (written.write().result, written.weight) == (Fenced.HISTORY_LOST, 0)

    def test_a_revert_that_was_written_is_written_again_over_what_was_lost_since(self, written: Scene) -> None:
        """Also where a person had decided once before: that decision must not stand in its way."""
        self.resumed(self.known(self.ahead(written, 2), 2)).write()
        written.story.act(s.Abort(BOB))
        written.commit(ME)
        assert (written.write().result, written.weight) == (Fenced.WRITTEN, 0)
        self.ahead(written, 50, ReleaseId("rel_9"))
        assert written.write().result is Fenced.HISTORY_LOST
        assert self.known(written, 0).write().result is Fenced.WRITTEN
        assert written.weight == 0


class TestConfirming:
    """What proxies run proves our last write, and nothing that it looks like."""

    def confirm(self, scene: Scene) -> Confirmation | None:
        release = scene.story.active
        return Fence(scene.ledger, scene.clock, ME).confirm(scene.mesh, scene.row, release.id, release.dseq)

    def test_what_we_wrote_is_proven_once_every_proxy_runs_it(self, written: Scene) -> None:
        found = self.confirm(written)
        assert found is not None
        assert (found.proven, found.content) == (True, written.row.content)

    def test_a_proxy_that_does_not_run_it_is_named(self, scene: Scene) -> None:
        scene.mesh.proxies["proxy-0"].mood = Mood.LAGGING
        scene.write()
        found = self.confirm(scene)
        assert found is not None
        assert (found.proven, found.missing) == (False, ("proxy-0",))

    @pytest.mark.parametrize("later", [0, 6], ids=["under the same number", "under a newer one"])
    def test_what_lost_commits_wrote_of_the_same_release_is_no_proof(self, written: Scene, later: int) -> None:
        stamp = written.stamp()
        written.restamp(replace(stamp, dseq=stamp.dseq + later, seq=stamp.seq + 6, head="f" * 64), 0)
        assert written.mesh.confirm(TARGET, stamp.release, stamp.dseq).proven, "so it seems"
        assert self.confirm(written) is None

    def test_nor_is_what_a_proxy_refuses_of_it_said_of_ours(self, written: Scene) -> None:
        written.mesh.proxies["proxy-0"].mood = Mood.REFUSING
        stamp = written.stamp()
        written.restamp(replace(stamp, seq=stamp.seq + 6, head="f" * 64), 100)
        assert self.confirm(written) is None

    def test_nor_what_somebody_made_of_it(self, written: Scene) -> None:
        written.mesh.edit(TARGET, Traffic(weight=60))
        assert self.confirm(written) is None


class TestDrift:
    def test_what_somebody_else_changed_is_put_back_and_said(self, written: Scene) -> None:
        written.mesh.edit(TARGET, Traffic(weight=60))
        outcome = written.write()
        assert (outcome.result, written.weight) == (Fenced.WRITTEN, 5)
        assert "candidate weight 60" in outcome.drift

    def test_a_stamp_that_is_gone_is_a_change_too(self, written: Scene) -> None:
        written.mesh.strip(TARGET)
        outcome = written.write()
        assert (outcome.result, outcome.drift[:16]) == (Fenced.WRITTEN, "no stamp of ours")

    def test_a_new_traffic_over_a_change_is_no_correction(self, written: Scene) -> None:
        written.mesh.edit(TARGET, Traffic(weight=60))
        written.story.act(s.Abort(BOB))
        written.commit(ME)
        outcome = written.write()
        assert (outcome.result, outcome.drift, written.weight) == (Fenced.WRITTEN, "", 0)

    def test_where_we_were_asked_to_it_is_left_and_said_once(self, written: Scene) -> None:
        written.mesh.edit(TARGET, Traffic(weight=60))
        outcome = written.write(correct=False)
        assert (outcome.result, written.weight) == (Fenced.FOREIGN, 60)
        assert outcome.live is not None
        fence = Fence(written.ledger, written.clock, ME)
        accepted = fence.accept(outcome.row, outcome.live)
        assert accepted.content == written.row.content == outcome.live.content
        assert written.write(correct=False).result is Fenced.KEPT
        written.mesh.edit(TARGET, Traffic(weight=70))
        assert written.write(correct=False).result is Fenced.FOREIGN

    def test_whoever_lost_the_target_accepts_nothing(self, written: Scene) -> None:
        written.mesh.edit(TARGET, Traffic(weight=60))
        outcome = written.write(correct=False)
        assert outcome.live is not None
        before = written.row.content
        written.taken_over()
        assert Fence(written.ledger, written.clock, ME).accept(outcome.row, outcome.live) == outcome.row
        assert written.row.content == before
