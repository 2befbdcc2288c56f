"""What must hold for every page: names for everything, nothing inline, and no link that leads nowhere."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from urllib.parse import urlsplit

import pytest
from fastapi.testclient import TestClient

from api.app import create_app
from tests.api.browser import Browser
from tests.api.html import Node, read
from tests.api.test_actions import ADAM, GUARDED, OTTO, act, begin
from tests.api.test_pages import HTML, look
from tests.api.world import BASE, secret

FIELDS = ("input", "select", "textarea")


@pytest.fixture
def otto(http, world) -> Iterator[Browser]:
    browser = Browser(world)
    browser.sign_in("otto")
    yield browser
    browser.http.close()


@pytest.fixture
def found(http, world, otto) -> dict[str, Node]:
    """Every page that can be reached by links, with as much on it as can be."""
    release = begin(http, world, GUARDED)
    act(http, release, "pause", ADAM, {"reason": "lunch"})
    http.put("/v1/stop", json={"scope": "owner:nobody", "reason": "incident 7"}, headers=OTTO)
    pages: dict[str, Node] = {}
    open_paths = ["/releases", "/releases?actor=nobody", "/releases?per_page=1"]
    while open_paths:
        path = open_paths.pop()
        if path not in pages:
            pages[path] = look(otto, path)
            open_paths += [one["href"] for one in pages[path].all("a") if one["href"].startswith("/")]
    pages["/missing"] = look(otto, "/releases/rel_nothing", 404)
    return pages


def test_every_page_is_reached_and_every_link_leads_somewhere(found):
    paths = {urlsplit(path).path.split("/")[1] for path in found}
    assert paths == {"releases", "services", "stop", "missing"}
    assert len(found) >= 8
    for page in found.values():
        for one in page.all("a"):
            if one["href"].startswith("#"):
                assert len(list(page.all(id=one["href"][1:]))) == 1


def test_what_a_page_loads_is_ours_and_there(found, otto):
    for page in found.values():
        loaded = [one["href"] for one in page.all("link")] + [one["src"] for one in page.all("script", "img")]
        assert len(loaded) == 3
        for path in loaded:
            assert path.startswith("/static/")
            answer = otto.http.get(path)
            assert (answer.status_code, answer.headers["cache-control"]) == (200, "public, max-age=31536000, immutable")


@pytest.mark.parametrize("path", ["/static/", "/static/page.html", "/static/../app.py", "/static/%2e%2e/app.py"])
def test_nothing_but_the_files_of_pages_is_served(http, path):
    assert http.get(path).status_code == 404
    assert http.get("/static/page.css").headers["cache-control"] == "no-cache"


def test_nothing_is_inline(found):
    for page in found.values():
        assert list(page.all("style")) == []
        for one in page.all():
            assert not [name for name in one.attributes if name == "style" or name.startswith("on")], one
            if one.tag == "script":
                assert one.parts == []


def test_every_field_and_button_has_a_name_and_every_part_too(found):
    for page in found.values():
        labels = {one.get("for") for one in page.all("label")} - {""}
        wrapped = {id(one) for label in page.all("label") for one in label.all(*FIELDS)}
        for one in page.all(*FIELDS):
            if one.get("type") != "hidden":
                assert one.get("id") in labels or id(one) in wrapped, one
        assert labels <= {one["id"] for one in page.all(*FIELDS) if one.get("id")}
        for one in page.all("button", "a", "summary", "h1", "h2", "h3", "h4", "th", "legend"):
            assert one.text, one
        for one in page.all("nav", "section"):
            assert one.get("aria-label") or one.get("aria-labelledby") or one.get("class") == "gate", one
        for one in page.all("svg"):
            assert one.get("aria-hidden") == "true" or (one.get("role") == "img" and one.get("aria-label")), one


def test_ids_are_there_once_and_what_refers_to_one_finds_it(found):
    for page in found.values():
        ids = [one["id"] for one in page.all() if one.get("id")]
        assert len(ids) == len(set(ids))
        for one in page.all():
            for name in ("aria-labelledby", "list"):
                assert set(one.get(name).split()) <= set(ids), one


def test_headings_begin_with_one_and_leave_out_no_level(found):
    for path, page in found.items():
        levels = [int(one.tag[1]) for one in page.all("h1", "h2", "h3", "h4")]
        assert levels[0] == 1, path
        assert levels.count(1) == 1
        assert all(after <= before + 1 for before, after in pairwise(levels)), (path, levels)


def test_every_page_has_its_landmarks_its_language_and_a_title_of_its_own(found):
    titles = []
    for page in found.values():
        assert page.one("html")["lang"] == "en"
        for landmark in ("main", "footer"):
            page.one(landmark)
        assert page.one("nav", aria_label="Site")
        assert page.one("a", class_="skip")["href"] == "#main"
        assert "initial-scale=1" in page.one("meta", name="viewport")["content"]
        titles.append(page.one("title").text)
    others = [title for title in titles if not title.startswith("Releases")]  # the list is there with several filters
    assert len(set(others)) == len(others)


def test_pages_are_nobody_else_s_to_keep(otto):
    for path in ("/releases", "/services", "/stop", "/releases/rel_nothing"):
        assert otto.open(path, headers=HTML).headers["cache-control"] == "no-store"


def test_behind_a_prefix_every_address_has_it(http, world):
    release = begin(http, world, GUARDED)
    base = f"{BASE}/tools"
    app = create_app(replace(world.services, public_url=base))
    with TestClient(app, base_url=BASE, follow_redirects=False) as client:
        wanted = client.get(f"/releases/{release}", headers=HTML)
        assert wanted.headers["location"].startswith("/tools/login?next=")
        login = read(client.get("/login").text)
        fields = {"token": secret("otto"), "next": f"/releases/{release}"}
        sent = client.post("/login", data=fields, headers={"Origin": BASE})
        assert sent.headers["location"] == f"/tools/releases/{release}"
        for page in (login, *(read(client.get(path).text) for path in (f"/releases/{release}", "/releases", "/stop"))):
            for one in page.all():
                for name in ("href", "src", "action", "data-stream", "data-page"):
                    assert one.get(name, "/tools/")[:1] != "/" or one.get(name, "/tools/").startswith("/tools/"), one


def test_the_sign_in_page_is_as_good_as_the_others(http):
    page = read(http.get("/login").text)
    assert page.one("label")["for"] == page.one("input", type="password")["id"]
    assert page.one("h1").text == page.one("button").text == "Sign in"
    for one in page.all():
        assert not [name for name in one.attributes if name == "style" or name.startswith("on")]
    for path in [one["href"] for one in page.all("link")]:
        assert http.get(path).status_code == 200
