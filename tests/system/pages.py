"""A server with pages on a real port, and a browser that is signed in there."""

import contextlib
from collections.abc import Iterator
from dataclasses import replace

from fastapi.testclient import TestClient

from api.app import create_app
from tests.api.server import serving
from tests.api.world import World, secret
from tests.system.chromium import Tab
from tests.system.scenes import SCENES, Scene


@contextlib.contextmanager
def scene(name: str) -> Iterator[tuple[Scene, str]]:
    """The scene, played, and where its pages are."""
    made = Scene()
    with TestClient(made.world.app) as http:
        made.begin(http)
        SCENES[name][0](made)
        with pages(made.world) as base:
            yield made, base


@contextlib.contextmanager
def watched(tab: Tab, name: str) -> Iterator[tuple[Scene, str]]:
    """As `scene`; at the end nobody looks at it any more, so that no stream is cut."""
    with scene(name) as found:
        yield found
        tab.send("Page.navigate", url="about:blank")
        tab.wait("location.href === 'about:blank'")


@contextlib.contextmanager
def pages(world: World) -> Iterator[str]:
    """Where the world's pages are, over plain http."""
    with serving(create_app(replace(world.services, public_url="http://127.0.0.1"))) as base:
        yield base


def sign_in(tab: Tab, base: str, person: str, onward: str = "/releases") -> None:
    """As a person does it, with the keyboard."""
    tab.open(f"{base}/login?next={onward}")
    tab.run("document.getElementById('token').focus()")
    tab.type(secret(person))
    tab.press("Enter")
    tab.wait(f"location.pathname !== '/login' && document.readyState === 'complete' /* {onward} */")
