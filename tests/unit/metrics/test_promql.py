import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from delivery.adapters.metrics.prometheus.promql import BadQuery, check, filled, literally, one_of, quoted, rendered

KNOWN = ("version", "service")


@given(st.text())
def test_a_quoted_value_never_ends_early(value):
    text = quoted(value)
    assert re.fullmatch(r'"(?:\\.|[^"\\\n\r])*"', text)


@given(st.text(alphabet=st.characters(codec="utf-8", exclude_categories=["Cc"])), st.text())
def test_a_literal_matches_just_itself(value, other):
    assert re.fullmatch(literally(value), value)
    assert bool(re.fullmatch(literally(value), other)) is (value == other)


def test_a_list_is_alternatives():
    assert one_of(["a.b", "c|d"]) == r"a\.b|c\|d"


@given(st.text(), st.sampled_from(["=", "!=", "=~", "!~"]))
def test_a_value_stays_inside_its_string(value, operator):
    query = f'sum by (pod) (x{{version{operator}"{{version}}",y="1"}})'
    found = rendered(query, {"version": value})
    head, tail = f'sum by (pod) (x{{version{operator}"', '",y="1"})'
    assert found.startswith(head)
    assert found.endswith(tail)
    assert re.fullmatch(r'(?:\\.|[^"\\\n\r])*', found[len(head) : -len(tail)])


def test_in_a_regular_expression_a_value_matches_itself_alone():
    assert rendered('x{v=~"{version}.*"}', {"version": "1.4"}) == r'x{v=~"1\\.4.*"}'
    assert rendered("x{v!~'a-{version}'}", {"version": "1.4"}) == r"x{v!~'a-1\\.4'}"
    assert rendered('x{v="{version}"}', {"version": "1.4"}) == 'x{v="1.4"}'


def test_what_is_no_placeholder_stays():
    query = 'sum by (a) (rate(x{b="c{d} {0}"}[5m])) / on () y{}'
    with pytest.raises(BadQuery, match=r"no \{d\}"):
        check(query, KNOWN)
    assert check('x{b="c{0}{A}"} + y{}', KNOWN) == frozenset()
    assert filled("{service}-{version}{0}", {"service": "a", "version": "1"}) == "a-1{0}"


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ("{version}", "outside of a quoted value"),
        ('x{a="b"} + {service}', "outside of a quoted value"),
        ('x{a="{versions}"}', r"no \{versions\}; there is: \{service\}, \{version\}"),
        ("x{a=`{version}`}", "has no `"),
        ('x # "{version}"', "has no #"),
    ],
)
def test_a_query_that_cannot_be_filled_safely_is_refused(query, says):
    with pytest.raises(BadQuery, match=says):
        check(query, KNOWN)


def test_the_placeholders_of_a_query_are_told():
    assert check("""x{a="{version}-{service}", b='{version}', c="it's"}""", KNOWN) == {"version", "service"}
