"""The people and systems around: CI that sends events, monitoring that sends alerts, people who press buttons."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from delivery.engine.answer import Answer, Arrival
from delivery.engine.inbox import Inbox
from delivery.machine.holds import HOLDS, Lifts
from delivery.model.event import Phase
from delivery.model.hold import HoldKind
from delivery.model.ids import Micros, Principal
from delivery.model.notice import Again, Alert, Notice, ReleaseAction, ReleaseRequested, Says
from delivery.model.place import Promotion
from delivery.model.release import Release
from delivery.model.signal import Abort, Approve, Pause, PersonSignal, PromoteNow, Reject, Resume
from delivery.model.version import VersionRef
from delivery.ports.errors import PortError
from delivery.ports.history import Filter
from tests.simulation.profiles import Profile
from tests.simulation.services import BURNING, FIRST, clusters
from tests.simulation.workloads import FAULT
from tests.simulation.world import World

STARTER = Principal("ci")
APPROVERS = (Principal("ann"), Principal("bob"), Principal("cid"))
BAD_KINDS = ("bad", "bad", "bad", "broken", "missing")
AGES = (0, 0, 0, 0, 2_000_000, 30_000_000)
RARE = ("reject", "pause", "abort", "promote", "approve", "resume")
SOURCES = ("ci", "ci", "cd")


@dataclass(frozen=True)
class Sent:
    """A delivery as it was answered first. `targets`: how many it named. `replays`: an older one it is a copy of."""

    answer: Answer
    targets: int
    replays: str = ""


@dataclass
class People:
    world: World
    profile: Profile
    sent: dict[str, Sent] = field(default_factory=dict)
    versions: int = 0
    keys: int = 0

    def send(self, inbox: Inbox, notice: Notice, targets: int = 1, replays: str = "") -> Answer:
        """Sends until it is answered, as CI does; the same key again is the same delivery."""
        while True:
            try:
                answer = inbox.accept([Arrival(notice, b"{}")])[0]
            except PortError:
                self.world.scheduler.sleep(200_000)
                continue
            self.sent.setdefault(notice.key, Sent(answer, targets, replays))
            return answer

    def say(self, inbox: Inbox, says: Says) -> Answer:
        return self.send(inbox, Notice("page", self.key(), f"digest {says}", says))

    def key(self) -> str:
        self.keys += 1
        return f"key-{self.keys:05d}"

    # CI

    def ci(self) -> None:
        """Sends releases: some twice, some late, some again under another id, some of an old version."""
        world, inbox = self.world, self.world.inbox()
        while not world.quiet:
            world.scheduler.sleep(world.random.randrange(*self.profile.ci))
            notice = self._event()
            named = len(clusters(notice.says.service)) if isinstance(notice.says, ReleaseRequested) else 1
            self.send(inbox, notice, named)
            if world.random.random() < 0.15:
                world.happened["delivered twice"] += 1
                self.send(inbox, notice, named)
            if world.random.random() < 0.1:
                world.happened["replayed under another id"] += 1
                self.send(inbox, replace(notice, key=self.key()), named, replays=notice.key)

    def first_versions(self) -> None:
        """What runs before anything happens."""
        inbox = self.world.inbox()
        for service in self.world.services:
            says = ReleaseRequested(service, FIRST, STARTER)
            self.send(inbox, Notice("ci", self.key(), "first", says), len(clusters(service)))

    def _event(self) -> Notice:
        world, dice = self.world, self.world.random
        self.versions += 1
        kind = dice.choice(BAD_KINDS) if dice.random() < self.profile.bad else "good"
        version = f"{kind}-{self.versions}"
        if self.versions > 3 and dice.random() < 0.15:
            version = f"good-{dice.randrange(1, self.versions)}"
        service = dice.choice(world.services)
        says = ReleaseRequested(service, VersionRef(version, version), STARTER, urgent=dice.random() < 0.1)
        time = Micros(world.scheduler.now - dice.choice(AGES))
        return Notice(dice.choice(SOURCES), self.key(), f"digest {says}", says, time)

    # people

    def press_buttons(self) -> None:
        """Mostly sensible ones."""
        world, inbox = self.world, self.world.inbox()
        names, weights = zip(*self.profile.buttons.items(), strict=True)
        while not world.quiet:
            world.scheduler.sleep(world.random.randrange(*self.profile.people))
            button = world.random.choices(names, weights)[0]
            found = self.open_ones()
            if button in ("again", "late"):
                self._about_a_closed_one(inbox, button)
            elif found:
                self.press(inbox, world.random.choice(found), button)

    def press(self, inbox: Inbox, release: Release, button: str) -> None:
        actor = self.world.random.choice((*APPROVERS, STARTER))
        if button == "stable":
            self._stable_again(inbox, release)
            return
        signal = _BUTTONS[button](actor, release)
        if signal is not None:
            self.say(inbox, ReleaseAction(release.id, signal))

    def _stable_again(self, inbox: Inbox, release: Release) -> None:
        """Somebody wants what is there already: whatever runs goes back."""
        service, _, cluster = release.target.partition("@")
        stable = self.world.row(release.target).target.stable
        if stable is not None:
            self.say(inbox, ReleaseRequested(service, stable, STARTER, cluster))

    def _about_a_closed_one(self, inbox: Inbox, button: str) -> None:
        closed = self.world.ledger.page(Filter(states=("closed",)), 8)
        if not closed:
            return
        release, dice = self.world.random.choice(closed).release, self.world.random
        if button == "again":
            back = release.phase is Phase.PROMOTED or dice.random() < 0.1
            self.say(inbox, Again(release.id, back, APPROVERS[0], "again"))
        else:
            self.press(inbox, release, dice.choice(RARE))

    def open_ones(self) -> list[Release]:
        return [stored.release for stored in self.world.ledger.page(Filter(states=("open",)), 100)]

    def monitor(self) -> None:
        """An alert fires, for every service that names it."""
        notice = Notice("monitor", self.key(), "burning", Alert(BURNING, self.world.clock.now()))
        self.send(self.world.inbox(), notice, len(self.world.targets))

    def finish(self) -> None:
        """With nothing going wrong any more, gives every release what it waits for, until none is open."""
        inbox = self.world.inbox()
        while True:
            found, quarantined = self.open_ones(), self._mended(inbox)
            if not found and not quarantined:
                return
            for release in found:
                self._help(inbox, release)
            self.world.scheduler.sleep(600_000)

    def _mended(self, inbox: Inbox) -> bool:
        """An admin puts back into service what a fault took out of it that was put there, and no other."""
        rows = [row for row in map(self.world.row, self.world.targets) if row.quarantined and FAULT in row.quarantined]
        for row in rows:
            release = row.target.active or row.target.last
            if release is not None:
                resume = Resume(APPROVERS[0], "mended", admin=True, holds=(HoldKind.QUARANTINED,))
                self.say(inbox, ReleaseAction(release, resume))
        return bool(rows)

    def owners(self) -> None:
        """Those who bring home themselves what has proven itself."""
        while not self.world.quiet:
            self.world.scheduler.sleep(self.world.random.randrange(*self.profile.people))
            for release in self.open_ones():
                self._bring_home(release)

    def _bring_home(self, release: Release) -> None:
        if release.home is None or release.plan.home is not Promotion.NONE or release.bound is None:
            return
        back = release.phase is Phase.ROLLING_BACK
        version = release.bound.stable if back and release.bound.stable else release.candidate
        workloads = self.world.workloads[release.target.partition("@")[2]]
        if workloads.homes[release.target].version != version:
            workloads.own(release.target, version)

    def _help(self, inbox: Inbox, release: Release) -> None:
        self._bring_home(release)
        if release.stay:
            self.say(inbox, ReleaseAction(release.id, Abort(APPROVERS[0], "its owners run something else now")))
        kinds = {hold.kind for hold in release.holds}
        if HoldKind.APPROVAL in kinds:
            for approver in APPROVERS[:2]:
                self.say(inbox, ReleaseAction(release.id, Approve(approver, "fine")))
        liftable = _liftable(release, but=HoldKind.STRAGGLERS)
        if liftable and release.phase is not Phase.QUEUED:
            signal = Resume(APPROVERS[0], "after the storm", admin=True, holds=liftable)
            self.say(inbox, ReleaseAction(release.id, signal))


def _liftable(release: Release, but: HoldKind | None = None) -> tuple[HoldKind, ...]:
    kinds = (hold.kind for hold in release.holds)
    return tuple(sorted(kind for kind in kinds if kind is not but and HOLDS[kind].lifts is not Lifts.NOBODY))


def _resume(actor: Principal, release: Release) -> PersonSignal:
    return Resume(actor, "go on", admin=True, holds=_liftable(release, HoldKind.STRAGGLERS) or (HoldKind.PAUSE,))


def _accept(actor: Principal, release: Release) -> PersonSignal | None:
    """Goes on without the proxies that do not answer."""
    if not release.held(HoldKind.STRAGGLERS):
        return None
    return Resume(actor, "they are dead", admin=True, holds=(HoldKind.STRAGGLERS,))


_BUTTONS: dict[str, Callable[[Principal, Release], PersonSignal | None]] = {
    "approve": lambda actor, release: Approve(actor, "fine"),
    "reject": lambda actor, release: Reject(actor, "no"),
    "pause": lambda actor, release: Pause(actor, "wait"),
    "resume": _resume,
    "accept": _accept,
    "abort": lambda actor, release: Abort(actor, "no"),
    "promote": lambda actor, release: PromoteNow(actor, "hurry"),
}
