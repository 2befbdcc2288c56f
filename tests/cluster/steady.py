"""A steady load through the gateway in a process of its own, and what the pods have had of it stage by stage."""

import dataclasses
import json
import sys
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.cluster import wire
from tests.cluster.testbed.cluster import Cluster
from tests.cluster.testbed.process import Process, wait_until
from tests.cluster.whole import Whole

LOOK_SECONDS = 0.2
SIGMAS = 5  # a false alarm in a million


class Steady:
    """`rate` requests a second from users who keep their cookies; `headers` are NAME:VALUE:PERCENT of the users."""

    def __init__(self, cluster: Cluster, folder: Path, host: str, rate: float, headers: Sequence[str] = ()) -> None:
        self._counters = folder / "load.json"
        command = [sys.executable, "-m", "delivery.sandbox.load", "--port", str(cluster.gateway.port)]
        command += ["--service", host, "--rate", str(rate), "--counters", str(self._counters)]
        command += [word for header in headers for word in ("--header", header)]
        self._process = Process("load", command, folder / "load.log")
        wait_until("the load", self._counters.exists, 20, self._process.check)

    def counts(self) -> dict[str, Any]:
        """So far, half a second old at most."""
        found: dict[str, Any] = json.loads(self._counters.read_text())
        return found

    def wait(self, requests: int, seconds: float = 120) -> None:
        """Returns when so many have been answered."""
        wait_until(f"{requests} requests", lambda: self.counts()["answered"] >= requests, seconds, self._process.check)

    def stop(self) -> dict[str, Any]:
        """The whole count, once the last answer is there. Idempotent."""
        self._process.stop(30)
        return self.counts()


def nothing_lost(counts: dict[str, Any]) -> None:
    """Every request was sent and answered by a version; what a version answered with an error it made itself."""
    assert counts["failed"] == {}, counts
    assert counts["skipped"] == 0, counts
    assert counts["answered"] == counts["sent"], counts


@dataclasses.dataclass
class Stage:
    """A stage as it was counted at the pods, from its proof to its end: requests by version."""

    name: str
    desired: int
    level: str | None
    first: Counter[str] = dataclasses.field(default_factory=Counter)
    last: Counter[str] = dataclasses.field(default_factory=Counter)

    @property
    def requests(self) -> Counter[str]:
        return self.last - self.first

    def follows(self, candidate: str) -> None:
        """The candidate had the share that the stage wants, as far as chance allows."""
        counted, share = self.requests, self.desired / 100
        total = counted.total()
        assert total >= 50, f"{self.name}: too few requests to tell: {counted}"
        spread = (total * share * (1 - share)) ** 0.5
        assert abs(counted[candidate] - total * share) <= SIGMAS * spread, f"{self.name}: {counted}"


class Stages:
    """Looks at a release and at the pods, again and again: what was counted inside each stage, and how it ended."""

    def __init__(self, whole: Whole, release: str) -> None:
        self._whole = whole
        self._release = release
        self.found: dict[str, Stage] = {}
        self.now: dict[str, Any] = whole.release(release)

    def until_over(self, seconds: float = 180) -> str:
        """Its last state."""
        self.until("the release is over", lambda: bool(self.now["finished_at"]), seconds)
        return str(self.now["state"])

    def until_baking(self, percent: int, seconds: float = 120) -> None:
        """Returns when a stage with this share is proven."""

        def baking() -> bool:
            assert not self.now["finished_at"], self.now["text"]
            stage = _baking(self.now)
            return stage is not None and stage["split"]["desired"] == percent

        self.until(f"{percent} % is proven", baking, seconds)

    def until(self, what: str, condition: Any, seconds: float) -> None:
        def looked() -> bool:
            self.look()
            return bool(condition())

        try:
            self._whole.until(what, looked, seconds)
        except Exception as error:
            error.add_note(json.dumps(self._whole.get(f"/v1/releases/{self._release}/explain"), indent=1))
            raise

    def look(self) -> None:
        """One look; counts are taken between two looks that show the same stage."""
        before = _baking(self.now)
        counted = self._counted() if before is not None else None
        self.now = self._whole.release(self._release)
        after = _baking(self.now)
        if before is None or after is None or counted is None or before["name"] != after["name"]:
            time.sleep(LOOK_SECONDS)
            return
        split = after["split"]
        stage = self.found.setdefault(
            after["name"], Stage(after["name"], split["desired"], split["level"], first=counted)
        )
        stage.last = counted
        time.sleep(LOOK_SECONDS)

    def _counted(self) -> Counter[str] | None:
        try:
            return wire.served(self._whole.cluster, self._whole.namespace)
        except (OSError, KeyError):  # a pod comes or goes
            return None


def _baking(release: dict[str, Any]) -> dict[str, Any] | None:
    for stage in (*release["stages"], release["promotion"]):
        if stage["state"] == "baking":
            found: dict[str, Any] = stage
            return found
    return None
