"""What the load has counted, between two moments."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Served:
    """One version's answers; `errors` are those that a user saw, `users` how many users saw one."""

    requests: int = 0
    errors: int = 0
    users: int = 0


@dataclass(frozen=True, slots=True)
class Counted:
    """`failed` are requests that no version answered: failed by the switching."""

    versions: Mapping[str, Served] = field(default_factory=dict)
    failed: int = 0
    why: tuple[str, ...] = ()
    skipped: int = 0

    def of(self, version: str) -> Served:
        return self.versions.get(version, Served())

    @property
    def requests(self) -> int:
        return sum(served.requests for served in self.versions.values()) + self.failed

    def since(self, before: "Counted") -> "Counted":
        """What came after `before`. Users are not subtracted: they are told apart by version only."""
        versions = {
            name: Served(
                now.requests - before.of(name).requests, now.errors - before.of(name).errors, now.users
            )
            for name, now in self.versions.items()
        }  # fmt: skip
        why = self.why if self.failed > before.failed else ()
        return Counted(versions, self.failed - before.failed, why, self.skipped - before.skipped)


def counted(document: Mapping[str, Any]) -> Counted:
    """The load's own counters, as it writes them."""
    versions = {
        name: Served(seen["requests"], seen["errors"], seen["users_with_errors"])
        for name, seen in document["versions"].items()
    }
    return Counted(versions, document["failed_by_switching"], tuple(document["failed"]), document["skipped"])
