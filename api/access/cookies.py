"""Cookies of ours: for this host alone, kept from scripts, and from anything unencrypted where people come by https."""

from starlette.requests import HTTPConnection
from starlette.responses import Response


class Cookies:
    def __init__(self, *, secure: bool) -> None:
        self._secure = secure

    def name(self, purpose: str) -> str:
        """The prefix is the browser's promise that no other host, and nothing unencrypted, has set it."""
        return f"__Host-delivery-{purpose}" if self._secure else f"delivery-{purpose}"

    def get(self, request: HTTPConnection, purpose: str) -> str:
        return request.cookies.get(self.name(purpose), "")

    def set(self, response: Response, purpose: str, value: str, seconds: int) -> None:
        response.set_cookie(
            self.name(purpose), value, max_age=seconds, secure=self._secure, httponly=True, samesite="lax"
        )

    def drop(self, response: Response, purpose: str) -> None:
        response.delete_cookie(self.name(purpose), secure=self._secure, httponly=True, samesite="lax")
