"""Pictures of every page in every state, on a phone and a desk, light and dark: `make screenshots`."""

import argparse
import tempfile
from pathlib import Path

import structlog

from tests.system.chromium import Tab, chromium
from tests.system.pages import sign_in, watched
from tests.system.scenes import SCENES

SCREENS = {"phone": (390, 844), "desk": (1280, 900)}
SCHEMES = ("light", "dark")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--into", type=Path, default=Path("build/screenshots"), help="a folder, made where missing")
    parser.add_argument("--only", nargs="*", choices=sorted(SCENES), help="some scenes instead of all")
    asked = parser.parse_args()
    asked.into.mkdir(parents=True, exist_ok=True)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(40))
    with tempfile.TemporaryDirectory() as profile, chromium(Path(profile)) as tab:
        for name in asked.only or SCENES:
            take(tab, name, asked.into)
    print(f"pictures are in {asked.into}")


def take(tab: Tab, name: str, into: Path) -> None:
    """The release of a scene; with a running one the other pages too."""
    with watched(tab, name) as (made, base):
        tab.send("Network.clearBrowserCookies")
        if name == "in_hand":
            pictures(tab, f"{base}/login", "login", into)
        sign_in(tab, base, "adam" if name == "waiting_for_approval" else "otto")
        shots = {name: f"/releases/{made.release}"}
        if name == "in_hand":
            stop = {"scope": "cluster:local", "reason": "incident 7: payment provider is down"}
            made.http.put("/v1/stop", json=stop, headers={"Authorization": "Bearer token-of-otto"})
            shots |= {"service": "/services/checkout", "services": "/services", "stop": "/stop", "list": "/releases"}
            shots |= {"not_found": "/releases/rel_nothing"}
        for shot, path in shots.items():
            pictures(tab, f"{base}{path}", shot, into)


def pictures(tab: Tab, url: str, name: str, into: Path) -> None:
    for screen, (width, height) in SCREENS.items():
        tab.screen(width, height)
        for scheme in SCHEMES:
            tab.prefers(color_scheme=scheme)
            tab.open(url)
            tab.picture(into / f"{name}-{screen}-{scheme}.png")


if __name__ == "__main__":
    main()
