"""Tokens of the organisation's provider, and signing in there: a real provider on loopback, honest and not."""

import base64
import hmac
import json
from urllib.parse import parse_qsl, urlsplit

import httpx
import jwt
import pytest
from fastapi.testclient import TestClient

from api.oidc.flow import Attempt
from api.oidc.setup import Identity
from api.oidc.verify import LEEWAY, LONGEST, Untrusted
from delivery.adapters.ledger.memory import MemoryLedger
from delivery.machine.evolve import fold
from delivery.settings import Oidc, Person
from tests.api.browser import Browser
from tests.api.test_webhooks import kind
from tests.api.world import BASE, SERVICE, ManualClock, World, bearer
from tests.oidc import CLIENT, LEFT_OUT, SECRET, new_key

API = "delivery-api"
ROLES = {"admin": ["platform"], "operator": ["payments", "search"], "viewer": ["*"]}
PEOPLE = (
    Person(principal="alice", role="operator", groups=("sre",), oidc=("Alice@example.org",)),
    Person(principal="bob", role="viewer"),
)
ALICE = {"sub": "s-alice", "email": "alice@example.org", "email_verified": True, "groups": ["payments"]}


@pytest.fixture
def world(idp) -> World:
    clock = ManualClock()
    oidc = Oidc.model_validate(
        {
            "issuer": idp.issuer,
            "audience": API,
            "client_id": CLIENT,
            "client_secret": SECRET,
            "title": "Example",
            "roles": ROLES,
        }
    )
    return World(MemoryLedger(clock, fold), clock, identity=Identity(oidc, {}, PEOPLE))


def asked(http, token):
    return http.get("/v1/releases", headers={"Authorization": f"Bearer {token}"})


def why(answer):
    assert (answer.status_code, kind(answer)) == (401, "unauthenticated")
    return answer.json()["detail"]


def test_a_token_of_the_provider_opens_what_the_groups_open(http, idp):
    assert asked(http, idp.token(API, **ALICE)).status_code == 200
    for groups, may in ((["payments"], True), ([], False), ("platform", True), (["nobody"], False)):
        token = idp.token(API, **{**ALICE, "email": "carol@example.org", "groups": groups})
        answer = http.put("/v1/stop", json={"reason": "x"}, headers={"Authorization": f"Bearer {token}"})
        assert answer.status_code == (200 if may else 403), groups


def test_somebody_who_is_called_as_a_token_is_meets_it_nowhere(http, idp):
    """Its keys are its own, and so is how often it may ask."""
    http.put("/v1/services/checkout", json=SERVICE, headers=bearer("olga"))
    token = idp.token(API, **{**ALICE, "email": "olga-laptop"})
    for number, headers in enumerate(({"Authorization": f"Bearer {token}"}, bearer("olga"))):
        body = {"service": "checkout", "version": f"1.4.{number}"}
        answer = http.post("/v1/releases", json=body, headers={**headers, "Idempotency-Key": "build-912"})
        assert answer.status_code == 201, answer.text


def test_somebody_is_the_same_person_whatever_they_come_with(http, idp):
    headers = {"Authorization": f"Bearer {idp.token(API, **ALICE)}"}
    http.put("/v1/stop", json={"reason": "x"}, headers=headers)
    assert http.get("/v1/stop", headers=headers).json()["stops"][0]["by"] == "alice"


def test_an_address_is_one_person_however_it_is_written(http, idp):
    for name in ("Carol@Example.org", "carol@example.org"):
        headers = {"Authorization": f"Bearer {idp.token(API, **{**ALICE, 'email': name})}"}
        http.put("/v1/stop", json={"reason": "x"}, headers=headers)
        assert http.get("/v1/stop", headers=headers).json()["stops"][0]["by"] == "carol@example.org"


def test_nobody_gets_the_name_of_somebody_else(http, idp):
    for name in ("bob", "olga"):
        detail = why(asked(http, idp.token(API, **{**ALICE, "email": name})))
        assert f'oidc = ["{name}"]' in detail


def tamper(token, **changes):
    head, claims, signature = token.split(".")
    told = json.loads(base64.urlsafe_b64decode(claims + "=="))
    changed = base64.urlsafe_b64encode(json.dumps(told | changes).encode()).rstrip(b"=").decode()
    return f"{head}.{changed}.{signature}"


def by_hand(head, claims, key=b""):
    """A token that no library would make."""
    parts = [base64.urlsafe_b64encode(json.dumps(one).encode()).rstrip(b"=").decode() for one in (head, claims)]
    text = ".".join(parts)
    mac = hmac.digest(key, text.encode(), "sha256") if key else b""
    return f"{text}.{base64.urlsafe_b64encode(mac).rstrip(b'=').decode()}"


def wrong_tokens(idp):
    good = {"iss": idp.issuer, "aud": API, "iat": idp.now, "exp": idp.now + 300, **ALICE}
    pem = idp.keys["k1"].public_key()
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    shown = pem.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    now = int(idp.now)
    return {
        "no algorithm": (by_hand({"alg": "none", "kid": "k1"}, good), "another algorithm"),
        "no algorithm, in another case": (by_hand({"alg": "NoNe", "kid": "k1"}, good), "another algorithm"),
        "the public key as a shared secret": (by_hand({"alg": "HS256", "kid": "k1"}, good, shown), "another algorithm"),
        "an algorithm that is not allowed": (idp.token(API, alg="ES512", key=_p521(), **ALICE), "another algorithm"),
        "an algorithm of another kind of key": (idp.token(API, alg="RS256", key=new_key("RS256"), **ALICE), "wrong"),
        "another key under the same id": (idp.token(API, key=new_key(), **ALICE), "signature"),
        "a key that is not there": (_unknown(idp), "no such key"),
        "another audience": (idp.token("another", **ALICE), "not for the audience delivery-api"),
        "no audience": (idp.token(LEFT_OUT, **ALICE), "aud"),
        "expired": (idp.token(API, **{**ALICE, "exp": now - LEEWAY}), "expired"),
        "no end": (idp.token(API, **{**ALICE, "exp": LEFT_OUT}), "exp"),
        "no beginning": (idp.token(API, **{**ALICE, "iat": LEFT_OUT}), "iat"),
        "from the future": (idp.token(API, **{**ALICE, "iat": now + LEEWAY + 1}), "not valid yet"),
        "not before": (idp.token(API, **{**ALICE, "nbf": now + LEEWAY + 1}), "not valid yet"),
        "nobody": (idp.token(API, **{**ALICE, "sub": LEFT_OUT}), "sub"),
        "no address": (idp.token(API, **{**ALICE, "email": LEFT_OUT}), "no claim email"),
        "an address that anybody may write": (idp.token(API, **{**ALICE, "email_verified": False}), "not verified"),
        "an address that nobody looked at": (idp.token(API, **{**ALICE, "email_verified": LEFT_OUT}), "not verified"),
        "an address of two lines": (idp.token(API, **{**ALICE, "email": "a\nb"}), "no claim email"),
        "changed on its way": (tamper(idp.token(API, **ALICE), email="root@example.org"), "signature"),
        "very long": (idp.token(API, **ALICE, padding="x" * LONGEST), "longer"),
        "an end that is text": (by_hand_signed(idp, {**good, "exp": "tomorrow"}), "no number"),
    }


def _p521():
    from cryptography.hazmat.primitives.asymmetric import ec

    return ec.generate_private_key(ec.SECP521R1())


def _unknown(idp):
    return jwt.encode({"iss": idp.issuer, "aud": API, **ALICE}, new_key(), "ES256", headers={"kid": "k9"})


def by_hand_signed(idp, claims):
    """Signed well, with claims that a library would not write."""
    return jwt.api_jws.encode(json.dumps(claims).encode(), idp.keys["k1"], "ES256", headers={"kid": "k1"})


def test_tokens_that_do_not_count(http, idp):
    for name, (token, says) in wrong_tokens(idp).items():
        detail = why(asked(http, token))
        assert says in detail, name
        assert token not in detail


def test_a_token_of_an_issuer_that_nobody_trusts_is_a_wrong_token(http, idp):
    token = idp.token(API, **{**ALICE, "iss": "https://evil.example"})
    assert "this token does not count: it is unknown" in why(asked(http, token))
    assert idp.asked == []


def test_nonsense_between_full_stops(http):
    deep = base64.urlsafe_b64encode(b"[" * 9000).decode().rstrip("=")
    for token in ("a.b.c", "..", "a..", f"{deep}.{deep}.c", "é.é.é"):
        answer = http.get("/v1/releases", headers={"Authorization": f"Bearer {token}".encode()})
        assert answer.status_code == 401, token


def test_somebody_without_a_role_is_told_why(idp):
    from api.oidc.people import Directory

    oidc = Oidc.model_validate({"issuer": idp.issuer, "roles": {"admin": ["platform"]}})
    directory = Directory(oidc, (), frozenset())
    with pytest.raises(Untrusted, match=r"none of their groups is named in \[oidc.roles\]"):
        directory.caller(ALICE)


def test_a_person_of_the_configuration_has_that_role_where_no_group_gives_one(idp):
    from api.oidc.people import Directory

    oidc = Oidc.model_validate({"issuer": idp.issuer, "claim": "sub", "roles": {"admin": ["platform"]}})
    person = Person.model_validate({"principal": "alice", "role": "approver", "groups": ["sre"], "oidc": ["s-alice"]})
    caller = Directory(oidc, (person,), frozenset({"alice"})).caller(ALICE)
    assert (caller.principal, caller.role.value, caller.groups) == ("alice", "approver", ("sre", "payments"))


# --- the page ------------------------------------------------------------------------------------------------------


@pytest.fixture
def browser(world):
    with TestClient(world.app):
        yield Browser(world)


def begin(browser, idp, onward="/releases?state=open"):
    """Off to the provider and back; the answer to the callback is still to come."""
    away = browser.open(f"/login/oidc?next={onward}")
    assert away.status_code == 303, away.text
    back = httpx.get(away.headers["location"], follow_redirects=False)
    return back.headers["location"].removeprefix(BASE)


def test_signing_in_at_the_provider(browser, idp, world):
    idp.user = ALICE
    assert "Sign in with Example" in browser.open("/login").text
    answer = browser.open(begin(browser, idp))
    assert (answer.status_code, answer.headers["location"]) == (303, "/releases?state=open")
    assert browser.open("/v1/releases").status_code == 200
    (session,) = world.ledger._tables.sessions.values()
    assert (session.way, session.name, session.principal) == ("oidc", "alice@example.org", "alice")
    assert (session.role.value, session.groups) == ("operator", ("sre", "payments"))
    assert "__Host-delivery-login" not in browser.http.cookies


def test_the_way_there_has_all_that_keeps_it_ours(browser, idp):
    away = browser.open("/login/oidc?next=//evil.example")
    url = urlsplit(away.headers["location"])
    query = dict(parse_qsl(url.query))
    assert query["redirect_uri"] == f"{BASE}/login/oidc/callback"
    assert query["scope"] == "openid profile email"
    attempt = Attempt.opened(browser.http.cookies["__Host-delivery-login"].strip('"'))
    assert attempt is not None
    assert (query["state"], query["nonce"], attempt.onward) == (attempt.state, attempt.nonce, "/releases")
    assert attempt.verifier not in away.headers["location"]
    for attribute in ("HttpOnly", "Secure", "SameSite=lax"):
        assert attribute in away.headers["set-cookie"]


def refused(answer):
    assert answer.status_code == 401
    assert "session" not in answer.headers.get("set-cookie", "")
    return answer.text


def test_what_another_browser_began_ends_in_no_other(browser, idp, world):
    idp.user = ALICE
    back = begin(browser, idp)
    assert "another browser" in refused(Browser(world).open(back))
    other = Browser(world)
    begin(other, idp)
    assert "another browser" in refused(other.open(back))


def test_an_answer_counts_once(browser, idp):
    idp.user = ALICE
    back = begin(browser, idp)
    cookie = browser.http.cookies["__Host-delivery-login"]
    assert browser.open(back).status_code == 303
    browser.http.cookies.set("__Host-delivery-login", cookie)
    assert "took no code" in refused(browser.open(back))


@pytest.mark.parametrize(
    ("user", "says"),
    [
        ({**ALICE, "nonce": "another"}, "nonce"),
        ({**ALICE, "azp": "another"}, "azp"),
        ({**ALICE, "exp": 1}, "expired"),
        ({**ALICE, "email_verified": False}, "not verified"),
    ],
)
def test_an_answer_of_the_provider_that_does_not_fit(browser, idp, user, says):
    idp.user = {**user}
    nonce = idp.user.pop("nonce", None)
    back = begin(browser, idp)
    if nonce:
        (code,) = idp.codes
        idp.codes[code]["nonce"] = nonce
    assert says in refused(browser.open(back))


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda url: url.split("?")[0], "another browser"),
        (lambda url: url + "&iss=https://evil.example", "another provider"),
        (lambda url: url.replace("code=", "error=access_denied&no="), "access_denied"),
        (lambda url: url.replace("code=", "error=<script>&no="), "&lt;script&gt;"),
        (lambda url: url.replace("code=code-0", "code=guessed"), "took no code"),
    ],
)
def test_a_way_back_that_was_changed(browser, idp, change, says):
    idp.user = ALICE
    assert says in refused(browser.open(change(begin(browser, idp))))


@pytest.mark.parametrize("cookie", [b"", b"x", b"{}", b"[1]", b"[" * 9000], ids=len)
def test_a_cookie_that_is_none_of_ours(browser, cookie):
    browser.http.cookies.set("__Host-delivery-login", base64.b64encode(cookie).decode())
    refused(browser.open("/login/oidc/callback?state=a&code=b"))


def test_a_provider_that_is_down(browser, idp):
    idp.down = True
    assert browser.open("/login/oidc").status_code == 503


def test_without_a_provider_there_is_no_such_way():
    clock = ManualClock()
    bare = World(MemoryLedger(clock, fold), clock)
    with TestClient(bare.app) as http:
        assert "Sign in with" not in http.get("/login").text
        assert http.get("/login/oidc").status_code == 404
        assert http.get("/login/oidc/callback").status_code == 404
