"""The section `policy` of a service file: what happens when there is little traffic, no data, drift, or a freeze."""

from delivery.catalog import freeze
from delivery.model.approval_section import read_approval
from delivery.model.fields import Fields
from delivery.model.ids import HOUR, MINUTE, SECOND, Micros
from delivery.model.plan import Limit, LowTraffic
from delivery.model.scalars import duration, text
from delivery.model.service import FreezeRule, OnDrift, Policy


def read_policy(fields: Fields) -> Policy:
    """The policy; mistakes stay in `fields`."""
    no_data = fields.sub("no_data")
    return Policy(
        low_traffic=fields.choice("low_traffic", LowTraffic, LowTraffic.ADVANCE),
        min_requests=fields.whole("min_requests", 50, high=1_000_000),
        hold_limit=no_data.get("hold", duration(SECOND), Micros(10 * MINUTE)),
        at_limit=no_data.choice("then", Limit, Limit.ASK),
        on_drift=fields.choice("on_drift", OnDrift, OnDrift.ALERT),
        abort_on=tuple(item.text("alert") for item in fields.subs("abort_on")),
        freeze=tuple(_rule(item) for item in fields.subs("freeze")),
        override=read_approval(fields, "override"),
        approval=read_approval(fields, "approval"),
    )


def _rule(item: Fields) -> FreezeRule:
    rule = FreezeRule(
        cron=item.get("cron", text(100)),
        tz=item.get("tz", text(64), "UTC"),
        lasts=item.get("for", duration(MINUTE, Micros(31 * 24 * HOUR))),
    )
    if rule.tz and not freeze.is_zone(rule.tz):
        item.wrong("tz", f"is {rule.tz}, which is no time zone", "a name such as Europe/Berlin")
    elif rule.cron and rule.tz and (problem := freeze.problem(rule)):
        item.wrong("cron", f"is {rule.cron!r}: {problem}", "minute, hour, day, month and weekday, such as 0 18 * * FRI")
    return rule
