"""What must hold when everything has come to rest."""

from collections import Counter

from delivery.machine.desired import desired
from delivery.machine.evolve import fold
from delivery.model.codec import GENESIS, canon, link, unseal
from delivery.model.event import Approved, Closed, Event, Phase, Promoted, RollbackBegun, StagePassed, StageSkipped
from delivery.model.release import Release
from delivery.ports.history import Filter
from delivery.ports.ledger import InboxState, OutboxState
from tests.simulation.actors import Senders
from tests.simulation.world import World


def at_rest(world: World, senders: Senders) -> list[str]:
    """Every broken invariant, in words."""
    lost = world.happened["commits lost"] > 0
    broken = list(world.watch.failures)
    broken += _histories(world)
    broken += _traffic(world)
    broken += _ends(world, senders)
    broken += _outbox(world)
    if not lost:
        broken += _inbox(world, senders)
    return broken


def _histories(world: World) -> list[str]:
    """3, 4, 12: chains hold, state is the fold of stored bytes, stages pass once and in order, votes are distinct."""
    broken = []
    for stored in world.ledger.page(Filter(), 10_000):
        release, prev = stored.release, GENESIS
        events = world.ledger.events(release.id, limit=100_000)
        for number, event in enumerate(events, 1):
            if event.seq != number or event.prev != prev or link(prev, event.body) != event.hash:
                broken.append(f"invariant 3: {release.id}: the chain is broken at {number}")
            prev = event.hash
        facts = [unseal(event.body) for event in events]
        if canon(fold(facts)) != canon(release) or prev != stored.head:
            broken.append(f"invariant 3: {release.id} is not the fold of its events")
        broken += _facts(release, facts)
    return broken


def _facts(release: Release, facts: list[Event]) -> list[str]:
    broken = []
    done = [fact.stage for fact in facts if isinstance(fact, StagePassed | StageSkipped)]
    if done != sorted(set(done)):
        broken.append(f"invariant 4: {release.id} passed {done}")
    votes = [fact for fact in facts if isinstance(fact, Approved)]
    if (
        any(vote.actor == release.actor for vote in votes)
        or max(Counter((vote.stage, vote.dseq, vote.actor) for vote in votes).values(), default=1) > 1
    ):
        broken.append(f"invariant 12: {release.id}: {votes}")
    ends = [fact for fact in facts if isinstance(fact, Promoted | Closed)]
    if len(ends) > 1 or (ends and facts[-1] is not ends[0]):
        broken.append(f"{release.id} ended more than once, or went on after its end")
    if any(isinstance(fact, RollbackBegun) for fact in facts) and release.phase is Phase.PROMOTED:
        broken.append(f"{release.id} was promoted after its revert began")
    return broken


def _traffic(world: World) -> list[str]:
    """7, 18: each route is what the ledger alone says, on every proxy."""
    broken = []
    for target in world.targets:
        mesh, row = (
            world.meshes[target.partition("@")[2]],
            next(r for r in world.ledger.rows() if r.target.id == target),
        )
        if row.quarantined:
            broken.append(f"{target} is quarantined: {row.quarantined}")
        if row.target.last is None:
            continue
        release = world.ledger.releases([row.target.last])[row.target.last].release
        if row.target.active is None and row.target.service == "asking":
            continue  # a foreign change of an idle route was reported and left, as its service asks
        for name in (None, *mesh.proxies):
            found = mesh.traffic(target, name)
            if found != desired(release):
                broken.append(
                    f"invariant 7: {target} on {name or 'the mesh'} has {found}, {release.id} wants {desired(release)}"
                )
        if release.phase is Phase.PROMOTED and row.target.stable != release.candidate:
            broken.append(f"{target}: stable is {row.target.stable}, {release.id} promoted {release.candidate}")
    return broken


def _ends(world: World, senders: Senders) -> list[str]:
    """2: nothing is left open that has all it waited for."""
    return [
        f"invariant 2: {release.id} of {release.target} is still {release.phase} with {release.holds}"
        for release in senders.open_releases()
    ]


def _inbox(world: World, senders: Senders) -> list[str]:
    """1, 13: each acknowledged delivery is exactly one row for each target that it names."""
    rows = Counter(row.key.partition("#")[0] for row in world.ledger.inbox(InboxState.DONE, 100_000))
    unknown = {key for key, answer in senders.acknowledged.items() if answer.outcome == "unknown"}
    broken = [
        f"invariant 1: {key} left no row" for key in senders.acknowledged if key not in rows and key not in unknown
    ]
    made = Counter(
        release
        for answer in senders.acknowledged.values()
        if answer.outcome == "release"
        for release in answer.releases
    )
    return broken + [
        f"invariant 13: {release} was made by {count} deliveries" for release, count in made.items() if count > 1
    ]


def _outbox(world: World) -> list[str]:
    """14: every message is sent or dead."""
    waiting = world.ledger.outbox(OutboxState.WAITING, 10)
    dead = world.ledger.outbox(OutboxState.DEAD, 10)
    return [f"invariant 14: {row.key} is {row.state}: {row.error}" for row in (*waiting, *dead)]
