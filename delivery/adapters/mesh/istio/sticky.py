"""A split that users do not leave, as routes before the owners' own. Pure. See `mesh/envoy/sticky.py` for why.

The cookies are set in a copy of the owners' route that takes all it would take: the owners' own stays without them.
"""

import re
from typing import Any

from delivery.adapters.mesh.istio import matches
from delivery.adapters.mesh.istio.pieces import Edit, Http, entries, variant
from delivery.model.traffic import Sticky

ATTRIBUTES = "Path=/; HttpOnly; SameSite=Lax"
MAX_AGE = 7 * 24 * 3600
"""Seconds. Longer than releases last; a cookie that outlives its release matches nothing, because it names the tag."""
KIND = "sticky"


def routes(owners: Http, edit: Edit, weight: int, sticky: Sticky) -> list[Http]:
    """The cookie routes and the split that sets the cookies. At weight 0 the cookies are taken back."""
    name, tag = sticky.cookie, edit.route.tag

    def having(value: str, kind: str, weights: tuple[int, int], cookies: tuple[str, str] | None) -> list[Http]:
        split = _with_cookies(entries(owners, edit, weights), weights, cookies)
        return variant(owners, edit, f"{KIND}.{kind}", [matches.of_cookie(name, value)], route=split)

    if weight == 0:
        expired = f"{name}=; {ATTRIBUTES}; Max-Age=0"
        return having("(?:candidate|stable)-.*", "back", (100, 0), (expired, expired))
    stage = len(sticky.draws)
    values = (f"stable-{tag}-{stage}", f"candidate-{tag}")
    cookies = (_set(name, values[0]), _set(name, values[1]))
    kept = [
        *having(re.escape(values[1]), "candidate", (0, 100), None),
        *having(re.escape(values[0]), "stable", (100, 0), None),
    ]
    redrawn: list[Http] = []
    for earlier, drawn in enumerate(sticky.draws):
        weights = (100 - weight, max(0, weight - drawn))
        redrawn += having(re.escape(f"stable-{tag}-{earlier}"), f"again-{earlier}", weights, cookies)
    split = _with_cookies(entries(owners, edit, (100 - weight, weight)), (100 - weight, weight), cookies)
    return [*kept, *redrawn, *variant(owners, edit, f"{KIND}.first", [{}], route=split)]


def _set(name: str, value: str) -> str:
    return f"{name}={value}; {ATTRIBUTES}; Max-Age={MAX_AGE}"


def _with_cookies(split: list[Http], weights: tuple[int, int], cookies: tuple[str, str] | None) -> list[Http]:
    """Each destination sets its cookie, beside the headers that its owners set."""
    if cookies is None:
        return split
    wanted = [cookie for cookie, weight in zip(cookies, weights, strict=True) if weight]
    for entry, cookie in zip(split, wanted, strict=True):
        _add(entry, cookie)
    return split


def _add(entry: dict[str, Any], cookie: str) -> None:
    response = entry.setdefault("headers", {}).setdefault("response", {})
    response["add"] = {**response.get("add", {}), "set-cookie": cookie}
