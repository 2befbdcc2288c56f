"""What to look at after the demo, and what to try in the environment that is kept running."""

import shutil
import sys
from pathlib import Path

from delivery.sandbox.demo.plays import APPROVES, FIRST, SERVICE, STARTS
from delivery.sandbox.environment import Local

SERVICES = Path(__file__).with_name("services")


def look_closer() -> tuple[str, ...]:
    return (
        "",
        "look closer: `make serve` keeps the same environment running and says what to try;",
        f"the four service files that were applied are in {_near(SERVICES)}",
    )


def try_this(local: Local) -> tuple[str, ...]:
    """Commands to copy. The profile has the token of the one who starts releases."""
    delivery = _command()
    return (
        "",
        f"  {local.api_url}/releases        pages; sign in as {STARTS} with {local.keys.tokens[STARTS]}",
        f"  {local.api_url}/docs        the API; tokens and addresses are in {local.directory}",
        f"  {local.proxy_url}            Envoy: curl -sH 'host: {SERVICE}' {local.proxy_url}/",
        f"  {local.logs}/        what each part says",
        "",
        "In another terminal:",
        f"  export DELIVERY_PROFILE={local.profile}        # you are {STARTS}",
        f"  {delivery} release start {SERVICE} 1.4.2         # a good one; {FIRST} is stable",
        f"  {delivery} release watch 2",
        f"  {delivery} release start {SERVICE} 1.4.3         # its errors rise tenfold: it goes back by itself",
        f"  {delivery} release show 3",
        "",
        "As CI does it, with a signature instead of a token:",
        f"  export DELIVERY_WEBHOOK_SECRET={local.keys.secret}",
        f"  {delivery} webhook send {SERVICE} 1.4.4 --actor {STARTS}",
        "",
        "Another strategy; this one waits for somebody who did not start it:",
        f"  {delivery} services apply -f {_near(SERVICES / 'blue_green.yaml')}",
        f"  {delivery} release start {SERVICE} 1.4.5",
        f"  {delivery} release explain 5",
        f"  {delivery} release approve 5 --token {local.keys.tokens[APPROVES]}        # you are {APPROVES}",
        "",
        "Ctrl-C ends everything and leaves nothing behind.",
    )


def _command() -> str:
    """How to call the command here: by its path, where the shell would not find it."""
    return "delivery" if shutil.which("delivery") else _near(Path(sys.executable).with_name("delivery"))


def _near(path: Path) -> str:
    """Below the current directory as the shorter name."""
    path = path.absolute()
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)
