"""docs/api.md: every command in it is run against a server, in order, and the table of errors is whole."""

import re
import shlex
from pathlib import Path

import httpx
import pytest

from api.app import create_app
from api.problems import KINDS
from delivery.adapters.clock.system import SystemClock
from delivery.adapters.ledger.memory import MemoryLedger
from delivery.machine.evolve import fold
from tests.api.server import LIMIT, serving
from tests.api.world import BASE, SERVICE, World, bearer, secret

PAGE = (Path(__file__).parents[2] / "docs" / "api.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


def commands() -> list[list[str]]:
    """The curl commands, as a shell splits them."""
    text = "\n".join(blocks("sh")).replace("\\\n", " ")
    lexer = re.split(r"^(?=curl )", text, flags=re.MULTILINE)
    return [shlex.split(part) for part in lexer if part.startswith("curl ")]


def curl(arguments: list[str], names: dict[str, str]) -> httpx.Response:
    """As much of curl as the page uses."""
    method, url, headers, body = None, "", {}, None
    rest = iter(re.sub(r"\$([A-Z]+)", lambda found: names[found[1]], one) for one in arguments[1:])
    for one in rest:
        match one:
            case "-X":
                method = next(rest)
            case "-H":
                name, _, value = next(rest).partition(": ")
                headers[name] = value
            case "-d" | "--data-binary":
                body = next(rest)
            case _:
                assert not one.startswith("-"), f"curl {one} is more than this test knows"
                url = one
    return httpx.request(method or "GET", url, headers=headers, content=body, timeout=LIMIT)


def test_the_page_runs_from_its_first_command_to_its_last():
    clock = SystemClock()
    world = World(MemoryLedger(clock, fold), clock)  # type: ignore[arg-type]
    with serving(create_app(world.services)) as base:
        names = {"API": base, "TOKEN": secret("olga")}
        _first_version(base, world)
        answers = []
        for arguments in commands():
            answer = curl(arguments, names)
            assert answer.is_success, f"{shlex.join(arguments)}: {answer.status_code} {answer.text}"
            answers.append(answer)
            if answer.status_code == 201 and "location" in answer.headers:
                names["RELEASE"] = answer.headers["location"].rpartition("/")[2]
                world.drain.run(1.0)
    assert len(answers) == len(re.findall(r"^curl ", PAGE, re.MULTILINE)) >= 11


def _first_version(base: str, world: World) -> None:
    headers = bearer("olga")
    httpx.put(f"{base}/v1/services/checkout", json=SERVICE, headers=headers).raise_for_status()
    first = httpx.post(f"{base}/v1/releases", json={"service": "checkout", "version": "1.4.1"}, headers=headers)
    while httpx.get(first.headers["location"].replace(BASE, base), headers=headers).json()["state"] != "promoted":
        world.drain.run(1.0)


def test_the_table_of_errors_is_whole():
    rows = re.findall(r"^\| `([a-z-]+)` \| (\d{3}) \| (.*) \|$", PAGE, re.MULTILINE)
    assert rows == [(kind, str(status), title) for kind, (status, title) in KINDS.items()]


@pytest.mark.parametrize("path", re.findall(r"`(?:GET|POST|PUT) (/v1/[^`]*)`|`(/v1/[^`]*)`", PAGE))
def test_a_path_that_is_named_is_there(path, world):
    named = re.sub(r"/(ID|SOURCE|ACTION|checkout)\b", "/{}", "".join(path)).partition("?")[0]
    known = {re.sub(r"\{[a-z]+\}", "{}", one) for one in world.app.openapi()["paths"]}
    known |= {re.sub(r"/[a-z]+$", "/{}", one) for one in known}
    assert named in known
