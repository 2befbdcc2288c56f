"""Reading a mapping: values by what they should be, and every mistake with its place."""

from enum import StrEnum

import pytest
from hypothesis import given
from hypothesis import strategies as st

from delivery.model import scalars
from delivery.model.fields import Fields
from delivery.model.ids import HOUR, MINUTE, SECOND, Micros
from delivery.model.mistake import Invalid, Mistake, line_of, locate


class Colour(StrEnum):
    RED = "red"
    GREEN = "green"


def said(fields: Fields) -> list[str]:
    return [str(mistake) for mistake in fields.finish()]


def test_values_of_every_kind() -> None:
    fields = Fields(
        {
            "text": "a b", "name": "check-out", "flag": False, "whole": 3, "number": 1.1, "percent": "5%",
            "share": "0.1%", "duration": "1h30m", "choice": "green", "many": ["1%", "5%"], "one": "7s",
        }
    )  # fmt: skip
    assert fields.text("text") == "a b"
    assert fields.name("name") == "check-out"
    assert fields.flag("flag") is False
    assert fields.whole("whole") == 3
    assert fields.number("number") == 1.1
    assert fields.percent("percent") == 5
    assert fields.share("share") == pytest.approx(0.001)
    assert fields.duration("duration") == HOUR + 30 * MINUTE
    assert fields.choice("choice", Colour) is Colour.GREEN
    assert fields.many("many", scalars.percent()) == (1, 5)
    assert fields.one_or_many("one", scalars.duration()) == (7 * SECOND,)
    assert said(fields) == []


def test_a_default_is_taken_only_for_a_key_that_is_absent() -> None:
    fields = Fields({"empty": None})
    assert fields.text("absent", None) is None
    fields.text("empty", "default")
    assert said(fields) == [
        "empty is empty; expected a line of text of at most 200 characters (quoted, if it looks like a number)"
    ]


def test_all_mistakes_are_collected_with_their_places() -> None:
    lines = {"strategies": 3, "strategies[0].canary": 4, "strategies[0].canary.steps[1]": 6}
    fields = Fields({"strategies": [{"canary": {"steps": ["1%", "0.5%"], "bake": "5"}}]}, lines=lines)
    (item,) = fields.subs("strategies")
    assert item.only(["canary"]) == "canary"
    canary = item.sub("canary")
    canary.many("steps", scalars.percent())
    canary.duration("bake", low=SECOND, high=HOUR)
    canary.name("sticky")
    assert fields.finish() == (
        Mistake("strategies[0].canary.bake", 4, "is '5'", "a duration such as 90s or 1h30m, from 1s to 1h"),
        Mistake("strategies[0].canary.sticky", 4, "is missing", scalars.name().expected),
        Mistake("strategies[0].canary.steps[1]", 6, "is '0.5%'", "a whole percent from 1% to 100%"),
    )


def test_a_key_that_nobody_asked_for_is_a_mistake_with_the_nearest_known_one() -> None:
    fields = Fields({"policy": {"on_drfit": "alert", "zzz": 1}})
    policy = fields.sub("policy")
    policy.choice("on_drift", Colour, None)
    assert said(fields) == [
        "policy.on_drfit is unknown, did you mean on_drift?; expected on_drift",
        "policy.zzz is unknown; expected on_drift",
    ]


def test_the_same_mapping_read_twice_tells_its_mistakes_once() -> None:
    fields = Fields({"a": {"b": 1}})
    assert fields.sub("a").text("b") == fields.sub("a").text("b") == ""
    assert len(said(fields)) == 1


def test_an_empty_mapping_has_defaults_and_another_kind_is_a_mistake() -> None:
    fields = Fields({"policy": None, "gates": [1], "notify": "x"})
    assert fields.sub("policy").flag("on", True)
    assert fields.sub("gates").keys == ()
    assert fields.sub("notify").keys == ()
    assert said(fields) == ["gates is a list; expected a mapping", "notify is 'x'; expected a mapping"]


@pytest.mark.parametrize(
    ("values", "problem"),
    [
        ({}, "strategies is missing; expected a list of 1 or more, each a mapping"),
        ({"strategies": []}, "strategies is an empty list; expected a list of 1 or more, each a mapping"),
        ({"strategies": {"a": 1}}, "strategies is a mapping; expected a list of 1 or more, each a mapping"),
        ({"strategies": ["canary"]}, "strategies[0] is 'canary'; expected a mapping"),
    ],
)
def test_lists_of_mappings(values: dict[str, object], problem: str) -> None:
    fields = Fields(values)
    fields.subs("strategies", least=1)
    assert said(fields) == [problem]


@pytest.mark.parametrize(
    ("values", "problem"),
    [
        ({}, "the document is empty; expected exactly one of canary, blue_green"),
        ({"canary": 1, "b": 2}, "the document has 2 keys (canary, b); expected exactly one of canary, blue_green"),
        ({"canray": 1}, "canray is unknown, did you mean canary?; expected one of canary, blue_green"),
    ],
)
def test_only_one_known_key(values: dict[str, object], problem: str) -> None:
    fields = Fields(values)
    assert fields.only(["canary", "blue_green"]) is None
    assert said(fields) == [problem]


def test_refused_keys_are_named_only_where_they_are() -> None:
    fields = Fields({"namespace": "shop"})
    fields.refuse(["namespace", "routes"], "is not available on the local mesh")
    assert said(fields) == ["namespace is not available on the local mesh"]


def test_check_raises_a_text_that_names_file_and_line() -> None:
    fields = Fields({"a": 1, "b": 2}, lines={"a": 7})
    with pytest.raises(Invalid) as caught:
        fields.check("checkout.yaml")
    assert str(caught.value).splitlines() == [
        "2 mistakes",
        "  checkout.yaml: b is unknown; expected nothing",
        "  checkout.yaml:7: a is unknown; expected nothing",
    ]
    Fields({}).check()


def test_lines_fall_back_to_what_is_around_a_place() -> None:
    lines = {"": 1, "gates": 4, "gates.errors": 5}
    assert line_of("gates.errors.ratio[2]", lines) == 5
    assert line_of("gates.latency", lines) == 4
    assert line_of("owners", lines) == 1
    assert locate([Mistake("gates.errors", None, "x"), Mistake("a", None, "y")], lines) == (
        Mistake("a", 1, "y"),
        Mistake("gates.errors", 5, "x"),
    )


@given(st.integers(min_value=0, max_value=720 * 3600 * 1000))
def test_durations_read_as_they_are_shown(millis: int) -> None:
    micros = Micros(millis * 1000)
    assert scalars.duration().read(scalars.show_duration(micros)) == micros


@pytest.mark.parametrize(
    "raw", ["", "5", "5d", "s", "1.5s", "30m1h", "1m1m", "-1s", " 1s", "1s\n", 5, None, "721h"], ids=repr
)
def test_what_is_no_duration(raw: object) -> None:
    assert scalars.duration().read(raw) is None


@pytest.mark.parametrize("raw", ["0%", "101%", "0.5%", "5", 5, "5 %", "%", "-1%", "5%\n", True, "٥%"], ids=repr)
def test_what_is_no_whole_percent(raw: object) -> None:
    assert scalars.percent().read(raw) is None


@pytest.mark.parametrize("raw", ["A", "-a", "a-", "a.b", "a_b", "", "a" * 64, "a\n", "ä", 1], ids=repr)
def test_what_is_no_name(raw: object) -> None:
    assert scalars.name().read(raw) is None


@pytest.mark.parametrize("raw", [True, "1", 1.0, -1, 11], ids=repr)
def test_what_is_no_whole_number(raw: object) -> None:
    assert scalars.whole(0, 10).read(raw) is None


@pytest.mark.parametrize("raw", [True, "1", float("nan"), float("inf"), -0.1, None], ids=repr)
def test_what_is_no_number(raw: object) -> None:
    assert scalars.number(0, 10).read(raw) is None


@pytest.mark.parametrize("raw", ["", " a", "a\nb", "a\0", "\ud800", "a\u2028b", "x" * 201, 5, True], ids=repr)
def test_what_is_no_line_of_text(raw: object) -> None:
    assert scalars.text().read(raw) is None


@given(st.dictionaries(st.text(), st.recursive(st.none() | st.booleans() | st.floats() | st.text(), st.lists)))
def test_reading_anything_ends_in_values_or_mistakes(values: dict[str, object]) -> None:
    fields = Fields(values)
    for key in list(values):
        fields.sub(key).text("a", None)
        fields.subs(key)
        fields.one_or_many(key, scalars.percent())
        fields.duration(key)
    assert all(str(mistake) for mistake in fields.finish())
    assert bool(fields.finish()) == bool(values)
