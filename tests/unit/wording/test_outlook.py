"""What gates would see, as people read it."""

from delivery.gates.outlook import Load, Outlook, Seen
from delivery.model.ids import GateId
from delivery.wording.outlook import told
from delivery.wording.units import THIN


def lines(*seen, passes=None):
    outlook = Outlook(GateId("errors"), seen, passes)
    return [line.replace(THIN, " ") for line in told(Load(10, 0.001), (outlook,))]


def test_what_would_be_found_and_when():
    assert lines(Seen(2, 0.11, 23.4), Seen(4, 0.77, 20.0), Seen(10, 1.0, 11.0)) == [
        "errors at 10 requests a second with 0.1 % errors would catch a version that is twice as bad "
        "in 11 % of releases (after 23 min), 4 times in 77 % (after 20 min) and 10 times in 100 % (after 11 min)"
    ]


def test_what_is_found_at_once_is_told_in_seconds():
    assert lines(Seen(4, 0.5, 0.96), Seen(10, 1.0, 1 / 30))[0].endswith(
        "4 times as bad in 50 % of releases (after 58 s) and 10 times in 100 % (after 2 s)"
    )


def test_a_gate_that_sees_next_to_nothing_is_a_warning():
    assert lines(Seen(2, 0.0, None), Seen(10, 0.26, 21.0))[1:] == [
        "warning: errors sees next to nothing at this traffic; a longer last stage at 50 % is the cheapest remedy"
    ]


def test_a_pass_that_hardly_anybody_gets_is_a_warning():
    assert lines(Seen(10, 1.0, 3.0), passes=0.12)[1:] == [
        "warning: errors must pass, and would for 12 % of healthy releases; the others would wait for people"
    ]
    assert lines(Seen(10, 1.0, 3.0), passes=0.98)[1:] == []


def test_nothing_to_see_is_nothing_to_say():
    assert told(Load(10, 0.001), ()) == ()
