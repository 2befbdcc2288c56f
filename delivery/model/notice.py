"""What came in from outside, in one form, whatever its dialect."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from delivery.model.ids import Micros, Principal, ReleaseId
from delivery.model.signal import PersonSignal
from delivery.model.version import VersionRef


@dataclass(frozen=True, slots=True)
class ReleaseRequested:
    """No `cluster`: every cluster of the service. `urgent` supersedes."""

    service: str
    version: VersionRef
    actor: Principal
    cluster: str | None = None
    urgent: bool = False
    origin: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ReleaseAction:
    """A person's word to one release."""

    release: ReleaseId
    signal: PersonSignal


@dataclass(frozen=True, slots=True)
class Again:
    """A new release after a finished one: the same candidate again, or (`back`) the version that it replaced."""

    release: ReleaseId
    back: bool
    actor: Principal
    reason: str = ""
    via: str = "api"


@dataclass(frozen=True, slots=True)
class HandsOff:
    """Break-glass: while it is `off` nothing of ours writes the service's routes, so that people can, by hand.

    No `cluster`: every cluster of the service.
    """

    service: str
    off: bool
    actor: Principal
    reason: str = ""
    cluster: str | None = None


@dataclass(frozen=True, slots=True)
class Alert:
    """A firing alert. `labels` decide which services it is about."""

    name: str
    started: Micros
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Happened:
    """Something in another system. What it means is for the triggers of services to say.

    `facts` are what triggers choose by and make versions of; `actor` is the person behind it.
    """

    event: str
    facts: Mapping[str, str]
    actor: Principal
    origin: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Hinted:
    """Something may have happened: whoever says so may be early, late or forged. What is really there is read again by
    a worker beside it, and only that counts (`Happened`, with more facts).

    `facts` are few, and only choose whose triggers may be meant. `deployer` is who can be asked. `robot`: the sender
    could not name a person as its `actor`; whoever is found then is the one.
    """

    event: str
    facts: Mapping[str, str]
    actor: Principal
    deployer: str
    robot: bool = False


Says = ReleaseRequested | ReleaseAction | Again | HandsOff | Alert | Happened | Hinted


@dataclass(frozen=True, slots=True)
class Notice:
    """`source` and `key` make it unique; `digest` tells the same delivery from another body under the same key.

    `time` orders notices of one source about one target; None where the dialect has no order. `trace` is the
    `traceparent` of the request that brought it, where requests are traced.
    """

    source: str
    key: str
    digest: str
    says: Says
    time: Micros | None = None
    trace: str = ""
