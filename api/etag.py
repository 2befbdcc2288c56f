"""ETag of a release: the number of its last event. If-Match: act only on what was seen.

If-Match is optional, because an abort in an emergency must not need a read first. Without it an action is for
whatever is live.
"""

import re

from api.problems import Problem

_TAG = re.compile(r'^(?:W/)?"([^"]*)"$')


def etag(number: int) -> str:
    return f'"{number}"'


def check(if_match: str | None, number: int) -> None:
    """Raises `changed-meanwhile` where If-Match is given and names another state."""
    if if_match is None or if_match.strip() == "*":
        return
    tags = [_TAG.match(part.strip()) for part in if_match.split(",")]
    if not any(tag is not None and tag[1] == str(number) for tag in tags):
        raise Problem(
            "changed-meanwhile",
            f'it is at "{number}", not at {if_match}: read it again, then decide',
            {"ETag": etag(number)},
            current=etag(number),
        )
