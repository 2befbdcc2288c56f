"""Why what a release waits for is not there yet, as it is kept for people.

No event is written for it: events grow with transitions, not with attempts. The target's row has it, in the words for
what it waits for, and the next look writes over it.
"""

from delivery.model.event import Phase
from delivery.model.release import Release
from delivery.ports.hooks import words


def awaited(release: Release, why: str, missing: str) -> str:
    """`the candidate being ready: 1 of 3 pods`: `why` it is looked at again, with what was found in place of it.

    Empty where nothing was found, or the candidate is there: from then on a hold says what is wrong with it.
    """
    waits = release.phase is Phase.PREPARING and not release.ready
    return f"{why}: {words(missing)}" if waits and missing else ""
