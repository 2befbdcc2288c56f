"""Pages in a real Chromium: they live, keys are enough, they fit a phone, are dark at night, and need no script."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.api.world import bearer
from tests.system.chromium import Tab, chromium
from tests.system.pages import scene, sign_in, watched
from tests.system.scenes import CANARY, OLGA, SCENES, Scene

PHONE, DESK = 320, 1280
BADGES = "[...document.querySelectorAll('.head .badge')].map((one) => one.textContent.trim()).join(', ')"
FOCUS = "document.activeElement"
NEED_NAMES = {
    "button", "link", "textbox", "combobox", "checkbox", "heading", "image", "navigation", "region", "table",
    "DisclosureTriangle",
}  # fmt: skip
ADAM, OTTO = bearer("adam"), bearer("otto")
UNFOLD = "document.querySelectorAll('details').forEach((one) => { one.removeAttribute('name'); one.open = true; })"
MOVING = """
document.getAnimations().length
  + [...document.querySelectorAll('*')].filter((one) => getComputedStyle(one).transitionDuration !== '0s').length
"""
HARD_TO_READ = """
(() => {
  const parts = (color) => color.match(/[\\d.]+/g).map(Number);
  const linear = (v) => v <= .04045 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4;
  const light = (color) => color.reduce((sum, v, i) => sum + linear(v / 255) * ([.2126, .7152, .0722][i] || 0), 0);
  const ground = (one) => {
    for (; one; one = one.parentElement) {
      const found = parts(getComputedStyle(one).backgroundColor);
      if (found.length < 4 || found[3] === 1) return found;
    }
    return [255, 255, 255];
  };
  const bad = [];
  for (const one of document.querySelectorAll('body *')) {
    const own = [...one.childNodes].some((part) => part.nodeType === 3 && part.data.trim());
    if (!own || !one.checkVisibility() || one.closest('.unseen, .skip')) continue;
    const style = getComputedStyle(one), colour = one instanceof SVGElement ? style.fill : style.color;
    const [a, b] = [light(parts(colour)), light(ground(one))];
    const ratio = (Math.max(a, b) + .05) / (Math.min(a, b) + .05);
    if (ratio < 4.5) bad.push(`${one.outerHTML.slice(0, 100)} ${ratio.toFixed(2)}`);
  }
  return bad;
})()
"""
"""Texts with less contrast than AA asks for."""
SMALL = """
[...document.querySelectorAll('a.button, button, summary, nav a, input, select, label.check')]
  .filter((one) => one.checkVisibility() && !['hidden', 'checkbox'].includes(one.type))
  .map((one) => [one, one.getBoundingClientRect()])
  .filter(([one, box]) => box.height < 44 || box.width < 44)
  .map(([one, box]) => `${one.outerHTML.slice(0, 80)} ${box.width}x${box.height}`)
"""
"""What is hard to hit with a thumb."""


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tab]:
    with chromium(tmp_path_factory.mktemp("profile")) as tab:
        yield tab


@pytest.fixture
def tab(browser: Tab) -> Iterator[Tab]:
    """Nobody is signed in, on a desk, by day. What the page complains of fails the test."""
    browser.send("Network.clearBrowserCookies")
    browser.send("Emulation.setScriptExecutionDisabled", value=False)
    browser.screen(DESK)
    browser.prefers(color_scheme="light", reduced_motion="no-preference")
    browser.failures.clear()
    yield browser
    assert browser.failures == []


def opened(tab: Tab, made: Scene, base: str, person: str = "otto") -> None:
    sign_in(tab, base, person, f"/releases/{made.release}")
    tab.wait("document.querySelector('.head .badge')")


def tab_to(tab: Tab, condition: str, most: int = 60) -> None:
    """Moves the focus on with the keyboard until an expression is true."""
    for _ in range(most):
        tab.press("Tab")
        if tab.run(f"Boolean({condition})"):
            return
    raise AssertionError(f"no key leads to {condition}")


def test_a_release_lives_while_its_page_is_open(tab: Tab) -> None:
    with watched(tab, "baking") as (made, base):
        opened(tab, made, base)
        tab.run("window.mine = 'this page'")
        before = tab.run("document.querySelector('#part-gates svg[role=img]').getAttribute('aria-label')")
        made.world.go(20)  # measurements alone make no event
        tab.wait(f"document.querySelector('#part-gates svg[role=img]').getAttribute('aria-label') !== {before!r}")
        made.act("abort", ADAM, reason="slow")
        made.world.go(5)
        tab.wait(f"{BADGES} === 'rolled back'")
        tab.see("aborted by adam: slow")
        tab.wait("document.getElementById('said').textContent.startsWith('rolled back')")
        tab.wait("document.title.startsWith('rolled back')")
        assert tab.run("window.mine") == "this page"
        assert tab.run("document.querySelectorAll('.offer').length") == 1


def test_time_goes_on_without_disturbing_what_is_read(tab: Tab) -> None:
    with watched(tab, "baking") as (made, base):
        opened(tab, made, base)
        before = tab.run("document.querySelector('#part-history .ago').textContent")
        tab.run("window.kept = document.querySelector('#part-history li')")
        made.world.clock.pause(60)
        tab.wait(f"document.querySelector('#part-history .ago').textContent !== {before!r}")
        assert tab.run("document.contains(window.kept)")
        assert tab.run("document.getElementById('said').textContent") == ""


def test_a_page_asks_with_its_tag_and_shows_what_was_held_back(tab: Tab) -> None:
    """What somebody's open form held back is no old news: it comes when the form is closed."""
    with watched(tab, "waiting_for_approval") as (made, base):
        opened(tab, made, base, "adam")
        tab.wait("performance.getEntriesByType('resource').some((one) => one.responseStatus === 304)")
        tab.run("document.querySelector('#act-approve').open = true")
        made.act("pause", OTTO, reason="wait")
        tab.see("It has moved on since you opened this form")
        seq = "document.querySelector('#act-approve [name=seq]').value"
        before = tab.run(seq)
        tab.run("document.querySelector('#act-approve').open = false")
        tab.wait(f"{seq} !== {before!r}")
        tab.run("performance.clearResourceTimings()")
        tab.wait("performance.getEntriesByType('resource').some((one) => one.responseStatus === 304)")


def test_the_list_lives_too(tab: Tab) -> None:
    with watched(tab, "baking") as (made, base):
        sign_in(tab, base, "vera")
        tab.see("canary 5% (2/3)")
        tab.run("window.mine = 'this page'")
        made.act("abort", ADAM)
        made.world.go(5)
        tab.see("rolled back")
        made.start("1.4.3")
        tab.see("1.4.3")
        assert tab.run("window.mine") == "this page"


def test_somebody_approves_with_the_keyboard_alone(tab: Tab) -> None:
    with watched(tab, "waiting_for_approval") as (made, base):
        opened(tab, made, base, "adam")
        tab.press("Tab")
        assert tab.run(f"{FOCUS}.textContent") == "Skip to the content"
        tab.press("Enter")
        tab.wait(f"{FOCUS}.id === 'main'")
        tab_to(tab, f"{FOCUS}.parentElement.id === 'act-approve'")
        assert tab.run(f"getComputedStyle({FOCUS}).outlineStyle") == "solid"
        tab.press("Enter")
        tab_to(tab, f"{FOCUS}.id === 'why-approve'")
        tab.type("looks good")
        tab.press("Enter")
        tab.see("Your approval is recorded.")
        made.world.go(5)
        tab.wait(f"{BADGES}.startsWith('canary 25%')")
        events = made.http.get(f"/v1/releases/{made.release}/events", headers=ADAM).text
        assert "adam approved canary 25% (3/3) (by page): looks good" in events
        assert tab.run("location.search") == ""  # a reload does not say it again


def test_what_somebody_types_stays_while_the_release_goes_on(tab: Tab) -> None:
    with watched(tab, "waiting_for_approval") as (made, base):
        opened(tab, made, base, "adam")
        tab.run("document.querySelector('#act-approve summary').focus()")
        tab.press(" ")
        tab_to(tab, f"{FOCUS}.id === 'why-approve'")
        tab.type("half a sent")
        made.act("pause", OTTO, reason="wait")
        tab.see("It has moved on since you opened this form")
        assert tab.run("document.getElementById('why-approve').value") == "half a sent"
        assert tab.run(f"{FOCUS}.id") == "why-approve"
        assert "paused" in tab.run(BADGES)
        tab.press("Enter")
        tab.see("The release has moved on since you saw it")
        assert tab.run(f"{FOCUS}.id") == "problem"
        assert tab.run("location.pathname") == f"/releases/{made.release}"  # a reload sends nothing again
        tab.failures.clear()  # the browser logs the answer 412 as one
        made.act("resume", OTTO)
        tab.wait(f"!{BADGES}.includes('paused')")
        assert "Not live" not in tab.text()


def test_everything_works_without_scripts(tab: Tab) -> None:
    with watched(tab, "baking") as (made, base):
        tab.without_scripts()
        opened(tab, made, base)
        tab.run("document.querySelector('#act-pause summary').focus()")
        tab.press("Enter")
        tab_to(tab, f"{FOCUS}.id === 'why-pause'")
        tab.type("lunch")
        tab.press("Enter")
        tab.wait(f"{BADGES}.includes('paused')")
        tab.see("paused by otto: lunch")


@pytest.mark.parametrize("name", SCENES)
def test_every_state_is_said_and_fits_the_narrowest_phone(tab: Tab, name: str) -> None:
    with watched(tab, name) as (made, base):
        tab.screen(PHONE)
        opened(tab, made, base, "root")
        assert SCENES[name][1] in tab.run(BADGES)
        for path in (f"/releases/{made.release}", "/releases", "/services/checkout", "/services", "/stop"):
            tab.open(base + path)
            tab.run(UNFOLD)
            assert tab.run("document.documentElement.scrollWidth") <= PHONE, path
            assert tab.run(SMALL) == [], path


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", ["rolled_back", "waiting_for_approval", "no_data", "promoted", "in_hand"])
def test_everything_can_be_read_by_day_and_by_night(tab: Tab, name: str, scheme: str) -> None:
    with watched(tab, name) as (made, base):
        tab.prefers(color_scheme=scheme)
        opened(tab, made, base, "adam")
        ground = tab.run("getComputedStyle(document.body).backgroundColor.match(/\\d+/g).map(Number)[0]")
        assert (ground > 200) == (scheme == "light")
        for path in (f"/releases/{made.release}", "/releases", "/services/checkout", "/stop"):
            tab.open(base + path)
            tab.run(UNFOLD)
            assert tab.run(HARD_TO_READ) == [], path


def test_assistive_technology_is_told_names_and_roles(tab: Tab) -> None:
    with watched(tab, "waiting_for_approval") as (made, base):
        opened(tab, made, base, "adam")
        for path in (f"/releases/{made.release}", "/releases", "/services/checkout", "/stop"):
            tab.open(base + path)
            nodes = [(node["role"]["value"], node.get("name", {}).get("value", "")) for node in tab.tree()]
            roles = {role for role, _ in nodes}
            assert {"main", "banner", "contentinfo", "navigation", "heading", "link", "button"} <= roles, path
            assert [node for node in nodes if node[0] in NEED_NAMES and not node[1]] == [], path
        tab.open(f"{base}/releases")
        tab.screen(PHONE)
        found = [node["role"]["value"] for node in tab.tree()]
        assert {"table", "row", "rowheader", "columnheader", "cell"} <= set(found)  # also where it is drawn as a list


def test_nothing_moves_for_whoever_wants_no_motion(tab: Tab) -> None:
    with watched(tab, "baking") as (made, base):
        tab.prefers(reduced_motion="reduce")
        opened(tab, made, base)
        made.act("pause", ADAM)
        tab.wait(f"{BADGES}.includes('paused')")
        assert tab.run(MOVING) == 0


def test_a_page_whose_server_is_gone_says_that_it_is_old(tab: Tab) -> None:
    with scene("baking") as (made, base):
        opened(tab, made, base)
    tab.see("Not live")
    tab.failures.clear()  # that is what the test is about


def test_whoever_was_signed_out_meanwhile_is_told_so(tab: Tab) -> None:
    with watched(tab, "baking") as (made, base):
        opened(tab, made, base)
        tab.send("Network.clearBrowserCookies")
        made.act("pause", ADAM)
        tab.see("You are signed out")
        tab.failures.clear()


def test_the_pictures_can_be_taken(tab: Tab, tmp_path: Path) -> None:
    from tests.system.screenshots import take

    take(tab, "preparing", tmp_path)
    pictures = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    screens, schemes = ("phone", "desk"), ("light", "dark")
    assert set(pictures) == {f"preparing-{screen}-{scheme}.png" for screen in screens for scheme in schemes}
    assert all(picture.startswith(b"\x89PNG") for picture in pictures.values())
    assert pictures["preparing-desk-light.png"] != pictures["preparing-desk-dark.png"]


@pytest.mark.parametrize("width", [PHONE, DESK])
def test_the_longest_names_fit_a_screen(tab: Tab, width: int) -> None:
    name, versions = "n" * 63, ("1" * 128, "2" * 128)
    with watched(tab, "baking") as (made, base):
        made.http.put(f"/v1/services/{name}", json={**CANARY, "service": name}, headers=OLGA).raise_for_status()
        for version in versions:
            asked = {"service": name, "version": version, "reason": "r" * 200}
            made.http.post("/v1/releases", json=asked, headers=OLGA).raise_for_status()
            made.world.go(10)
        release = made.http.get(f"/v1/releases?service={name}", headers=OLGA).json()["releases"][0]["id"]
        tab.screen(width)
        sign_in(tab, base, "otto")
        for path in (f"/releases/{release}", "/releases", f"/services/{name}", "/services"):
            tab.open(base + path)
            tab.run(UNFOLD)
            assert tab.run("document.documentElement.scrollWidth") <= width, path
