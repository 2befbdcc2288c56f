"""Pages: who is signed in, where they come from and go to, and what another site cannot make them do."""

from dataclasses import replace
from hashlib import sha256

import pytest
from fastapi import APIRouter
from fastapi.testclient import TestClient

from api.access.page import PageApprover, PageViewer
from api.access.sessions import LASTS
from api.app import create_app
from api.routes.actions import Act
from api.schemas.release_in import ActionIn
from delivery.model.ids import SECOND
from delivery.model.signal import Pause
from tests.api.browser import Browser
from tests.api.test_actions import begin
from tests.api.world import BASE, bearer, secret

router = APIRouter(include_in_schema=False)


@router.get("/page")
def show(viewer: PageViewer) -> dict[str, str]:
    return {"who": viewer.caller.principal, "form": f'<input name="csrf" value="{viewer.csrf}">'}


@router.post("/tried/{id}/pause")
async def pause(page: PageApprover, act: Act) -> dict[str, str]:
    answer = await act.signal(Pause, ActionIn(reason=page.form["reason"]))
    return {"effect": answer.effect}


@pytest.fixture
def browser(world):
    world.app.include_router(router)
    with TestClient(world.app):  # the app runs
        yield Browser(world)


def csrf(browser):
    return browser.open("/page").json()["form"].split('"')[3]


def test_a_stranger_is_sent_to_sign_in_and_comes_back_to_where_they_were(browser):
    sent = browser.open("/page?state=open&service=a b")
    assert (sent.status_code, sent.headers["location"]) == (303, "/login?next=/page%3Fstate%3Dopen%26service%3Da%2520b")
    assert 'value="/page?state=open&amp;service=a%20b"' in browser.open(sent.headers["location"]).text
    back = browser.sign_in("vera", "/page?state=open&service=a%20b")
    assert (back.status_code, back.headers["location"]) == (303, "/page?state=open&service=a%20b")
    assert browser.open("/page").json()["who"] == "vera"
    assert browser.open("/login?next=/page").headers["location"] == "/page"


@pytest.mark.parametrize(
    "elsewhere",
    ["https://evil.example", "//evil.example", "/\\evil.example", "\\\\evil.example", "javascript:x", "", "/a\nb", "x"],
)
def test_nobody_is_led_elsewhere(browser, elsewhere):
    assert browser.sign_in("vera", elsewhere).headers["location"] == "/releases"


def test_the_cookie_is_kept_from_scripts_other_sites_and_plain_http(browser):
    cookie = browser.sign_in("vera").headers["set-cookie"]
    assert cookie.startswith("__Host-delivery-session=")
    for attribute in ("HttpOnly", "Secure", "SameSite=lax", "Path=/", f"Max-Age={LASTS // SECOND}"):
        assert attribute in cookie
    assert "Domain" not in cookie


def test_by_plain_http_the_cookie_can_be_sent_back(world):
    app = create_app(replace(world.services, public_url="http://127.0.0.1:8080"))
    with TestClient(app, base_url="http://127.0.0.1:8080", follow_redirects=False) as http:
        answer = http.post("/login", data={"token": secret("vera")}, headers={"Origin": "http://127.0.0.1:8080"})
        assert answer.headers["set-cookie"].startswith("delivery-session=")
        assert "Secure" not in answer.headers["set-cookie"]
        assert http.get("/v1/releases").status_code == 200


def test_behind_a_prefix_links_begin_with_it(world):
    app = create_app(replace(world.services, public_url=f"{BASE}/delivery"))
    app.include_router(router)
    with TestClient(app, base_url=BASE, follow_redirects=False) as http:
        assert http.get("/page").headers["location"] == "/delivery/login?next=/page"


def test_a_wrong_token(browser):
    answer = browser.send("/login", token="wrong", next="/page")
    assert answer.status_code == 401
    assert "no valid token" in answer.text
    assert 'value="/page"' in answer.text
    assert "set-cookie" not in answer.headers


def test_the_form_shows_nothing_of_others_as_markup(browser):
    assert "<script>" not in browser.open("/login?next=/%22%3E%3Cscript%3E").text


def test_a_cookie_of_nobody(browser):
    browser.http.cookies.set("__Host-delivery-session", "guessed")
    assert browser.open("/page").status_code == 303
    browser.http.cookies.set("__Host-delivery-session", "")
    assert browser.open("/page").status_code == 303


def test_a_session_ends(browser, world):
    browser.sign_in("vera")
    world.clock.pause(LASTS / SECOND - 1)
    assert browser.open("/page").status_code == 200
    world.clock.pause(1)
    assert browser.open("/page").status_code == 303


def test_signing_out_ends_the_session_and_not_the_cookie_alone(browser, world):
    browser.sign_in("vera")
    cookie = browser.http.cookies["__Host-delivery-session"]
    answer = browser.send("/logout", csrf=csrf(browser))
    assert (answer.status_code, answer.headers["location"]) == (303, "/login")
    assert "__Host-delivery-session" not in browser.http.cookies
    browser.http.cookies.set("__Host-delivery-session", cookie)
    assert browser.open("/page").status_code == 303


def test_signing_in_anew_ends_the_session_that_was_there(browser):
    browser.sign_in("vera")
    old = browser.http.cookies["__Host-delivery-session"]
    browser.sign_in("adam")
    assert browser.http.cookies["__Host-delivery-session"] != old
    stolen = Browser.__new__(Browser)
    stolen.http = TestClient(browser.http.app, base_url=BASE, follow_redirects=False)
    stolen.http.cookies.set("__Host-delivery-session", old)
    assert stolen.http.get("/page").status_code == 303


def test_a_token_that_is_gone_takes_its_sessions_with_it(browser, world):
    browser.sign_in("vera")
    fewer = tuple(token for token in world.services.tokens if token.principal != "vera")
    app = create_app(replace(world.services, tokens=fewer))
    app.include_router(router)
    with TestClient(app, base_url=BASE, follow_redirects=False, cookies=browser.http.cookies) as http:
        assert http.get("/page").status_code == 303


@pytest.mark.parametrize(("secret", "status"), [(None, 200), ("another", 303)])
def test_so_does_a_secret_that_another_took_the_place_of(browser, world, secret, status):
    """It has leaked: whoever had it may have signed in."""
    browser.sign_in("vera")
    change = {} if secret is None else {"sha256": sha256(secret.encode()).hexdigest()}
    tokens = tuple(one.model_copy(update=change if one.principal == "vera" else {}) for one in world.services.tokens)
    app = create_app(replace(world.services, tokens=tokens))
    app.include_router(router)
    with TestClient(app, base_url=BASE, follow_redirects=False, cookies=browser.http.cookies) as http:
        assert http.get("/page").status_code == status


def test_what_a_form_does_is_told_as_done_on_the_page(browser, world):
    release = begin(browser.http, world)
    browser.sign_in("adam")
    answer = browser.send(f"/tried/{release}/pause", csrf=csrf(browser), reason="lunch")
    assert answer.json() == {"effect": "effective"}
    events = browser.open(f"/v1/releases/{release}/events").json()["events"]
    assert "adam" in events[-1]["text"]


def test_a_role_that_is_too_low(browser, world):
    browser.sign_in("vera")
    answer = browser.send("/tried/rel_01/pause", csrf=csrf(browser), reason="x")
    assert (answer.status_code, answer.json()["needed"]) == (403, "approver")


@pytest.mark.parametrize("origin", [None, "null", "https://evil.example", f"{BASE}.evil.example", "http://"])
def test_another_site_sends_no_form_of_ours(browser, origin):
    assert browser.send("/login", origin, token=secret("vera")).status_code == 403
    browser.sign_in("adam")
    answer = browser.send("/tried/rel_01/pause", origin, csrf=csrf(browser), reason="x")
    assert (answer.status_code, answer.json()["type"]) == (403, "urn:delivery:problem:forbidden")


def test_a_form_has_the_token_of_its_own_session(browser):
    browser.sign_in("vera")
    another = csrf(browser)
    browser.sign_in("adam")
    for token in (another, "", "é"):
        assert browser.send("/tried/rel_01/pause", csrf=token, reason="x").status_code == 403
    answer = browser.http.post("/logout", headers={"Origin": BASE, "X-CSRF-Token": csrf(browser)})
    assert answer.status_code == 303


def test_a_form_of_somebody_whose_session_is_over_leads_back_to_its_page(browser):
    answer = browser.http.post("/tried/rel_01/pause", headers={"Origin": BASE, "Referer": f"{BASE}/releases/rel_01"})
    assert answer.headers["location"] == "/login?next=/releases/rel_01"


def test_a_cookie_reads_below_v1_and_changes_nothing_there(browser):
    browser.sign_in("olga")
    assert browser.open("/v1/releases").status_code == 200
    answer = browser.http.post(
        "/v1/releases",
        json={"service": "checkout", "version": "1"},
        headers={"Origin": BASE, "X-CSRF-Token": csrf(browser)},
    )
    assert answer.status_code == 401
    assert browser.open("/v1/releases", headers={"Authorization": "Bearer wrong"}).status_code == 401
    assert browser.open("/v1/releases", headers=bearer("vera")).status_code == 200


def test_whoever_has_no_token_reads_who_hands_them_out(browser):
    page = browser.open("/login").text
    assert "An admin hands tokens out" in page
    assert 'aria-describedby="whence"' in page
