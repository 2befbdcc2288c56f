"""A service file looked at as a whole: what `check`, `plan` and `services apply` do before anything is stored."""

from collections.abc import Callable, Mapping

from delivery.catalog.copies import unmade
from delivery.catalog.document import Document
from delivery.catalog.measured import missing
from delivery.catalog.service import GateKind, Offers, StrategyParser, parse
from delivery.model.mistake import Invalid, locate
from delivery.model.plan import Plan
from delivery.model.service import Service


def check(
    document: Document,
    *,
    strategies: Mapping[str, StrategyParser],
    gates: Mapping[str, GateKind],
    compile_plan: Callable[[Service], Plan],
    offers: Offers | None = None,
) -> tuple[Service, Plan]:
    """The service and the plan that its next release would get. Raises Invalid with every mistake and its line."""
    service = parse(document, strategies=strategies, gates=gates, offers=offers)
    try:
        plan = compile_plan(service)
        if offers and (found := (*missing(service, offers.measured), *unmade(service, offers.clusters))):
            raise Invalid(found)
    except Invalid as invalid:
        raise Invalid(locate(invalid.mistakes, document.lines), document.file) from None
    return service, plan
