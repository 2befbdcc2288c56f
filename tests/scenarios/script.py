"""Scenarios as tables: on the left what happens, on the right the state that it leads to.

A service file is compiled as the service compiles it; the machine plays against it, a second between two lines. The
state is what runs (number, phase, traffic of the candidate, holds), what waits, or what is stable where nothing runs.
In brackets: what an admission came to, or that a person was refused.
"""

import re
from collections.abc import Callable
from dataclasses import replace
from difflib import ndiff
from textwrap import dedent
from typing import Any

import pytest
import yaml

from delivery.catalog.document import Document
from delivery.catalog.service import parse
from delivery.machine.calling import running
from delivery.machine.desired import desired
from delivery.machine.refusal import Refusal
from delivery.model import signal as s
from delivery.model.context import Freeze, Stop
from delivery.model.event import Level
from delivery.model.hold import HoldKind
from delivery.model.ids import Micros, Principal, ReleaseId
from delivery.model.notice import Alert, Notice
from delivery.model.release import Release
from delivery.model.scalars import duration
from delivery.model.target import Retiring
from delivery.model.verdict import Verdict
from delivery.registry import GATES, STRATEGIES
from delivery.strategies.plan import compile_plan
from delivery.testing.builders import CAROL, TargetStory, a_target, a_tick, a_version

Say = Callable[["Play", re.Match[str]], str | None]
HEAD = """
service: checkout
cluster: local
workload: {process: checkout}
"""


class Play:
    """A target that a table is played against."""

    def __init__(self, service: str, *, first: bool = False) -> None:
        self.service = parse(Document(yaml.safe_load(HEAD + dedent(service))), strategies=STRATEGIES, gates=GATES)
        self.target: TargetStory = a_target(plan=compile_plan(self.service), **({"stable": None} if first else {}))
        self.target.policy = self.service.on_new_version

    def line(self, line: str) -> str:
        """Plays one line; the state afterwards."""
        for pattern, say in SAYS.items():
            if (match := re.fullmatch(pattern, line)) is not None:
                try:
                    result = say(self, match)
                except Refusal as refusal:
                    result = f"refused: {refusal.kind}"
                return f"{self.state()} ({result})" if result else self.state()
        raise ValueError(f"nobody understands: {line}")

    def state(self) -> str:
        world = self.target.world
        waiting = "".join(f", #{world.releases[one].number} waits" for one in world.target.queue)
        if world.active is None:
            ended = f", #{world.last.number} {world.last.phase}" if world.last else ""
            return f"idle on {world.target.stable.version if world.target.stable else 'nothing'}{ended}"
        holds = ",".join(hold.kind.value for hold in world.active.holds)
        held = (f" [{holds}]" if holds else "") + calls(world.active)
        return f"#{world.active.number} {world.active.phase} {traffic(world.active)}{held}{waiting}"

    @property
    def retiring(self) -> dict[str, Micros]:
        """Versions that are to go, and when."""
        entries: tuple[Retiring, ...] = self.target.world.target.retiring
        return {entry.version.version: entry.after for entry in entries}


def calls(release: Release) -> str:
    """` calls smoke`: the hook that runs."""
    found = running(release)
    return "" if found is None else f" calls {found.hook}"


def traffic(release: Release) -> str:
    """`10% mirror`, `ab_test`, `5%`: what the candidate is to get."""
    now = desired(release)
    if now.mirror is not None:
        return f"{now.mirror.percent}% mirror"
    parts = [rule.name for rule in now.rules] + ([f"{now.weight}%"] if now.weight or not now.rules else [])
    return "+".join(parts)


def play(service: str, table: str, *, first: bool = False) -> Play:
    """Plays the table and compares all of it at once, so that a failure shows where the stories part."""
    acted = Play(service, first=first)
    rows = [tuple(cell.strip() for cell in row.split("|")) for row in table.splitlines() if row.strip()]
    width = max(len(row[0]) for row in rows)
    expected = [f"{happens.ljust(width)} | {state}" for happens, state in rows]
    found = [f"{happens.ljust(width)} | {acted.line(happens)}" for happens, _ in rows]
    if found != expected:
        pytest.fail("the story went another way:\n" + "\n".join(ndiff(expected, found)), pytrace=False)
    return acted


def _span(text: str) -> Micros:
    span = duration().read(text)
    assert span is not None, text
    return span


def _ci(play: Play, match: re.Match[str]) -> str:
    words = (match["more"] or "").split()
    changes: dict[str, Any] = {"actor": Principal("alice"), "urgent": "urgent" in words}
    if "late" in words:
        changes["time"] = Micros(play.target.context.now - 3_600_000_000)
    return play.target.ask(a_version(match["version"]), **changes).reason


def _tell(*signals: s.Signal) -> Say:
    def say(play: Play, match: re.Match[str]) -> None:
        play.target.tell(*signals)

    return say


def _proxies(play: Play, match: re.Match[str]) -> None:
    dseq = play.target.active.dseq
    answers = {
        "confirm": s.Confirmed(dseq, Level.ACKED, 3),
        "lag": s.Unconfirmed(dseq, ("gateway-1",)),
        "refuse": s.Nacked(dseq, "unknown cluster"),
    }
    play.target.tell(answers[match["how"]])


def _tick(play: Play, match: re.Match[str]) -> None:
    release = play.target.active
    verdict = Verdict(match["verdict"] or "continue")
    tick = a_tick(release, verdict, **({"requests": int(match["requests"])} if match["requests"] else {}))
    play.target.tell(replace(tick, baked=Micros(0)) if match["early"] else tick, after=15_000_000)


def _hook(play: Play, match: re.Match[str]) -> None:
    ok = {"succeeds": True, "fails": False, "runs": None}
    run = next(run for run in reversed(play.target.active.hooks) if run.hook == match["name"])
    play.target.tell(s.HookAnswered(run.hook, run.step, run.attempt, ok[match["how"]], match["why"] or ""))


def _wait(play: Play, match: re.Match[str]) -> None:
    play.target.tell(s.Due(), after=_span(match["span"]))


def _around(name: str) -> Say:
    def say(play: Play, match: re.Match[str]) -> None:
        now = play.target.context.now
        values: dict[str, Any] = {
            "freeze": Freeze("weekend", Micros(now + 1), Micros(now + 3_600_000_000)),
            "thaw": None,
            "stop": Stop(CAROL, "incident 7", now),
            "go on": None,
        }
        field = "freeze" if name in ("freeze", "thaw") else "stop"
        play.target.context = replace(play.target.context, **{field: values[name]})
        play.target.tell(s.Due())

    return say


def _person(play: Play, match: re.Match[str]) -> str:
    who, _, group = match["who"].partition("@")
    signals: dict[str, type[s.PersonSignal]] = {
        "approves": s.Approve,
        "rejects": s.Reject,
        "pauses": s.Pause,
        "aborts": s.Abort,
        "promotes": s.PromoteNow,
    }
    signal = signals[match["does"]](Principal(who), groups=(group,) if group else ())
    return play.target.act(signal, _numbered(play, match)).reason


def _resume(play: Play, match: re.Match[str]) -> str:
    holds = tuple(HoldKind(kind) for kind in match["holds"].split(","))
    admin = match["who"] == "root"
    return play.target.act(s.Resume(Principal(match["who"]), match["why"] or "", admin=admin, holds=holds)).reason


def _numbered(play: Play, match: re.Match[str]) -> ReleaseId | None:
    return play.target.release(int(match["number"])).id if match["number"] else None


def _again(play: Play, match: re.Match[str]) -> str:
    release = play.target.release(int(match["number"])).id
    actor = Principal(match["who"])
    return play.target.again(release, back=match["does"] == "rolls back", actor=actor).reason


def _alert(play: Play, match: re.Match[str]) -> str:
    now = play.target.context.now
    says = Alert(match["name"], Micros(now - 3_600_000_000 if match["old"] else now))
    return play.target.admit(Notice("alertmanager", f"alert-{now}", "", says)).reason


SAYS: dict[str, Say] = {
    r"ci: (?P<version>\S+)(?P<more>( \w+)*)": _ci,
    r"candidate ready": _tell(s.WorkloadReady()),
    r"candidate missing": _tell(s.WorkloadMissing("deployment checkout")),
    r"candidate failing": _tell(s.WorkloadFailing("exit code 1")),
    r"stable ready": _tell(s.StableReady()),
    r"stable unready": _tell(s.StableUnready("0 of 3 pods")),
    r"mesh down": _tell(s.MeshDown("connection refused")),
    r"mesh up": _tell(s.MeshUp()),
    r"somebody edits the route": _tell(s.Drifted("weight 50", 1)),
    r"history lost": _tell(s.HistoryLost("the stamp of event 12", 0)),
    r"proxies (?P<how>confirm|lag|refuse)": _proxies,
    r"tick(?P<early> early)?( (?P<verdict>pass|fail|no_data|inconclusive))?( (?P<requests>\d+) requests)?": _tick,
    r"hook (?P<name>\S+) (?P<how>succeeds|fails|runs)(, (?P<why>.+))?": _hook,
    r"wait (?P<span>\S+)": _wait,
    r"freeze": _around("freeze"),
    r"thaw": _around("thaw"),
    r"stop": _around("stop"),
    r"go on": _around("go on"),
    r"(?P<who>\S+) (?P<does>approves|rejects|pauses|aborts|promotes)( #(?P<number>\d+))?": _person,
    r"(?P<who>\S+) resumes (?P<holds>\S+)( because (?P<why>.+))?": _resume,
    r"(?P<who>\S+) (?P<does>retries|rolls back) #(?P<number>\d+)": _again,
    r"alert (?P<name>\w+)(?P<old> from before)?": _alert,
}
