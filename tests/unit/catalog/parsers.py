"""The real parsers, as the registry lists them."""

from collections.abc import Mapping

from delivery.catalog.service import GateKind, StrategyParser
from delivery.gates import conversion, gauge, latency, ratio, threshold
from delivery.strategies import ab_test, blue_green, canary, dark_launch, fault_test

STRATEGIES: Mapping[str, StrategyParser] = {
    "canary": canary.parse,
    "blue_green": blue_green.parse,
    "ab_test": ab_test.parse,
    "dark_launch": dark_launch.parse,
    "fault_test": fault_test.parse,
}
GATES: Mapping[str, GateKind] = {
    "ratio": ratio,
    "latency": latency,
    "threshold": threshold,
    "gauge": gauge,
    "conversion": conversion,
}
