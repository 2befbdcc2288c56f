"""docs/events.md: its event is taken, its way to sign is right, and no field is left out."""

import json
import re
import time
from pathlib import Path
from typing import Any

import pytest

from delivery.model.ids import SECOND, Micros
from delivery.model.notice import ReleaseRequested
from delivery.sources.cloudevents import CloudEvents
from delivery.sources.errors import Malformed

TEXT = (Path(__file__).parents[3] / "docs/events.md").read_text(encoding="utf-8")
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


def block(language: str) -> str:
    found = re.search(rf"```{language}\n(.*?)```", TEXT, re.DOTALL)
    assert found is not None
    return found[1]


def test_the_event_signed_as_the_page_says_is_taken() -> None:
    scope: dict[str, Any] = {}
    exec(block("python"), scope)
    body = block("json").encode()
    now = Micros(int(time.time() * SECOND))
    event = json.loads(body) | {"time": "2026-01-01T00:00:00Z"}
    body = json.dumps(event).encode()
    notice = CloudEvents("ci", [SECRET]).receive(scope["headers"](SECRET, "gh-912-1", body), body, now)
    assert isinstance(notice.says, ReleaseRequested)
    assert notice.says.service == "checkout"


def test_every_field_is_on_the_page() -> None:
    event = json.loads(block("json"))
    event["data"]["zzz"] = 1
    with pytest.raises(Malformed) as caught:
        CloudEvents("ci", [SECRET]).reread(json.dumps(event).encode())
    fields = re.sub(r".*expected one of ", "", str(caught.value)).split(", ")
    shown = event["data"].keys() - {"zzz"} | {"config"}  # which is refused where nothing is tracked: no good example
    assert sorted(fields) == sorted(shown)
    assert [field for field in fields if f"`{field}`" not in TEXT] == []
