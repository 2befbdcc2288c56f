"""Releases that really were, judged again: the ticks that the API has kept, through the gates of today's file."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from delivery.cli.client import Api
from delivery.cli.replay.trials import Judge
from delivery.gates.replay import replay
from delivery.model.ids import MINUTE, SECOND, Micros
from delivery.model.verdict import Counts, Earlier, Tick

MOST = 50
ENDED = ("promoted", "rolled_back")


def judged_again(api: Api, service: str, since: str, judges: Sequence[Judge]) -> list[Mapping[str, Any]]:
    """The newest releases since then that ended one way or the other, each with what every gate says of it."""
    found = api.pages("/v1/releases", "releases", {"service": service, "since": since}, MOST)
    return [_again(api, one, judges) for one in found if one["state"] in ENDED]


def _again(api: Api, release: Mapping[str, Any], judges: Sequence[Judge]) -> Mapping[str, Any]:
    ticks = list(_ticks(api, release["id"]))
    verdicts = {}
    for judge in judges:
        ended = replay(judge.gate, ticks)
        verdicts[judge.spec.id] = {
            "failed": ended.failed,
            "minutes": ended.lasted / MINUTE if ended.failed else None,
            "blocking": judge.spec.blocking and not judge.today,
        }
    failing = [
        f"{name} after {one['minutes']:.2g} min{'' if one['blocking'] else ' (not blocking)'}"
        for name, one in verdicts.items()
        if one["failed"]
    ]
    says = f"would fail {', '.join(failing)}" if failing else "no gate would fail"
    return {
        "release": release["id"],
        "number": release["number"],
        "version": release["to"]["version"],
        "state": release["state"],
        "ticks": len(ticks),
        "gates": verdicts,
        "says": says if ticks else "no tick of it is kept",
    }


def _ticks(api: Api, release: str) -> Iterator[Tick]:
    after: int | None = 0
    while after is not None:
        page = api.get(f"/v1/releases/{release}/analysis", {"after": after})
        for one in page["ticks"]:
            yield Tick(
                one["number"], one["stage"], one["stage"], _micros(one["start"]), _micros(one["end"]),
                _counts(one["candidate"]), _counts(one["stable"]), one["complete"],
                earlier=_earlier(one), copy=_counts(one["fresh"]) if one.get("fresh") else None,
            )  # fmt: skip
        after = page["next"]


def _earlier(told: Mapping[str, Any]) -> Earlier | None:
    counts = told.get("earlier")
    return Earlier(_counts(counts), _micros(told["earlier_end"])) if counts else None


def _counts(told: Mapping[str, Any]) -> Counts:
    slow = tuple(sorted((int(bound), number) for bound, number in told["slow"].items()))
    return Counts(told["requests"], told["errors"], slow)


def _micros(text: str) -> Micros:
    return Micros(round(datetime.fromisoformat(text).timestamp() * SECOND))
