"""A browser before the API: it keeps cookies, names its origin, and follows no redirect unseen."""

import re
from typing import Any

from fastapi.testclient import TestClient
from httpx2 import Response

from tests.api.world import BASE, World, secret


class Browser:
    """`page` has the CSRF token of the page that was opened last, as its forms would send it."""

    def __init__(self, world: World) -> None:
        self.http = TestClient(world.app, base_url=BASE, follow_redirects=False)
        self.csrf = ""

    def open(self, path: str, **arguments: Any) -> Response:
        answer = self.http.get(path, **arguments)
        found = re.search(r'name="csrf" value="([^"]+)"', answer.text)
        self.csrf = found[1] if found else self.csrf
        return answer

    def send(self, path: str, origin: str | None = BASE, **fields: str) -> Response:
        headers = {"Origin": origin} if origin is not None else {}
        return self.http.post(path, data=fields, headers=headers)

    def sign_in(self, person: str, onward: str = "/releases") -> Response:
        return self.send("/login", token=secret(person), next=onward)


__all__ = ["Browser", "Response"]
