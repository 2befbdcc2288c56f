"""A split that users do not leave. Pure.

Both destinations set a cookie, or stable's users would be drawn again at every request. A stable cookie names the stage
it was drawn in: after a raise from p to q its user is drawn once more, with (q-p)/(100-p), which makes the share of
*users* q.
"""

from collections.abc import Mapping
from typing import Any

from delivery.adapters.mesh.envoy.actions import Action, Cookie, Limits, Share, to_cluster, to_split
from delivery.model.traffic import Sticky

ATTRIBUTES = "Path=/; HttpOnly; SameSite=Lax"
MAX_AGE = 7 * 24 * 3600
"""Seconds. Longer than releases last; a cookie that outlives its release matches nothing, because it names the tag."""


def routes(
    any_path: Mapping[str, Any],
    pair: tuple[str, str],
    weight: int,
    sticky: Sticky,
    tag: str,
    limits: Limits | None = None,
) -> list[Action]:
    """The cookie routes and, last, the split over stable and candidate. At weight 0 the cookies are taken back."""
    stable, candidate = pair

    def with_cookie(wanted: Mapping[str, Any]) -> dict[str, Any]:
        return {**any_path, "cookies": [Cookie(sticky.cookie, wanted).match()]}

    if weight == 0:
        ours = with_cookie({"safe_regex": {"regex": "(candidate|stable)-.*"}})
        expired = f"{sticky.cookie}=; {ATTRIBUTES}; Max-Age=0"
        return [to_cluster(ours, stable, cookie=expired), to_cluster(any_path, stable)]
    stage = len(sticky.draws)
    values = (f"stable-{tag}-{stage}", f"candidate-{tag}")
    cookies = tuple(f"{sticky.cookie}={value}; {ATTRIBUTES}; Max-Age={MAX_AGE}" for value in values)
    kept = [
        to_cluster(with_cookie({"exact": values[1]}), candidate, limits=limits),
        to_cluster(with_cookie({"exact": values[0]}), stable),
    ]

    def drawn(wanted: Mapping[str, Any], more: int) -> list[Action]:
        shares = Share(stable, 100 - weight, cookies[0]), Share(candidate, more, cookies[1], limits)
        return to_split(wanted, shares)

    redrawn = [
        action
        for earlier, before in enumerate(sticky.draws)
        for action in drawn(with_cookie({"exact": f"stable-{tag}-{earlier}"}), max(0, weight - before))
    ]
    return [*kept, *redrawn, *drawn(any_path, weight)]
