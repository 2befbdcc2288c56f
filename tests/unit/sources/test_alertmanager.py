import base64
import json
from pathlib import Path

import pytest

from delivery.model.ids import Micros
from delivery.model.notice import Alert
from delivery.sources.alertmanager import Alertmanager
from delivery.sources.errors import Malformed, Unsigned

RECORDED = Path(__file__).parent / "recorded"
TOKEN = "a-token-of-alertmanager"
HEADERS = {"Authorization": f"Bearer {TOKEN}", "User-Agent": "Alertmanager/0.25.0", "Content-Type": "application/json"}
SOURCE = Alertmanager("alerts", [f"bearer {TOKEN}"])
NOW = Micros(1_795_576_400_000_000)
STARTED = Micros(1_795_576_387_933_445)


def recorded(name: str) -> bytes:
    """What Alertmanager 0.25 sent, but for the name of its machine."""
    return (RECORDED / f"alertmanager-{name}.json").read_bytes()


def changed(**fields: object) -> bytes:
    payload = json.loads(recorded("one-resolved"))
    payload["alerts"][0] |= fields
    return json.dumps(payload).encode()


def test_every_firing_alert_is_a_notice_of_its_own():
    found = SOURCE.receive_each(HEADERS, recorded("two-firing"), NOW)
    assert [notice.says for notice, _ in found] == [
        Alert("CheckoutErrors", STARTED, {"cluster": "local", "service": service, "severity": "page"})
        for service in ("checkout", "payments")
    ]
    assert {notice.source for notice, _ in found} == {"alerts"}
    assert len({notice.key for notice, _ in found}) == 2


def test_an_alert_is_the_same_delivery_in_whichever_company_it_comes_again():
    first = SOURCE.receive_each(HEADERS, recorded("two-firing"), NOW)[0]
    (again,) = SOURCE.receive_each(HEADERS, changed(annotations={"value": "7 %"}), NOW)
    assert again == first


def test_the_next_time_it_fires_it_is_another_one():
    (one,) = SOURCE.receive_each(HEADERS, recorded("one-resolved"), NOW)
    (other,) = SOURCE.receive_each(HEADERS, changed(startsAt="2026-11-25T04:13:07.933445506Z"), NOW)
    assert one[0].key != other[0].key


def test_resolved_alerts_say_nothing():
    assert SOURCE.receive_each(HEADERS, changed(status="resolved"), NOW) == []


def test_each_can_be_read_again_from_its_own_body():
    for notice, body in SOURCE.receive_each(HEADERS, recorded("two-firing"), NOW):
        assert SOURCE.reread(body) == notice


def test_a_user_and_a_password_do_too():
    source = Alertmanager("alerts", ["basic alerts:correct-horse-battery"])
    pair = base64.b64encode(b"alerts:correct-horse-battery").decode()
    assert source.receive_each({"authorization": f"basic {pair}"}, recorded("two-firing"), NOW)
    with pytest.raises(Unsigned):
        source.receive_each({"authorization": f"basic {pair[:-4]}"}, recorded("two-firing"), NOW)


@pytest.mark.parametrize(
    "headers",
    [{}, {"Authorization": "Bearer"}, {"Authorization": f"Basic {TOKEN}"}, {"Authorization": f"Bearer {TOKEN}x"}],
)
def test_nobody_else_is_heard_whatever_the_body_says(headers):
    with pytest.raises(Unsigned, match="Authorization"):
        SOURCE.receive_each(headers, b"no json", NOW)


def test_without_a_secret_nothing_is_accepted():
    with pytest.raises(Unsigned):
        Alertmanager("alerts", []).receive_each(HEADERS, recorded("two-firing"), NOW)


@pytest.mark.parametrize(
    "secret", ["", TOKEN, "bearer short", "basic alerts", "Bearer " + TOKEN, "basic :long-password"]
)
def test_a_secret_that_is_none_is_refused(secret):
    from delivery.registry import SOURCES

    with pytest.raises(ValueError, match="bearer TOKEN"):
        SOURCES["alertmanager"]("alerts", [secret])


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        (b"{}", "/version"),
        (b'{"version": "3", "alerts": []}', "/version"),
        (b'{"version": "4"}', "/alerts"),
        (b'{"version": "4", "alerts": [1]}', "/alerts"),
        (b'{"version": "4", "alerts": [{}]}', "/alerts/0"),
        (changed(status="pending"), "/alerts/0"),
        (changed(startsAt="yesterday"), "/alerts/0"),
        (changed(startsAt="2026-13-25T04:13:07Z"), "/alerts/0"),
        (changed(fingerprint="../.."), "/alerts/0"),
        (changed(labels={"service": "checkout"}), "/alerts/0"),
        (changed(labels={"alertname": "A", "service": 7}), "/alerts/0"),
        (changed(labels=[]), "/alerts/0"),
    ],
)
def test_what_is_no_alert_is_refused_with_its_place(body, pointer):
    with pytest.raises(Malformed) as refused:
        SOURCE.receive_each(HEADERS, body, NOW)
    assert refused.value.pointer == pointer


def test_fields_that_a_newer_alertmanager_may_add_pass():
    assert SOURCE.receive_each(HEADERS, changed(silenced=False), NOW)
