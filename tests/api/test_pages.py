"""Pages as a person gets them: what they say, what they offer to whom, and what becomes of what is sent off."""

from collections.abc import Iterator
from urllib.parse import parse_qs, urlsplit

import pytest
from httpx2 import Response

from delivery.model.ids import Principal
from delivery.ports.rows import StopOrder
from tests.api.browser import Browser
from tests.api.html import Node, read
from tests.api.test_actions import GUARDED, VERA, act, begin, get
from tests.api.world import SERVICE, bearer

HTML = {"Accept": "text/html"}
ADAM, OLGA, OTTO = (bearer(person) for person in ("adam", "olga", "otto"))


@pytest.fixture
def release(http, world) -> str:
    """1.4.2, started by olga, bakes at 5 percent; sre has to approve what comes next."""
    return begin(http, world, GUARDED)


@pytest.fixture
def browsers(http, world) -> Iterator[dict[str, Browser]]:
    """One for each person, signed in; `http` keeps the app alive."""
    found = {}
    for person in ("vera", "adam", "olga", "otto", "root"):
        found[person] = Browser(world)
        assert found[person].sign_in(person).status_code == 303
    yield found
    for browser in found.values():
        browser.http.close()


def look(browser: Browser, path: str, status: int = 200) -> Node:
    answer = browser.open(path, headers=HTML)
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"].startswith("text/html")
    return read(answer.text)


def form(page: Node, path: str) -> dict[str, str]:
    """The fields of the form that is sent there, as they are filled in."""
    (found,) = [one for one in page.all("form", method="post") if one["action"] == path]
    fields = {}
    for one in found.all("input"):
        if one.get("type") != "checkbox" or "checked" in one.attributes:
            fields[one["name"]] = one.get("value")
    for one in found.all("select"):
        fields[one["name"]] = next(one.all("option"))["value"]
    return fields


def press(browser: Browser, page: Node, path: str, **fields: str) -> Response:
    """Sends the page's own form off, with what a person fills in."""
    browser.http.headers["Accept"] = "text/html"
    return browser.send(path, **{**form(page, path), **fields})


def offered(page: Node) -> list[str]:
    return [one["id"].removeprefix("act-") for one in page.all("details", class_="offer")]


def barred(page: Node) -> dict[str, str]:
    return {
        one.one("dt").text: one.one("dd").text for part in page.all("dl", class_="barred") for one in part.all("div")
    }


def test_the_list_has_what_the_api_lists_newest_first(http, world, browsers, release):
    page = look(browsers["vera"], "/releases")
    rows = list(page.one("table", class_="releases").one("tbody").all("tr"))
    assert [row.one("a").text for row in rows] == ["checkout 1.4.1 → 1.4.2", "checkout 1.4.1"]
    assert rows[0].one("a")["href"] == f"/releases/{release}"
    assert rows[0].one("td", class_="state").text == "canary 5% (1/2)"
    assert "5\u202f%" in rows[0].text
    assert "2026-11-24 10:02:21 UTC (10s ago) by olga" in rows[0].text


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", 2),
        ("service=checkout&cluster=&state=&actor=&version=&since=&until=", 2),
        ("service=other", 0),
        ("state=open", 1),
        ("state=promoted", 1),
        ("state=open&state=promoted", 2),
        ("cluster=other", 0),
        ("actor=olga&version=1.4.2", 1),
        ("since=2026-11-24T10:02:15", 1),
        ("until=2026-11-24T10:02:15", 1),
        ("since=2026-11-24T11:02:15%2B01:00", 1),
    ],
)
def test_filters_are_the_api_s_and_empty_fields_ask_for_nothing(browsers, release, query, found):
    page = look(browsers["vera"], f"/releases?{query}")
    assert len(list(page.all("th", scope="row"))) == found
    if not found:
        assert "No release meets all of that" in page.one("p", class_="empty").text


def test_what_was_asked_stays_in_the_form(browsers, release):
    page = look(browsers["vera"], "/releases?service=checkout&cluster=local&state=open&since=2026-11-24T10:00:00Z")
    fields = {one["name"]: one.get("value") for one in page.one("form", class_="filters").all("input")}
    assert (fields["service"], fields["since"]) == ("checkout", "2026-11-24T10:00:00")
    assert [one.text for one in page.all("option") if "selected" in one.attributes] == ["local", "open"]
    assert "open" in page.one("details", id="filter").attributes


@pytest.mark.parametrize(("query", "current"), [("", "All"), ("state=open", "Open"), ("state=closed&actor=", "Over")])
def test_shortcuts_say_where_one_is(browsers, query, current):
    page = look(browsers["vera"], f"/releases?{query}")
    (found,) = page.one("nav", class_="quick").all("a", aria_current="page")
    assert found.text == current
    assert "open" not in page.one("details", id="filter").attributes


def test_pages_of_the_list_follow_each_other_and_lead_back(browsers, release):
    first = look(browsers["vera"], "/releases?state=&service=checkout&per_page=1")
    (older,) = first.one("nav", aria_label="Pages").all("a")
    asked = parse_qs(urlsplit(older["href"]).query)
    assert (older.text, asked["service"], asked["per_page"]) == ("Older", ["checkout"], ["1"])
    second = look(browsers["vera"], older["href"])
    assert second.one("th", scope="row").text.startswith("checkout 1.4.1 #1")
    (newest,) = second.one("nav", aria_label="Pages").all("a")
    assert look(browsers["vera"], newest["href"]).one("th", scope="row").text.endswith("#2")


@pytest.mark.parametrize(
    "query", ["since=soon", "state=gone", "nobody=knows", "model=x", "self=x", "cursor=x", "per_page=0"]
)
def test_a_filter_that_cannot_be_is_named(browsers, query):
    page = look(browsers["vera"], f"/releases?{query}", 400 if query.startswith("cursor") else 422)
    assert page.one("h1").text
    assert query.partition("=")[0] in page.one("main").text


def test_a_release_is_told_in_the_api_s_own_sentences(http, browsers, release):
    page = look(browsers["vera"], f"/releases/{release}")
    told = http.get(f"/v1/releases/{release}/explain", headers=VERA).json()
    events = http.get(f"/v1/releases/{release}/events", headers=VERA).json()["events"]
    now, history = page.one("section", class_="now").text.lower(), page.one("ol", class_="history").text.lower()
    for sentence in (*told["why"], *told["waits_for"], *told["who"]):
        assert sentence.lower() in now
    for event in events:
        assert event["text"].lower() in history
    assert page.one("h1").text == "checkout 1.4.1 → 1.4.2"


def test_what_was_measured_is_drawn_and_said(http, world, browsers, release):
    world.fails("1.4.1", 0.02)
    world.fails("1.4.2", 0.02)
    world.go(40)
    page = look(browsers["vera"], f"/releases/{release}")
    (found,) = get(http, release).json()["stages"][0]["analysis"]
    gate = page.one("section", class_="gates").one("section", class_="gate")
    drawings = list(gate.all("svg", role="img"))
    assert [one["aria-label"] for one in drawings] == [found["text"], found["text"]]
    for one in drawings:
        assert {part.get("class") for part in one.all("circle", "line")} >= {"measured", "interval", "limit", "one"}
    split = list(page.one("section", class_="split").all("svg", role="img"))
    assert [one["class"] for one in split] == ["wide", "narrow"]
    assert all("desired 5\u202f%, confirmed 5\u202f%, counted at last 5\u202f%" in one["aria-label"] for one in split)


@pytest.fixture
def two(either, either_world) -> Iterator[tuple[Browser, Browser]]:
    """Of vera and of otto, over each ledger."""
    found = Browser(either_world), Browser(either_world)
    for browser, person in zip(found, ("vera", "otto"), strict=True):
        assert browser.sign_in(person).status_code == 303
    yield found
    for browser in found:
        browser.http.close()


def test_an_open_page_that_has_not_changed_costs_one_small_read(either, either_world, two, monkeypatch):
    ledger, (vera, otto) = either_world.ledger, two
    either.put("/v1/services/checkout", json=SERVICE, headers=OLGA)
    begun = either.post("/v1/releases", json={"service": "checkout", "version": "1.4.2"}, headers=OLGA)
    path = f"/releases/{begun.json()['release']['id']}"
    first = vera.open(path)
    tag = {"if-none-match": first.headers["etag"]}
    with monkeypatch.context() as heads_only:
        for whole in ("release", "events", "measuring", "shares", "ticks", "rows", "stops", "service", "services"):
            heads_only.setattr(type(ledger), whole, None)
        again = vera.open(path, headers=tag)
    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", first.headers["etag"])
    ledger.put_stop(StopOrder("*", Principal("olga"), "incident 7", either_world.clock.now()))
    stopped = vera.open(path, headers=tag)
    assert (stopped.status_code, "incident 7" in stopped.text) == (200, True)
    tag = {"if-none-match": stopped.headers["etag"]}
    assert vera.open(path, headers=tag).status_code == 304
    assert otto.open(path, headers=tag).status_code == 200, "others see other buttons"
    either_world.clock.pause(30)
    assert vera.open(path, headers=tag).status_code == 200, "how long ago things were goes on"
    assert vera.open("/releases/rel_none", headers=tag).status_code == 404


def test_everybody_is_offered_what_the_rules_would_take_from_them(http, browsers, release):
    pages = {person: look(browser, f"/releases/{release}") for person, browser in browsers.items()}
    assert {person: offered(page) for person, page in pages.items()} == {
        "vera": [],
        "adam": ["approve", "reject", "pause", "abort"],
        "olga": ["reject", "pause", "abort"],
        "otto": ["reject", "pause", "abort"],
        "root": ["approve", "reject", "pause", "abort"],
    }
    assert "you have the role viewer" in barred(pages["vera"])["Abort"]
    assert barred(pages["olga"])["Approve"] == "Olga started this release; somebody else must approve it."
    assert barred(pages["otto"])["Approve"] == "Canary 50% is approved by sre; otto is not in it."
    assert "promote" not in get(http, release).json()["actions"]


def test_a_button_says_its_word_as_this_person_by_the_page(http, world, browsers, release):
    page = look(browsers["adam"], f"/releases/{release}")
    answer = press(browsers["adam"], page, f"/releases/{release}/approve", reason="looks good")
    assert (answer.status_code, answer.headers["location"]) == (303, f"/releases/{release}?did=approve")
    after = look(browsers["adam"], answer.headers["location"])
    assert after.one("p", id="done").text == "Your approval is recorded."
    (vote,) = get(http, release).json()["stages"][1]["approvals"]
    assert (vote["actor"], vote["via"], vote["reason"]) == ("adam", "page", "looks good")


def test_a_form_that_is_sent_twice_is_done_once(http, browsers, release):
    page = look(browsers["adam"], f"/releases/{release}")
    first, second = (press(browsers["adam"], page, f"/releases/{release}/approve", reason="ok") for _ in range(2))
    assert first.headers["location"] == second.headers["location"]
    assert len(get(http, release).json()["stages"][1]["approvals"]) == 1


def test_a_late_click_does_nothing_and_gets_the_sentence_why(http, world, browsers, release):
    page = look(browsers["adam"], f"/releases/{release}")
    act(http, release, "pause", OTTO, {"reason": "wait"})
    answer = press(browsers["adam"], page, f"/releases/{release}/approve")
    assert answer.status_code == 412
    problem = read(answer.text).one("div", id="problem")
    assert problem["role"] == "alert"
    assert "The release has moved on since you saw it" in problem.text
    assert "held: paused by otto: wait" in problem.one("ul").text
    assert "Nothing was done" in problem.text
    assert get(http, release).json()["stages"][1]["approvals"] == []
    again = press(browsers["adam"], read(answer.text), f"/releases/{release}/approve")
    assert again.status_code == 303


@pytest.mark.parametrize("seq", ["", "x", "-1", "9" * 30, "\u0663"])
def test_a_form_that_does_not_say_what_was_seen_saw_nothing(browsers, release, seq):
    page = look(browsers["adam"], f"/releases/{release}")
    assert press(browsers["adam"], page, f"/releases/{release}/approve", seq=seq).status_code == 412


def test_an_abort_is_taken_from_a_page_of_any_age(http, world, browsers, release):
    page = look(browsers["adam"], f"/releases/{release}")
    act(http, release, "pause", OTTO)
    answer = press(browsers["adam"], page, f"/releases/{release}/abort", reason="slow")
    assert answer.status_code == 303
    world.go(5)
    after = look(browsers["adam"], f"/releases/{release}")
    assert next(after.all("span", class_="badge")).text == "rolled back"
    assert "aborted by adam: slow" in after.one("section", class_="now").text
    late = press(browsers["adam"], page, f"/releases/{release}/abort", reason="slow", key="")
    assert late.status_code == 409
    assert "it is over (rolled_back)" in read(late.text).one("div", id="problem").text


def test_an_abort_while_somebody_has_the_wheel_says_that_nothing_is_written(http, browsers, release):
    paused = http.post("/v1/services/checkout/pause", json={"reason": "incident 7"}, headers=OTTO)
    assert paused.status_code == 200
    page = look(browsers["adam"], f"/releases/{release}")
    answer = press(browsers["adam"], page, f"/releases/{release}/abort")
    assert answer.status_code == 200
    assert "but nothing is written now" in read(answer.text).one("p", id="done").text


def test_resume_lifts_the_holds_that_are_ticked(http, browsers, release):
    act(http, release, "pause", ADAM, {"reason": "lunch"})
    page = look(browsers["otto"], f"/releases/{release}")
    assert form(page, f"/releases/{release}/resume")["hold-pause"] == "on"
    assert press(browsers["otto"], page, f"/releases/{release}/resume").status_code == 303
    assert get(http, release).json()["holds"] == []
    act(http, release, "pause", ADAM)
    page = look(browsers["otto"], f"/releases/{release}")
    nothing = {**form(page, f"/releases/{release}/resume")}
    del nothing["hold-pause"]
    answer = browsers["otto"].send(f"/releases/{release}/resume", **nothing)
    assert (answer.status_code, len(get(http, release).json()["holds"])) == (422, 1)


def test_a_freeze_is_resumed_with_a_reason_only(http, world, browsers, release):
    frozen = {**GUARDED, "policy": {"freeze": [{"cron": "0 0 * * *", "tz": "UTC", "for": "23h"}]}}
    http.put("/v1/services/checkout", json=frozen, headers=OLGA)
    world.go(5)
    page = look(browsers["otto"], f"/releases/{release}")
    (why,) = [one for one in page.all("input") if one.get("id") == "why-resume"]
    assert "required" in why.attributes
    refused = press(browsers["otto"], page, f"/releases/{release}/resume", reason="  ")
    assert refused.status_code == 422
    assert "takes a reason" in read(refused.text).one("div", id="problem").text
    page = look(browsers["otto"], f"/releases/{release}")
    assert press(browsers["otto"], page, f"/releases/{release}/resume", reason="outage").status_code == 303


def test_retry_and_rollback_lead_to_the_new_release(http, world, browsers, release):
    act(http, release, "abort", ADAM)
    world.go(5)
    page = look(browsers["otto"], f"/releases/{release}")
    assert offered(page) == ["retry"]
    answer = press(browsers["otto"], page, f"/releases/{release}/retry", reason="fixed")
    made = urlsplit(answer.headers["location"]).path.rpartition("/")[2]
    assert made != release
    assert get(http, made).json()["retry_of"] == release
    assert f"/releases/{release}" in {one["href"] for one in look(browsers["vera"], f"/releases/{made}").all("a")}


def test_a_promoted_version_that_was_taken_back_is_retried(http, world, browsers):
    release = begin(http, world)
    act(http, release, "promote", OTTO)
    world.go(10)
    assert offered(look(browsers["otto"], f"/releases/{release}")) == ["rollback"]
    act(http, release, "rollback", OTTO, {"reason": "wrong price"})
    world.go(10)
    page = look(browsers["otto"], f"/releases/{release}")
    assert offered(page) == ["retry"] == get(http, release).json()["actions"]
    assert "an operator can retry it" in page.one("section", class_="now").text
    refused = act(http, release, "rollback", OTTO)
    assert (refused.status_code, refused.json()["allowed"]) == (409, ["retry"])
    assert press(browsers["otto"], page, f"/releases/{release}/retry").status_code == 303


def test_who_may_not_is_told_so_and_nothing_happens(http, browsers, release):
    page = look(browsers["adam"], f"/releases/{release}")
    fields = form(page, f"/releases/{release}/abort") | {"csrf": browsers["vera"].csrf}
    look(browsers["vera"], f"/releases/{release}")
    fields["csrf"] = browsers["vera"].csrf
    browsers["vera"].http.headers["Accept"] = "text/html"
    answer = browsers["vera"].send(f"/releases/{release}/abort", **fields)
    assert answer.status_code == 403
    assert "this needs the role approver" in read(answer.text).one("div", id="problem").text.lower()
    assert get(http, release).json()["state"] == "progressing"


def test_a_form_of_another_session_or_site_does_nothing(http, browsers, release):
    page = look(browsers["adam"], f"/releases/{release}")
    foreign = press(browsers["adam"], page, f"/releases/{release}/abort", csrf=browsers["otto"].csrf or "x")
    assert foreign.status_code == 403
    assert read(foreign.text).one("h2").text == "What to do"
    assert browsers["adam"].send(f"/releases/{release}/abort", "https://evil.example").status_code == 403
    assert get(http, release).json()["state"] == "progressing"


def test_an_action_that_nobody_knows(browsers, release):
    page = look(browsers["otto"], f"/releases/{release}")
    browsers["otto"].send(f"/releases/{release}/delete", csrf=form(page, f"/releases/{release}/abort")["csrf"])
    answer = browsers["otto"].send(f"/releases/{release}/delete", csrf=browsers["otto"].csrf)
    assert answer.status_code == 404


def test_whoever_comes_back_to_the_answer_of_a_form_sees_the_release(browsers, release):
    answer = browsers["vera"].open(f"/releases/{release}/approve", headers=HTML)
    assert (answer.status_code, answer.headers["location"]) == (303, f"/releases/{release}")
    look(browsers["vera"], f"/releases/{release}/delete", 404)


def test_what_people_and_ci_say_is_never_markup(http, world, browsers, release):
    act(http, release, "pause", ADAM, {"reason": '<script>alert(1)</script>" onclick="x'})
    page = look(browsers["vera"], f"/releases/{release}")
    assert [one.get("src") for one in page.all("script")] == [one["src"] for one in page.all("script")]
    assert '<script>alert(1)</script>" onclick="x' in page.one("section", class_="now").text


def test_only_addresses_of_the_web_become_links(http, world, browsers, release):
    answer = http.post(
        "/v1/releases", json={"service": "checkout", "version": "1.4.3", "reason": "javascript:alert(1)"}, headers=OLGA
    )
    page = look(browsers["vera"], f"/releases/{answer.json()['release']['id']}")
    assert "javascript:alert(1)" in page.one("section", class_="about").text
    assert all(one["href"].startswith(("/", "#", "http")) for one in page.all("a"))


def test_the_routes_are_taken_in_hand_and_given_back(http, world, browsers, release):
    page = look(browsers["otto"], "/services/checkout")
    running = page.one("ul", class_="cards").one("a")
    assert (running["href"], "rel_" in running.text, "#" in running.text) == (f"/releases/{release}", False, True)
    missing = press(browsers["otto"], page, "/services/checkout/pause", reason="")
    assert (missing.status_code, read(missing.text).one("h1").text) == (422, "It needs a reason")
    answer = press(browsers["otto"], page, "/services/checkout/pause", reason="incident 7")
    page = look(browsers["otto"], answer.headers["location"])
    assert "otto: incident 7" in page.one("ul", class_="cards").text
    assert offered(page) == ["resume"]
    world.go(2)
    on_release = look(browsers["vera"], f"/releases/{release}")
    for shown in (on_release, look(browsers["vera"], "/releases"), look(browsers["vera"], "/services/checkout")):
        told = [one.text for one in shown.all("span", class_="badge")]
        assert ("routes in hand" in told, "stopped" in told) == (True, False)
    assert "raises are stopped by otto: the routes are in hand: incident 7" in on_release.text
    assert "take the routes of checkout in hand" not in on_release.text
    assert "The routes of checkout are in hand" in on_release.text
    answer = press(browsers["otto"], page, "/services/checkout/resume")
    assert offered(look(browsers["otto"], answer.headers["location"])) == ["pause"]
    assert offered(look(browsers["adam"], "/services/checkout")) == []


def test_the_stop_is_set_is_seen_everywhere_and_is_lifted(http, browsers, release):
    page = look(browsers["otto"], "/stop")
    assert [one["value"] for one in page.one("select").all("option")] == [
        "*", "cluster:local", "cluster:other", "owner:team-payments",
    ]  # fmt: skip
    answer = press(browsers["otto"], page, "/stop", scope="owner:team-payments", reason="incident 7")
    assert answer.headers["location"] == "/stop?did=set"
    for path in ("/releases", f"/releases/{release}", "/services", "/services/checkout", "/stop"):
        assert "incident 7" in look(browsers["vera"], path).one("div", id="part-stops").text
    page = look(browsers["otto"], "/stop")
    assert press(browsers["otto"], page, "/stop/lift").status_code == 303
    late = press(browsers["otto"], page, "/stop/lift")
    assert (late.status_code, read(late.text).one("h1").text) == (404, "There is nothing here")
    assert http.get("/v1/stop", headers=VERA).json() == {"stops": []}
    assert list(look(browsers["adam"], "/stop").all("form", class_="stack")) == []


@pytest.mark.parametrize("fields", [{"scope": "planet:earth", "reason": "x"}, {"scope": "*", "reason": " "}])
def test_a_stop_that_cannot_be(browsers, http, fields):
    page = look(browsers["otto"], "/stop")
    answer = press(browsers["otto"], page, "/stop", **fields)
    assert answer.status_code == 422
    assert http.get("/v1/stop", headers=VERA).json() == {"stops": []}


@pytest.mark.parametrize("path", ["/releases/rel_nothing", "/services/nothing", "/nowhere", "/releases/a/b/c"])
def test_what_is_not_there_is_a_page_with_a_way_on(browsers, http, path):
    page = look(browsers["vera"], path, 404)
    assert page.one("h1").text
    assert page.one("h2").text == "What to do"
    assert "/releases" in {one["href"] for one in page.one("main").all("a")}
    as_program = browsers["vera"].http.get(path, headers={"Accept": "application/json"})
    assert as_program.headers["content-type"] == "application/problem+json"


def test_whoever_is_not_signed_in_comes_back_to_where_they_wanted(world, http, release):
    stranger = Browser(world)
    answer = stranger.open(f"/releases/{release}?did=approve", headers=HTML)
    assert (answer.status_code, urlsplit(answer.headers["location"]).path) == (303, "/login")
    assert parse_qs(urlsplit(answer.headers["location"]).query)["next"] == [f"/releases/{release}?did=approve"]
    assert stranger.open("/").headers["location"] == "/releases"
    stranger.http.close()


def test_a_release_without_traffic_says_so(http, world, browsers):
    http.put("/v1/services/checkout", json=SERVICE, headers=OLGA)
    made = http.post("/v1/releases", json={"service": "checkout", "version": "1"}, headers=OLGA).json()
    page = look(browsers["vera"], f"/releases/{made['release']['id']}")
    assert "No traffic was moved yet." in page.one("section", class_="split").text
    assert "Nothing was measured yet." in page.one("section", class_="gates").text


def test_pages_over_either_ledger(either, either_world):
    release = begin(either, either_world, GUARDED)
    adam = Browser(either_world)
    adam.sign_in("adam")
    page = look(adam, f"/releases/{release}")
    assert press(adam, page, f"/releases/{release}/approve", reason="ok").status_code == 303
    either_world.go(70)
    assert "canary 50% (2/2)" in look(adam, "/releases?state=open").text
    assert "Adam approved canary 50% (2/2) (by page): ok." in look(adam, f"/releases/{release}").text
    adam.http.close()
