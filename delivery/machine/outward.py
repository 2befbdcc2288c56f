"""What an event means to other systems. Derived, so that it is told once, however often it is derived."""

from delivery.machine.announce import needs_people
from delivery.model import event as events
from delivery.model.event import Event, Phase
from delivery.model.outward import Topic
from delivery.model.place import Promotion
from delivery.model.release import Release


def topic(before: Release | None, event: Event, after: Release) -> Topic | None:
    """None for what is nobody else's business."""
    match event:
        case events.Started():
            return Topic.STARTED
        case events.StageEntered() if after.phase is Phase.BAKING:  # only looked at: nothing has to be proven
            return Topic.STAGE_REACHED
        case events.TrafficConfirmed() if before is not None and before.phase is Phase.SHIFTING:
            return Topic.STAGE_REACHED
        case events.HoldPlaced(hold=hold) if needs_people(hold):
            return Topic.NEEDS_PERSON
        case events.HomeBegun() if after.plan.home is Promotion.NONE:
            return Topic.NEEDS_PERSON
        case events.Promoted():
            return Topic.PROMOTED
        case events.Closed(phase=phase):
            return Topic.ROLLED_BACK if phase is Phase.ROLLED_BACK else Topic.ENDED
    return None
