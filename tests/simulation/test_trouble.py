"""What goes wrong for one, and must not for others; what is down, and what happens within a time once it is back."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from delivery.adapters.mesh.memory import Mood
from delivery.model.event import MeshFailing, MeshRecovered, Phase, PromotionBegun, RollbackBegun, StageEntered
from delivery.model.hold import HoldKind
from delivery.model.ids import Principal, ReleaseId, target_id
from delivery.model.signal import Abort, Resume
from delivery.model.traffic import ALL_STABLE, Traffic
from delivery.model.version import VersionRef
from delivery.ports.errors import Unavailable
from delivery.ports.rows import InboxState
from tests.simulation.databases import Sqlite
from tests.simulation.scenes.play import Play
from tests.simulation.scenes.poison import unsteppable, unstorable
from tests.simulation.scheduler import Actor
from tests.simulation.watch.ghost import InvariantBroken

ANN = Principal("ann")
EVERYTHING = 1_000_000


def settled(play: Play) -> None:
    """Every service has a first version."""
    for service in play.services:
        play.event("good-1", service=service)
    play.until(lambda: all(row.target.stable for row in play.world.ledger.rows() if row.target.cluster == play.cluster))


def alerts(play: Play, kind: str) -> list[str]:
    return [alert.subject for alert in play.world.ledger.alerts(EVERYTHING) if alert.kind == kind]


class TestPoison:
    """A target whose step raises is taken out of service alone."""

    def play(self) -> tuple[Play, ReleaseId, ReleaseId]:
        play = Play(services=("queueing", "superseding"))
        settled(play)
        bad = play.event("good-2")
        other = play.event("good-2", service="superseding")
        play.reach(bad, Phase.BAKING)
        return play, bad, other

    def rises(self, play: Play, release: ReleaseId) -> int:
        return sum(isinstance(event, StageEntered | PromotionBegun) for event in play.events(release))

    def test_alone_with_one_alert_and_its_candidate_never_rises(self) -> None:
        play, bad, other = self.play()
        with unsteppable(play.target):
            play.reach(other, Phase.PROMOTED)
            play.go(30)
        assert play.world.row(play.target).quarantined == "ZeroDivisionError('a fault of ours')"
        assert alerts(play, "quarantined") == [play.target]
        assert (self.rises(play, bad), play.mesh.traffic(play.target)) == (1, Traffic(weight=5))
        assert play.event("good-3") == "", "nothing begins here meanwhile"

    def test_abort_takes_it_back_even_if_every_rule_raises(self) -> None:
        play, bad, _ = self.play()
        with unsteppable(play.target):
            play.until(lambda: play.world.row(play.target).quarantined)
            play.tell(bad, Abort(ANN))
            play.until(lambda: play.mesh.traffic(play.target) == ALL_STABLE, within=10)
            play.go(20)
        assert isinstance(play.events(bad)[-1], RollbackBegun)
        assert alerts(play, "quarantined") == [play.target]

    def test_a_second_abort_is_refused_in_words(self) -> None:
        """It was taken for a fault of ours, and kept as a delivery that nobody can admit."""
        play, bad, _ = self.play()
        with unsteppable(play.target):
            play.until(lambda: play.world.row(play.target).quarantined)
            play.tell(bad, Abort(ANN))
            answer = play.tell(bad, Abort(ANN))
        assert (answer.outcome, answer.reason) == ("refused", "conflict")
        assert play.world.ledger.inbox(InboxState.DEAD, 9) == ()

    def test_mended_and_resumed_by_an_admin_it_goes_on(self) -> None:
        play, bad, _ = self.play()
        with unsteppable(play.target):
            play.until(lambda: play.world.row(play.target).quarantined)
        resume = Resume(ANN, "mended", holds=(HoldKind.QUARANTINED,))
        refusal = play.tell(bad, resume).refusal
        assert refusal is not None, "not without the right to"
        assert "resume it naming quarantined" in refusal.text
        answer = play.tell(bad, Resume(ANN, "mended", admin=True, holds=(HoldKind.QUARANTINED,)))
        assert (answer.outcome, answer.reason) == ("signal", "resumed")
        play.reach(bad, Phase.PROMOTED)
        assert play.end() == []


@contextmanager
def failing(play: Play, call: str) -> Iterator[None]:
    """Every such call is not answered meanwhile, and not carried out."""

    def fail(actor: Actor, where: str) -> None:
        if where == f"before {call}":
            raise Unavailable(f"{call} did not answer")

    play.world.trigger = fail
    yield
    play.world.trigger = None


@pytest.mark.parametrize("ledger", ["memory", "sqlite"])
def test_two_bad_rows_of_a_batch_spoil_no_other(ledger: str, database: Sqlite) -> None:
    """50 targets are due at once; the step of one raises, and the database refuses what another one decides."""
    names = tuple(f"many-{number:02}" for number in range(50))
    raising, refused = target_id("many-07", "east"), target_id("many-31", "east")
    play = Play(services=names, wrap=unstorable(refused), ledger=database if ledger == "sqlite" else None)
    play.world.watch.commits.poisoned = True
    with unsteppable(raising, (Phase.PREPARING,)):
        made = {target_id(name, "east"): play.event("good-1", service=name) for name in names}
        bad = {raising, refused}
        play.until(lambda: all(play.now(made[one]).phase is Phase.PROMOTED for one in made.keys() - bad))
    assert sorted(alerts(play, "quarantined")) == sorted(bad)
    assert {row.target.id for row in play.world.ledger.rows() if row.quarantined} == bad
    assert [play.mesh.traffic(one) for one in sorted(bad)] == [None, None]


class TestStable:
    """Stable without a ready instance."""

    def exposed(self) -> tuple[Play, ReleaseId]:
        """Half of the users are on the candidate, and stable is gone."""
        play = Play()
        settled(play)
        release = play.event("good-2")
        play.until(lambda: play.mesh.traffic(play.target) == Traffic(weight=50))
        play.world.workloads["east"].unready.add("good-1")
        play.until(lambda: play.now(release).held(HoldKind.STABLE_UNREADY))
        return play, release

    def test_a_revert_leaves_users_where_they_are_until_it_is_back(self) -> None:
        play, release = self.exposed()
        play.tell(release, Abort(ANN))
        play.go(20)
        assert play.now(release).stay
        assert play.mesh.traffic(play.target) == Traffic(weight=50)
        play.world.workloads["east"].unready.discard("good-1")
        play.until(lambda: play.mesh.traffic(play.target) == ALL_STABLE, within=10)
        play.reach(release, Phase.ROLLED_BACK)
        assert play.end() == []

    def test_a_second_abort_takes_them_back_all_the_same(self) -> None:
        play, release = self.exposed()
        play.tell(release, Abort(ANN))
        play.tell(release, Abort(ANN))
        play.until(lambda: play.mesh.traffic(play.target) == ALL_STABLE, within=10)
        assert play.end() == []


class TestSuccessor:
    """A newer version takes the place of one that some proxies still run."""

    def superseded(self) -> tuple[Play, ReleaseId, ReleaseId]:
        play = Play()
        settled(play)
        old = play.event("good-2")
        play.until(lambda: play.mesh.traffic(play.target) == Traffic(weight=50))
        play.reach(old, Phase.BAKING)
        play.mesh.proxies["proxy-1"].mood = Mood.LAGGING
        return play, old, play.event("good-3", urgent=True)

    def test_it_gets_nothing_while_a_proxy_runs_the_old_candidate(self) -> None:
        play, old, new = self.superseded()
        play.go(60)
        assert play.mesh.traffic(play.target, "proxy-1") == Traffic(weight=50)
        assert (play.now(old).phase, play.now(new).phase) == (Phase.ROLLING_BACK, Phase.QUEUED)

    def test_it_rises_once_every_proxy_has_let_go(self) -> None:
        play, old, new = self.superseded()
        play.go(5)
        play.moods(Mood.TAKING)
        play.reach(old, Phase.SUPERSEDED)
        play.reach(new, Phase.PROMOTED)
        assert play.end() == []

    def test_a_proxy_that_vanishes_is_not_waited_for(self) -> None:
        play, _, new = self.superseded()
        play.go(5)
        play.mesh.exchange("proxy-1")
        play.reach(new, Phase.PROMOTED)
        assert play.end() == []


class TestOutage:
    """A mesh that does not answer."""

    def test_a_revert_is_accepted_soon_after_it_is_back_however_long_it_was_away(self) -> None:
        play = Play()
        settled(play)
        release = play.event("good-2")
        play.until(lambda: play.mesh.traffic(play.target) == Traffic(weight=50))
        play.mesh.down = True
        play.tell(release, Abort(ANN))
        play.go(600)
        assert play.mesh.traffic(play.target) == Traffic(weight=50)
        play.mesh.down = False
        play.until(lambda: play.mesh.traffic(play.target) == ALL_STABLE, within=5)
        play.reach(release, Phase.ROLLED_BACK)
        told = [type(event) for event in play.events(release) if isinstance(event, MeshFailing | MeshRecovered)]
        assert told == [MeshFailing, MeshRecovered], "events grow with what changes, not with attempts"

    def test_another_cluster_is_as_quick_as_ever(self) -> None:
        def lasted(*, down: bool) -> int:
            play = Play()
            settled(play)
            play.world.timeout = (1_000_000, 5_000_000)
            play.world.meshes["west"].down = down
            play.cluster = "west"
            play.event("good-2")
            play.cluster = "east"
            release = play.event("good-2")
            begun = play.world.scheduler.monotonic
            play.reach(release, Phase.PROMOTED)
            return play.world.scheduler.monotonic - begun

        assert lasted(down=True) < lasted(down=False) + 300_000


class TestDue:
    """A target that is due is looked at within a time, or the simulation says so."""

    def test_one_that_is_claimed_and_never_looked_at_is_told(self) -> None:
        """By workers that live: nobody's death is an excuse."""
        play = Play(workers=2)
        settled(play)

        def hang(actor: Actor, where: str) -> None:
            if where == "before ledger.load":
                play.world.scheduler.sleep(30_000_000)

        play.world.trigger = hang
        play.event("good-2")
        play.go(8)
        with pytest.raises(InvariantBroken, match="invariant 15: queueing@east has been due for 9 s"):
            play.go(2)

    def test_one_whose_claim_was_lost_to_the_database_has_a_lease_more(self) -> None:
        """Short seed 35271: whoever claims it next is the same worker, and waits for what does not answer."""
        play = Play()
        settled(play)
        failed: list[str] = []

        def fail_once(actor: Actor, where: str) -> None:
            if where == "before ledger.load" and not failed:
                failed.append(where)
                raise Unavailable("the database did not answer")

        play.world.trigger = fail_once
        play.world.workloads["east"].hangs = True
        play.event("good-2")
        play.go(12)
        assert failed
        assert play.world.row(play.target).due_why == "a decision", "it is being looked at for the first time"
        play.world.workloads["east"].hangs = False
        assert play.end() == []

    def test_one_that_nobody_can_claim_is_told(self) -> None:
        """A worker that nothing is known to have happened to claims nothing."""
        play = Play()
        settled(play)
        with failing(play, "ledger.claim"):
            play.event("good-2")
            play.go(8)
            with pytest.raises(InvariantBroken, match="invariant 15: queueing@east has been due for 10 s"):
                play.go(2)


def test_a_worker_hangs_until_the_longest_of_its_calls_is_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """Short seeds 52603 and 59038: it was expected to work, and to have ended its writes, when the shorter one was."""
    play = Play()
    (worker,) = play.world.workers.values()
    lasts = iter((20_000_000, 9_000_000))
    monkeypatch.setattr(play.world.random, "randrange", lambda *_: next(lasts))
    begun = play.world.scheduler.monotonic
    for _ in range(2):
        play.world.stall(worker, whole=True)
    assert worker.hangs_until == begun + 20_000_000


class TestFailover:
    """The database loses its newest commits."""

    def test_a_route_that_is_ahead_is_found_though_nothing_runs_there_any_more(self) -> None:
        """All of the release is lost. Its route has not changed since it was last observed."""
        play = Play()
        settled(play)
        play.go(2)
        play.world.ledger.keep()
        release = play.event("good-2")
        play.reach(release, Phase.BAKING)
        play.go(0.5)
        play.world.ledger.lose(EVERYTHING)
        play.world.cut()
        play.world.watch.lost(play.world.ledger)
        assert play.world.row(play.target).target.active is None
        play.until(lambda: alerts(play, "history_lost") == [play.target], within=10)
        assert play.mesh.traffic(play.target) == Traffic(weight=5), "it is for people to decide"
        assert play.end() == []

    def lost(self, play: Play) -> None:
        """All that was committed since it was last kept."""
        play.world.ledger.lose(EVERYTHING)
        play.world.cut()
        play.world.watch.lost(play.world.ledger)

    def written(self, play: Play, release: ReleaseId) -> bool:
        """Whether the newest traffic of the release is stored, which no proxy has proven."""
        now, settled = play.now(release), play.world.row(play.target).settled
        return now.confirmed != now.dseq and settled is not None and settled[1:] == (release, now.dseq)

    def test_a_promotion_is_not_proven_by_the_abort_that_is_lost(self) -> None:
        """The proxies run what the same release decided later, and the mesh does not answer when it is read."""
        play = Play()
        settled(play)
        release = play.event("good-2")
        play.until(lambda: play.now(release).stage == 1 and play.now(release).phase is Phase.BAKING)
        play.moods(Mood.LAGGING)
        play.until(lambda: play.now(release).phase is Phase.PROMOTING and self.written(play, release))
        play.world.ledger.keep()
        play.tell(release, Abort(ANN))
        play.until(lambda: play.mesh.traffic(play.target) == ALL_STABLE)
        self.lost(play)
        play.moods(Mood.TAKING)
        with failing(play, "mesh.read"):
            play.until(lambda: play.now(release).mesh_failing)
            play.go(2)
        assert play.now(release).phase is Phase.PROMOTING
        play.until(lambda: play.now(release).held(HoldKind.HISTORY_LOST))
        assert play.world.row(play.target).target.stable == VersionRef("good-1", "good-1")
        assert play.end() == []

    def test_a_revert_is_not_proven_by_what_lost_commits_wrote_over_it(self) -> None:
        """The database fails over twice; what was written in between has the revert's own number."""
        play = Play()
        settled(play)
        release = play.event("good-2")
        play.reach(release, Phase.BAKING)
        play.moods(Mood.LAGGING)
        play.tell(release, Abort(ANN))
        play.until(lambda: self.written(play, release))
        play.world.ledger.keep()
        play.moods(Mood.TAKING)
        later = play.event("good-3")
        play.reach(later, Phase.BAKING)
        self.lost(play)
        play.reach(release, Phase.ROLLED_BACK)
        self.lost(play)
        with failing(play, "mesh.write"):
            play.until(lambda: play.now(release).mesh_failing)
            play.go(2)
        assert play.now(release).phase is Phase.ROLLING_BACK
        play.reach(release, Phase.ROLLED_BACK)
        assert play.end() == []

    def one_stands_still(self, play: Play) -> list[Actor]:
        """Whoever is the first to write does so 20 s later; nobody else gets through meanwhile."""
        late: list[Actor] = []

        def stand_still(actor: Actor, where: str) -> None:
            if late and where in ("before mesh.write", "before mesh.confirm"):
                raise Unavailable("nobody else gets through meanwhile")
            if where == "before mesh.write":
                late.append(actor)
                play.world.scheduler.sleep(20_000_000)

        play.world.trigger = stand_still
        return late

    def strip(self, play: Play) -> None:
        """Somebody takes our stamp off the route."""
        play.world.watch.routes.foreign = True
        play.mesh.strip(play.target)
        play.world.watch.routes.foreign = False

    def test_a_late_write_of_a_release_that_is_lost_supersedes_nobody(self) -> None:
        """Short seed 75363: the first version's promotion is lost as well, so that it seems to be on its way still."""
        play = Play(workers=2)
        with failing(play, "mesh.confirm"):
            first = play.event("good-1")
            play.until(lambda: self.written(play, first))
            play.world.ledger.keep()
        play.reach(first, Phase.PROMOTED)
        late = self.one_stands_still(play)
        play.event("good-2")
        play.until(lambda: late)
        play.world.ledger.lose(EVERYTHING)
        play.world.watch.lost(play.world.ledger)
        play.until(lambda: play.mesh.traffic(play.target) == Traffic(weight=5))
        play.world.trigger = None
        assert play.end() == []

    def test_a_revert_that_only_the_route_had_is_unknown_once_it_is_taken_off(self) -> None:
        """Short seed 45957: the release begins once more, and nothing can tell that it had gone back."""
        play = Play()
        settled(play)
        release = play.event("good-2")
        play.world.ledger.keep()
        play.reach(release, Phase.BAKING)
        play.tell(release, Abort(ANN))
        play.reach(release, Phase.ROLLED_BACK)
        self.lost(play)
        self.strip(play)
        play.reach(release, Phase.PROMOTED)
        assert play.end() == []

    def test_a_late_write_of_a_lost_decision_is_told_from_the_one_that_has_its_number(self) -> None:
        """Short seed 10007: a worker checks, stands still while commits are lost, and writes. No check helps there."""
        play = Play(workers=2)
        settled(play)
        release = play.event("good-2")
        play.reach(release, Phase.BAKING)
        play.world.ledger.keep()
        late = self.one_stands_still(play)
        play.until(lambda: late)
        seq = play.now(release).seq
        play.world.ledger.lose(EVERYTHING)
        play.world.watch.lost(play.world.ledger)
        play.until(lambda: play.now(release).seq >= seq)
        assert play.mesh.traffic(play.target) == Traffic(weight=5)
        play.until(lambda: play.mesh.traffic(play.target) == Traffic(weight=50))
        play.world.trigger = None
        play.until(lambda: play.now(release).held(HoldKind.HISTORY_LOST))
        assert play.end() == []

    def test_an_epoch_that_only_the_route_had_may_be_given_again_once_it_is_taken_off(self) -> None:
        """Short seed 10603: the commit that counted it is lost, and then somebody takes our stamp off the route."""
        play = Play()
        settled(play)
        release = play.event("good-2")
        play.reach(release, Phase.BAKING)
        play.world.ledger.keep()
        epoch = play.world.row(play.target).epoch
        play.restart()
        play.until(lambda: play.mesh.traffic(play.target) == Traffic(weight=50))
        play.restart()
        play.until(lambda: play.mesh.traffic(play.target) == Traffic(weight=100))
        assert play.world.row(play.target).epoch == epoch + 2
        self.lost(play)
        self.strip(play)
        play.restart()
        play.until(lambda: play.world.row(play.target).epoch == epoch + 1)
        assert play.end() == []

    def test_what_waited_does_not_rise_by_itself_where_its_own_abort_may_be_lost(self) -> None:
        play = Play()
        settled(play)
        first = play.event("good-2")
        play.reach(first, Phase.BAKING)
        play.moods(Mood.LAGGING)
        waits = play.event("good-3", urgent=True)
        play.until(lambda: play.now(first).phase is Phase.ROLLING_BACK and self.written(play, first))
        play.world.ledger.keep()
        play.moods(Mood.TAKING)
        play.reach(waits, Phase.BAKING)
        play.tell(waits, Abort(ANN))
        play.reach(waits, Phase.ROLLED_BACK)
        self.lost(play)
        assert play.now(waits).phase is Phase.QUEUED
        play.reach(first, Phase.SUPERSEDED)
        play.go(20)
        assert play.now(waits).held(HoldKind.HISTORY_LOST)
        assert play.mesh.traffic(play.target) == ALL_STABLE
        play.tell(waits, Resume(ANN, "nothing was wrong with it", admin=True, holds=(HoldKind.HISTORY_LOST,)))
        play.reach(waits, Phase.PROMOTED)
        assert play.end() == []


class TestClock:
    """The wall clock is wrong by an hour."""

    @pytest.mark.parametrize("hours", [1, -1])
    def test_a_bake_lasts_as_long_as_it_should(self, hours: int) -> None:
        play = Play()
        settled(play)
        release = play.event("good-2")
        play.reach(release, Phase.BAKING)
        begun = play.world.scheduler.monotonic
        play.world.clock.step(hours * 3600 * 1_000_000)
        play.until(lambda: play.now(release).stage == 1)
        assert 200_000 < play.world.scheduler.monotonic - begun < 3_000_000
        play.reach(release, Phase.PROMOTED)
        assert play.end() == []

    def test_it_goes_back_while_leases_are_out(self) -> None:
        play = Play(workers=2)
        settled(play)
        release = play.event("good-2")
        play.until(lambda: play.mesh.traffic(play.target) == Traffic(weight=5))
        play.restart()
        play.world.clock.step(-3600 * 1_000_000)
        play.tell(release, Abort(ANN))
        play.until(lambda: play.mesh.traffic(play.target) == ALL_STABLE, within=10)
        assert play.end() == []


def test_a_restart_goes_on_from_what_is_stored_alone(database: Sqlite) -> None:
    """Every process ends in the middle of a release, and the routes are gone: the ledger's file says all."""
    play = Play(ledger=database)
    settled(play)
    release = play.event("good-2")
    play.until(lambda: play.mesh.traffic(play.target) == Traffic(weight=50))
    for process in list(play.world.workers.values()):
        play.world.scheduler.kill(process)
    database.close()
    play.world.reopen(database(play.world.clock))
    play.mesh.forget(play.target)
    play.world.revive()
    play.until(lambda: play.mesh.traffic(play.target) == Traffic(weight=50))
    play.reach(release, Phase.PROMOTED)
    assert play.end() == []
