"""docs/service-file.md: its examples are read, its defaults are the defaults, and no field is left out."""

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from delivery.adapters.catalog.yaml_file import read_text
from delivery.catalog.check import check
from delivery.catalog.errors import Invalid
from delivery.catalog.service import Offers
from delivery.catalog.workloads import DEPLOYMENT, PROCESS, Runs
from delivery.model.plan import Plan
from delivery.model.service import Service
from delivery.strategies.plan import compile_plan
from tests.unit.catalog.parsers import GATES, STRATEGIES

PAGES = ("service-file.md", "hooks.md")
TEXT = "".join((Path(__file__).parents[3] / "docs" / page).read_text(encoding="utf-8") for page in PAGES)
EXAMPLES = re.findall(r"```yaml\n(service:.*?)```", TEXT, re.DOTALL)
CLUSTERS = {
    "local": Runs(frozenset((PROCESS,))),
    "prod-eu": Runs(frozenset((DEPLOYMENT,)), ["shop"], jobs=["checkout-*"]),
    "prod-us": Runs(frozenset((DEPLOYMENT,)), ["shop-us"]),
}
OFFERS = Offers(CLUSTERS, ["checkout"], ["console"], hosts=["platform"])
SMALLEST = "service: checkout\ncluster: local\nworkload: {process: checkout, zzz: 1}\n"
PLACED = "service: checkout\ncluster: prod-eu\nnamespace: shop\nworkload: {deployment: checkout, zzz: 1}\n"

# Every mapping that a service file can have, with a key in it that none has.
PROBES = [
    f"{PLACED}routes: [{{zzz: 1}}]\nconfig: {{zzz: 1}}\npromotion: {{zzz: 1}}\ntargets: {{prod-eu: {{zzz: 1}}}}\n",
    f"{SMALLEST}zzz: 1\npolicy: {{zzz: 1, no_data: {{zzz: 1}}, abort_on: [{{zzz: 1}}], freeze: [{{zzz: 1}}]}}\n",
    f"{SMALLEST}policy: {{approval: {{zzz: 1}}, override: {{zzz: 1}}}}\n",
    f"{SMALLEST}strategies: [canary: {{zzz: 1, sticky: {{zzz: 1}}, approval: [{{zzz: 1}}]}}]\n",
    f"{SMALLEST}strategies: [blue_green: {{zzz: 1}}, ab_test: {{zzz: 1, match: [{{zzz: 1}}]}}]\n",
    f"{SMALLEST}strategies: [dark_launch: {{zzz: 1}}, canary: {{}}]\n",
    f"{SMALLEST}strategies: [fault_test: {{zzz: 1, delay: {{zzz: 1}}, abort: {{zzz: 1}}}}]\n",
    f"{SMALLEST}hooks: {{a: {{http: platform, zzz: 1}}}}\nstrategies: [blue_green: {{smoke: {{zzz: 1}}}}]\n",
    f"{SMALLEST}strategies: [blue_green: {{preview: {{zzz: 1, jwt: {{zzz: 1}}}}}}]\n",
    f"{SMALLEST}traffic_policy: {{zzz: 1, retries: {{zzz: 1}}, circuit_breaker: {{zzz: 1}}, rate_limit: {{zzz: 1}}}}\n",
    f"{SMALLEST}gates: {{a: {{ratio: http_errors, zzz: 1}}, b: {{latency: http_duration, zzz: 1}}}}\n",
    f"{SMALLEST}gates: {{a: {{threshold: http_slow_rate, zzz: 1}}, b: {{threshold: http_success_rate, zzz: 1}}}}\n",
]


def checked(text: str) -> tuple[Service, Plan]:
    document = read_text(text, "example.yaml")
    return check(document, strategies=STRATEGIES, gates=GATES, compile_plan=compile_plan, offers=OFFERS)


def fields() -> Iterator[str]:
    """Every field that the code asks for, as the mistakes about unknown ones list them."""
    for probe in PROBES:
        with pytest.raises(Invalid) as caught:
            checked(probe)
        for mistake in caught.value.mistakes:
            if mistake.problem.startswith("is unknown"):
                yield from mistake.expected.removeprefix("one of ").split(", ")


@pytest.mark.parametrize("example", EXAMPLES, ids=range(len(EXAMPLES)))
def test_every_example_is_a_service_file(example: str) -> None:
    assert checked(example)[1].stages


def test_the_defaults_are_what_the_page_says() -> None:
    (smallest, plan), (written_out, same_plan) = (checked(example) for example in EXAMPLES[:2])
    assert plan == same_plan
    assert replace(smallest, strategies=()) == replace(written_out, strategies=())


def test_every_field_is_on_the_page() -> None:
    asked = set(fields())
    assert {"service", "rollback_window", "hold", "steps", "methods", "path", "objective", "at_most"} <= asked
    assert [field for field in sorted(asked) if not re.search(rf"[`{{ ]{field}[`:,}} ]", TEXT)] == []
