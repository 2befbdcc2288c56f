"""Releases as people name them: `412`, `#412`, `checkout/412`, `checkout@prod-eu/412`, or the id."""

import re

from delivery.cli.client import Api, Json
from delivery.cli.errors import CommandError

PATH = "/v1/releases"
_ID = re.compile(r"rel_[0-9A-Za-z]+")
_NUMBER = re.compile(r"(?:(?P<service>[a-z0-9-]+)(?:@(?P<cluster>[a-z0-9-]+))?/)?#?(?P<number>[0-9]{1,9})")


def find(api: Api, name: str) -> Json:
    """The release, whole. Raises CommandError where there is none, or several with that number."""
    if _ID.fullmatch(name):
        return api.get(f"{PATH}/{name}")
    match = _NUMBER.fullmatch(name)
    if match is None:
        how = "name it by its number (412), SERVICE/NUMBER, or its id (rel_...)"
        raise CommandError(f"{name!r} names no release", how, "`delivery release list` shows them")
    query = {"service": match["service"], "number": match["number"]}
    cluster = match["cluster"]
    found = [one for one in api.get(PATH, query)["releases"] if cluster in (None, one["cluster"])]
    if not found:
        raise CommandError(f"there is no release {name}", "`delivery release list` shows those that there are")
    if len(found) > 1:
        names = ", ".join(sorted(full_name(one) for one in found))
        raise CommandError(f"several releases have the number {match['number']}", f"say which one: {names}")
    return api.get(f"{PATH}/{found[0]['id']}")


def full_name(release: Json) -> str:
    """`checkout@prod-eu/412`: understood everywhere a release is named."""
    return f"{release['service']}@{release['cluster']}/{release['number']}"
