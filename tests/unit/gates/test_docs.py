"""docs/gates.md: its examples are gates, and the defaults it names are the defaults."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.unit.gates.play import spec

TEXT = (Path(__file__).parents[3] / "docs/gates.md").read_text(encoding="utf-8")
EXAMPLES = {
    name: words
    for block in re.findall(r"```yaml\n(.*?)```", TEXT, re.DOTALL)
    for name, words in yaml.safe_load(block).items()
}


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_is_a_gate(name):
    assert spec(EXAMPLES[name], name).params


def test_the_defaults_are_the_defaults():
    params: Mapping[str, Any] = spec({"ratio": "http_errors"}).params
    named = dict(re.findall(r"^\| `(\w+)` \| .* \| (.*) \|$", TEXT, re.MULTILINE))
    found = {field: named[field].strip("`") for field in params if field != "measure"}
    assert found.pop("no_worse_than").startswith("by exposure")
    assert found.pop("warm_up").startswith(f"{params['warm_up']}s")
    assert found == {
        "worse_than": f"{params['worse_than']:g}",
        "floor": f"{100 * params['floor']:g}%",
        "objective": "none" if params["objective"] is None else "given",
        "min_requests": str(params["min_requests"]),
        "dispersion": "learned" if params["dispersion"] is None else "given",
    }
