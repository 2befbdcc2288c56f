"""Plays the releases against a running environment, and looks at each from the user's side and from the API's."""

import asyncio
from collections.abc import Callable
from importlib.resources import files

from delivery.sandbox.demo.api import Api, ApiError, Json
from delivery.sandbox.demo.counts import Counted
from delivery.sandbox.demo.plays import APPROVES, FIRST, PLAYS, SERVICE, STARTS, Asks, Play, Seen, expect
from delivery.sandbox.demo.show import Row, Show

ENOUGH = 100
"""Answers looked at after a release, to see who everybody meets now."""
WITHIN = 90.0
"""Seconds for one release: three times what the longest takes."""
_SERVICES = files("delivery.sandbox.demo") / "services"


class Run:
    """`counted` reads what the load has counted so far."""

    def __init__(self, api: Api, counted: Callable[[], Counted], show: Show) -> None:
        self._api = api
        self._counted = counted
        self._show = show
        self._stable = FIRST

    async def play(self, index: int, play: Play) -> Row:
        """One release from its event to its end. Raises Unexpected."""
        self._show.begin(index, play, self._stable)
        try:
            seen = await self._watched(play)
        finally:
            self._show.end()
        expect(seen.release["state"] == play.state, f"it to be {play.state.replace('_', ' ')}", _ending(seen.release))
        counted = seen.counted
        expect(counted.failed == 0, "no request to fail by switching", f"{counted.failed} did: {counted.why}")
        if play.state == "promoted":
            self._stable = play.version
        await self._everybody_meets(self._stable)
        return Row(index, play, seen, play.look(seen))

    async def _watched(self, play: Play) -> Seen:
        await self._api.apply(SERVICE, service_file(play.file), STARTS)
        start = before = self._counted()
        answer = await self._api.deliver(SERVICE, play.version, STARTS)
        expect(answer["outcome"] == "release", "the event to start a release", answer["text"])
        refused, now = "", Json()
        async with asyncio.timeout(WITHIN):
            async for now, events in self._api.follow(answer["release"]["id"], STARTS):
                for event in events:
                    self._show.event(event)
                if not _exposed(now):
                    before = self._counted()
                if play.asks is not None and not refused and _asks(now):
                    await self._try(play.asks, play.version)
                    refused = await self._approve(now["id"], play.asks)
                self._show.now(now, self._counted().since(start))
        counted = await self._counted_after(self._counted())
        ticks = await self._api.ticks(now["id"], STARTS)
        return Seen(now, ticks, counted.since(start), before.since(start), refused)

    async def _try(self, asks: Asks, version: str) -> None:
        """What an approver does first: a look at the candidate, which not everybody meets."""
        name, value = asks.preview
        answered = await self._api.look(SERVICE, {name: value})
        expect(answered == version, f"{version} to answer requests with {name}: {value}", f"{answered} did")
        self._show.remark(f"{APPROVES} looks at it with {name}: {value}; {answered} answers")

    async def _approve(self, release: str, asks: Asks) -> str:
        """First by the person who started it, who has to be refused; then by another one. Returns the refusal."""
        try:
            await self._api.say(release, "approve", STARTS, "looks fine to me")
            refused = ""
        except ApiError as error:
            refused = str(error)
        expect(bool(refused), f"{STARTS}, who started it, to be refused as approver", "the approval was taken")
        self._show.remark(f"{STARTS} may not approve it: {refused}")
        await self._api.say(release, "approve", APPROVES, asks.reason)
        return refused

    async def _everybody_meets(self, version: str) -> None:
        before = self._counted()
        async with asyncio.timeout(WITHIN):
            while (since := self._counted().since(before)).requests < ENOUGH:
                await asyncio.sleep(0.05)
        others = {name: seen.requests for name, seen in since.versions.items() if name != version and seen.requests}
        expect(not others and not since.failed, f"{version} to answer everybody now", f"these did too: {others}")

    async def _counted_after(self, before: Counted) -> Counted:
        """Counts that are newer than `before`, so that nothing of the release is missing from them."""
        async with asyncio.timeout(WITHIN):
            while (now := self._counted()).requests == before.requests:
                await asyncio.sleep(0.05)
        return now


async def prepare(api: Api) -> None:
    """The service file, and the first version: there is nothing to compare it with, so it goes to everybody."""
    await api.apply(SERVICE, service_file(PLAYS[0].file), STARTS)
    answer = await api.deliver(SERVICE, FIRST, STARTS)
    async with asyncio.timeout(WITHIN):
        release = [now async for now, _ in api.follow(answer["release"]["id"], STARTS)][-1]
    expect(release["state"] == "promoted", f"{FIRST}, the first version, to be promoted", _ending(release))


def service_file(name: str) -> str:
    """The text of one of the demo's service files."""
    return (_SERVICES / name).read_text(encoding="utf-8")


def _asks(release: Json) -> bool:
    return any(hold["kind"] == "approval" for hold in release["holds"])


def _exposed(release: Json) -> bool:
    """Whether a user may be answered by the candidate since the stage that is live."""
    stages = [*release["stages"], release["promotion"]]
    return any(stage["entered_at"] and not stage["name"].startswith("dark_launch") for stage in stages)


def _ending(release: Json) -> str:
    cause = release["cause"]["text"] if release["cause"] else "it is not over"
    return f"it is {release['state'].replace('_', ' ')}: {cause}"
