"""What must hold when everything has come to rest."""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from delivery.machine.announce import announce
from delivery.machine.desired import desired
from delivery.machine.evolve import evolve
from delivery.model.codec import GENESIS, canon, link
from delivery.model.event import Closed, Event, Phase, Promoted, RollbackBegun, StagePassed, StageSkipped
from delivery.model.ids import TargetId
from delivery.model.message import Message
from delivery.model.release import Release
from delivery.model.target import Target
from delivery.ports.history import Filter
from delivery.ports.rows import InboxState, OutboxState, StoredRelease
from tests.simulation.people import People
from tests.simulation.watch.ghost import read
from tests.simulation.world import World

EVERYTHING = 1_000_000


def at_rest(world: World, people: People) -> list[str]:
    """Every broken invariant, in words."""
    lossy = world.watch.ghost.lossy
    dead = {row.key for row in world.ledger.outbox(OutboxState.DEAD, EVERYTHING)}
    return [
        *(text for stored in _all(world) for text in chained(world.ledger, stored)),
        *(text for stored in _all(world) for text in _announced(world, stored, dead)),
        *(text for target in world.targets for text in _traffic(world, target)),
        *_ends(people),
        *_outbox(world, dead),
        *(() if lossy else _inbox(world, people)),
    ]


def _all(world: World) -> tuple[StoredRelease, ...]:
    found: tuple[StoredRelease, ...] = world.ledger.page(Filter(), EVERYTHING)
    return found


def chained(ledger: Any, stored: StoredRelease) -> Iterator[str]:
    """3, 4, 6: the chain holds, state is the fold of stored bytes, stages pass once and in order, an end is the end."""
    release, prev = stored.release, GENESIS
    facts, after = list[Event](), None
    for number, event in enumerate(ledger.events(release.id, limit=EVERYTHING), 1):
        if event.seq != number or event.prev != prev or link(prev, event.body) != event.hash:
            yield f"invariant 3: {release.id}: the chain is broken at {number}"
        facts.append(read(event))
        after = evolve(after, facts[-1])
        prev = event.hash
    if after is None or canon(after) != canon(release) or prev != stored.head:
        yield f"invariant 3: {release.id} is not the fold of its events"
    yield from _facts(release, facts)


def _announced(world: World, stored: StoredRelease, dead: set[str]) -> Iterator[str]:
    """14: people are told."""
    before = None
    for event in world.ledger.events(stored.release.id, limit=EVERYTHING):
        fact = read(event)
        after = evolve(before, fact)
        yield from _told(world, announce(before, fact, after), dead)
        before = after


def _facts(release: Release, facts: list[Event]) -> Iterator[str]:
    done = [fact.stage for fact in facts if isinstance(fact, StagePassed | StageSkipped)]
    if done != sorted(set(done)):
        yield f"invariant 4: {release.id} passed {done}"
    ends = [fact for fact in facts if isinstance(fact, Promoted | Closed)]
    if len(ends) > 1 or (ends and facts[-1] is not ends[0]):
        yield f"invariant 3: {release.id} ended more than once, or went on after its end"
    if any(isinstance(fact, RollbackBegun) for fact in facts) and release.phase is Phase.PROMOTED:
        yield f"invariant 6: {release.id} was promoted after its revert began"


def _traffic(world: World, target: TargetId) -> Iterator[str]:
    """7, 18: each route is what the ledger alone says, on every proxy."""
    mesh, row = world.mesh_of(target), world.row(target)
    if row.quarantined:
        yield f"invariant 2: {target} is quarantined: {row.quarantined}"
    if row.target.last is None:
        return
    release = world.ledger.releases([row.target.last])[row.target.last].release
    if row.target.active is None and (_left_alone(row.target) or _ahead(world, target)):
        return
    for name in (None, *mesh.proxies):
        found = mesh.traffic(target, name)
        if found != desired(release):
            yield f"invariant 7: {target} on {name or 'the mesh'} has {found}, {release.id} wants {desired(release)}"
    if not world.watch.ghost.lossy:
        yield from _at_home(world, row.target)
    if release.phase is Phase.PROMOTED and row.target.stable != release.candidate:
        yield f"one commit: {target}: stable is {row.target.stable}, {release.id} promoted {release.candidate}"


def _at_home(world: World, target: Target) -> Iterator[str]:
    """What its owners' own workload runs, if nobody else changed it since we did, is what is stable."""
    own = world.workloads[target.cluster].homes.get(target.id)
    if target.active is None and own is not None and own.ours and own.version != target.stable:
        yield f"home: {target.id} runs {own.version.version} at home, stable is {target.stable}"


def _left_alone(target: Target) -> bool:
    """A foreign change of this idle route was reported and left, as its service asks."""
    return target.service == "asking"


def _ahead(world: World, target: TargetId) -> bool:
    """This idle route was written by commits that are lost: people were told, and it is theirs to decide."""
    entry = world.mesh_of(target).stored(target)
    stamp = entry.stamp if entry else None
    told = any(one.kind == "history_lost" and one.subject == target for one in world.ledger.alerts(EVERYTHING))
    return told and stamp is not None and world.ledger.head_at(stamp.release, stamp.seq) != stamp.head


def _ends(people: People) -> list[str]:
    """2: nothing is left open that has all it waited for."""
    return [
        f"invariant 2: {release.id} of {release.target} is still {release.phase} with {release.holds}"
        for release in people.open_ones()
    ]


def _inbox(world: World, people: People) -> Iterator[str]:
    """1, 13: each acknowledged delivery is exactly one row for each target that it names; a copy makes no release."""
    rows = Counter(row.key.partition("#")[0] for row in world.ledger.inbox(InboxState.DONE, EVERYTHING))
    makers: Counter[str] = Counter()
    for key, sent in people.sent.items():
        if sent.answer.outcome == "unknown":
            continue
        if rows[key] != sent.targets:
            yield f"invariant 1: {key} named {sent.targets} targets and left {rows[key]} rows"
        if sent.replays and sent.answer.outcome == "release":
            yield f"invariant 13: {key} is a copy of {sent.replays} and made {sent.answer.releases}"
        makers.update(sent.answer.releases if sent.answer.outcome == "release" else ())
    yield from (f"invariant 13: {one} was made by {count} deliveries" for one, count in makers.items() if count > 1)


def _outbox(world: World, dead: set[str]) -> Iterator[str]:
    """14: what is dead has an alert, and nothing is sent twice but after a mishap."""
    alerts = {alert.subject for alert in world.ledger.alerts(EVERYTHING) if alert.kind == "outbox_dead"}
    yield from (f"invariant 14: {key} is dead without an alert" for key in dead - alerts)
    twice = sum(count - 1 for count in world.chat.posts.values())
    if twice > world.mishaps:
        yield f"invariant 14: {twice} messages were sent twice, after {world.mishaps} mishaps"


def _told(world: World, messages: Sequence[Message], dead: set[str]) -> Iterator[str]:
    for message in messages:
        service = world.ledger.releases([message.release])[message.release].release.target.partition("@")[0]
        key = f"{message.release}:{message.seq}:memory:{service}"
        if key not in dead and (message.release, message.seq, service) not in world.chat.posts:
            yield f"invariant 14: nobody was told of {message.topic} of {message.release}"
