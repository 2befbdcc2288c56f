"""The whole machine: what each signal means in each phase.

Every pair is written out. `ignore` and `refuse` (a conflict, told to the person) are rules too. All six closed phases
behave alike: nothing changes a release that is over. After the rule, whatever the signal, `step` applies the automatic
rules.
"""

from collections.abc import Mapping

from delivery.machine.rules.baseline import copy_missing, copy_ready
from delivery.machine.rules.common import Rule, ignore, look
from delivery.machine.rules.hooks import answered
from delivery.machine.rules.measuring import measured
from delivery.machine.rules.mesh import (
    confirmed,
    down,
    drifted,
    history_lost,
    refused,
    refused_again,
    unconfirmed,
    up,
)
from delivery.machine.rules.outside import alerted, outdated, stable_again, superseded, unwanted
from delivery.machine.rules.people import abort, approve, cancel, insist, pause, promote, refuse, reject, resume
from delivery.machine.rules.workload import (
    at_home,
    awaited,
    broken,
    found,
    lost,
    ready,
    restored,
    stable_back,
    stable_lost,
    start,
    unfindable,
    unstartable,
)
from delivery.model import signal as s
from delivery.model.event import Phase
from delivery.model.signal import Signal

OPEN = (Phase.QUEUED, Phase.PREPARING, Phase.SHIFTING, Phase.BAKING, Phase.PROMOTING, Phase.ROLLING_BACK)
CLOSED = tuple(phase for phase in Phase if phase.closed)

Row = tuple[type[Signal], Rule, Rule, Rule, Rule, Rule, Rule, Rule]

# fmt: off
ROWS: tuple[Row, ...] = (
    #                   queued    preparing     shifting      baking         promoting     rolling_back   closed
    (s.Approve,         refuse,   approve,      approve,      approve,       refuse,       refuse,        refuse),
    (s.Reject,          refuse,   reject,       reject,       reject,        refuse,       refuse,        refuse),
    (s.Pause,           pause,    pause,        pause,        pause,         refuse,       refuse,        refuse),
    (s.Resume,          resume,   resume,       resume,       resume,        resume,       resume,        refuse),
    (s.Abort,           cancel,   abort,        abort,        abort,         abort,        insist,        refuse),
    (s.PromoteNow,      refuse,   promote,      promote,      promote,       refuse,       refuse,        refuse),
    (s.TurnCame,        start,    ignore,       ignore,       ignore,        ignore,       ignore,        ignore),
    (s.StableIs,        ignore,   found,        ignore,       ignore,        ignore,       ignore,        ignore),
    (s.StableMissing,   ignore,   unfindable,   ignore,       ignore,        ignore,       ignore,        ignore),
    (s.WorkloadReady,   ignore,   ready,        ready,        ready,         ignore,       ignore,        ignore),
    (s.WorkloadMissing, ignore,   awaited,      lost,         lost,          ignore,       ignore,        ignore),
    (s.WorkloadFailing, ignore,   unstartable,  broken,       broken,        broken,       ignore,        ignore),
    (s.BaselineReady,   ignore,   copy_ready,   copy_ready,   copy_ready,    ignore,       ignore,        ignore),
    (s.BaselineMissing, ignore,   copy_missing, copy_missing, copy_missing,  ignore,       copy_missing,  ignore),
    (s.Confirmed,       ignore,   ignore,       confirmed,    ignore,        confirmed,    confirmed,     ignore),
    (s.Unconfirmed,     ignore,   ignore,       unconfirmed,  ignore,        unconfirmed,  unconfirmed,   ignore),
    (s.Nacked,          ignore,   refused,      refused,      refused_again, refused,      refused_again, ignore),
    (s.MeshDown,        ignore,   down,         down,         down,          down,         down,          ignore),
    (s.MeshUp,          ignore,   up,           up,           up,            up,           up,            ignore),
    (s.Measured,        ignore,   ignore,       ignore,       measured,      ignore,       ignore,        ignore),
    (s.Drifted,         ignore,   drifted,      drifted,      drifted,       drifted,      drifted,       ignore),
    (s.AlertFired,      ignore,   ignore,       alerted,      alerted,       alerted,      ignore,        ignore),
    (s.SupersededBy,    outdated, superseded,   superseded,   superseded,    ignore,       ignore,        ignore),
    (s.StableAgain,     unwanted, stable_again, stable_again, stable_again,  stable_again, ignore,        ignore),
    (s.StableUnready,   ignore,   stable_lost,  stable_lost,  stable_lost,   stable_lost,  stable_lost,   ignore),
    (s.StableReady,     ignore,   stable_back,  stable_back,  stable_back,   stable_back,  stable_back,   ignore),
    (s.HomeReady,       ignore,   ignore,       ignore,       ignore,        at_home,      restored,      ignore),
    (s.HookAnswered,    ignore,   answered,     ignore,       answered,      answered,     answered,      ignore),
    (s.HistoryLost,     ignore,   history_lost, history_lost, history_lost,  history_lost, history_lost,  ignore),
    (s.Due,             look,     look,         look,         look,          look,         look,          ignore),
)
# fmt: on


def _columns(row: Row) -> Mapping[Phase, Rule]:
    """The row's rule for each phase."""
    *open_rules, closed_rule = row[1:]
    return {**dict(zip(OPEN, open_rules, strict=True)), **dict.fromkeys(CLOSED, closed_rule)}


TABLE: Mapping[tuple[Phase, type[Signal]], Rule] = {
    (phase, row[0]): rule for row in ROWS for phase, rule in _columns(row).items()
}
