"""Argo CD's notifications. The body is ours to template: it is written here after docs/events.md."""

import json

import pytest

from delivery.engine.hinted import decode, encode
from delivery.model.ids import Micros, Principal
from delivery.model.notice import Hinted
from delivery.sources.argocd import ArgoCD
from delivery.sources.errors import Malformed, Unsigned

TOKEN = "a-token-of-argocd-here"
HEADERS = {"Authorization": f"Bearer {TOKEN}"}
"""Argo CD sends no Content-Type unless the service's headers name one."""
SOURCE = ArgoCD("argocd", [f"bearer {TOKEN}", "basic argocd:an-older-password-of-it"])
NOW = Micros(1_795_576_400_000_000)
BODY = {
    "application": "checkout",
    "namespace": "argocd",
    "finished_at": "2026-11-24T10:02:11Z",
    "revision": "4be1d0c0aa",
    "actor": "Alice <alice@example.org>",
}


def sent(**changes: object) -> bytes:
    return json.dumps({**BODY, **changes}).encode()


def test_a_notification_only_hints():
    notice = SOURCE.receive(HEADERS, sent(), NOW)
    facts = {key: value for key, value in BODY.items() if key != "actor"}
    assert notice.says == Hinted("deployed", facts, Principal(str(BODY["actor"])), "argocd")
    assert notice.time is None, "what is read again has its own time"
    assert SOURCE.reread(sent()) == notice
    assert decode(encode(notice.says)) == (notice.says, "")
    assert decode(encode(notice.says, "00-1-2-01")) == (notice.says, "00-1-2-01")


def test_the_same_deployment_is_the_same_delivery_however_often_it_is_told():
    first = SOURCE.receive(HEADERS, sent(), NOW)
    assert SOURCE.receive(HEADERS, json.dumps(BODY, indent=2).encode(), NOW) == first
    later = SOURCE.receive(HEADERS, sent(finished_at="2026-11-24T10:12:11Z"), NOW)
    assert later.key != first.key


@pytest.mark.parametrize("nothing", [None, ""])
def test_what_a_template_fills_in_for_nothing_is_nothing(nothing):
    notice = SOURCE.receive(HEADERS, sent(finished_at=nothing, revision=nothing, actor=nothing), NOW)
    says = notice.says
    assert isinstance(says, Hinted)
    assert (says.robot, says.actor, sorted(says.facts)) == (True, "argocd", ["application", "namespace"])


@pytest.mark.parametrize(
    "headers",
    [{}, {"Authorization": "Bearer wrong-token-of-argocd"}, {"Authorization": f"Basic {TOKEN}"}, {"x-token": TOKEN}],
)
def test_who_has_no_secret_is_refused(headers):
    with pytest.raises(Unsigned):
        SOURCE.receive(headers, sent(), NOW)


def test_its_basic_auth_is_understood_too():
    basic = {"authorization": "Basic YXJnb2NkOmFuLW9sZGVyLXBhc3N3b3JkLW9mLWl0"}
    assert SOURCE.receive(basic, sent(), NOW) == SOURCE.receive(HEADERS, sent(), NOW)


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"{{.app.metadata.name}}", "no JSON"),
        (sent(application=None), "application is missing"),
        (sent(application="../secrets"), "application"),
        (sent(appliaction="checkout"), "appliaction"),
    ],
)
def test_another_body_says_where_the_template_is(body, says):
    with pytest.raises(Malformed, match=says):
        SOURCE.receive(HEADERS, body, NOW)
