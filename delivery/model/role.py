"""What somebody may do, least first."""

from enum import StrEnum


class Role(StrEnum):
    """Each may do what the ones before it may."""

    VIEWER = "viewer"  # reads
    APPROVER = "approver"  # and approves, rejects, and does what only lowers exposure: pause, abort
    OPERATOR = "operator"  # and starts, resumes, promotes, applies services, sets the stop, replays dead rows
    ADMIN = "admin"  # and lifts quarantined and history_lost, deletes services

    def covers(self, needed: "Role") -> bool:
        order = list(Role)
        return order.index(self) >= order.index(needed)
