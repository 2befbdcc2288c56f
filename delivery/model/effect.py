"""Work that follows from state. Standing effects are absolute: to do one twice is harmless, to lose one impossible."""

from dataclasses import dataclass

from delivery.model.hook import Step
from delivery.model.ids import HookId
from delivery.model.traffic import Traffic
from delivery.model.version import VersionRef


@dataclass(frozen=True, slots=True)
class Effect:
    pass


@dataclass(frozen=True, slots=True)
class FindStable(Effect):
    """What runs now is to be looked up where its owners keep it."""


@dataclass(frozen=True, slots=True)
class EnsureWorkload(Effect):
    """The version is to run and be ready for `share` percent of the traffic; at `home` it is only looked at."""

    version: VersionRef
    home: bool = False
    share: int = 100


@dataclass(frozen=True, slots=True)
class PublishBackend(Effect):
    """The proxies are to know the version's backend before a route names it. Follows EnsureWorkload."""

    version: VersionRef
    home: bool = False


@dataclass(frozen=True, slots=True)
class PromoteWorkload(Effect):
    """The owners' own workload is to run the version; where people do that themselves, it is only looked at."""

    version: VersionRef


@dataclass(frozen=True, slots=True)
class WriteTraffic(Effect):
    dseq: int
    traffic: Traffic


@dataclass(frozen=True, slots=True)
class ConfirmTraffic(Effect):
    dseq: int


@dataclass(frozen=True, slots=True)
class Measure(Effect):
    """A tick of the stage that is live, once the plan's `tick` is over since the last one."""

    stage: int
    dseq: int


@dataclass(frozen=True, slots=True)
class RunHook(Effect):
    """This attempt is to be made, or looked after: by its name it is made once, however often that is asked."""

    hook: HookId
    step: Step
    attempt: int


@dataclass(frozen=True, slots=True)
class Retire(Effect):
    """Backend first, then workload; only where no route names the version (looked at afresh)."""

    version: VersionRef


@dataclass(frozen=True, slots=True)
class Rest(Effect):
    """What was kept from shrinking may shrink again: no release needs it any more."""
