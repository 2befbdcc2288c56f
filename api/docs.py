"""The page to try the API by hand. Everything that it loads comes from this server: many have no way out."""

import base64
import re
from hashlib import sha256
from urllib.parse import urlsplit

from fastapi import FastAPI
from fastapi.openapi.docs import get_swagger_ui_html
from starlette.requests import Request
from starlette.responses import HTMLResponse
from starlette.staticfiles import StaticFiles

from api.headers import policy

PATH = "/docs"
# Relative, so that a prefix which a reverse proxy takes away does no harm.
_ASSETS = "docs/assets"


def install(app: FastAPI, public_url: str) -> None:
    """Serves the page at PATH; the app itself is to have no `docs_url`. Its script calls the API at `public_url`."""
    app.mount(f"/{_ASSETS}", StaticFiles(packages=[("fastapi_swagger", "resources")]))
    ours = urlsplit(public_url)
    connect = f"'self' {ours.scheme}://{ours.netloc}"

    @app.get(PATH, include_in_schema=False)
    def docs(request: Request) -> HTMLResponse:
        app = request.app  # not install's own: FastAPI remembers handlers for ever, and would whole applications
        page = get_swagger_ui_html(
            openapi_url=(app.openapi_url or "").lstrip("/"),
            title=f"{app.title}: API",
            swagger_js_url=f"{_ASSETS}/swagger-ui-bundle.js",
            swagger_css_url=f"{_ASSETS}/swagger-ui.css",
            swagger_favicon_url=f"{_ASSETS}/favicon-32x32.png",
            swagger_ui_parameters={"persistAuthorization": True, "displayRequestDuration": True},
        )
        scripts = f"'self' {_inline(bytes(page.body).decode())}"
        told = policy(script_src=scripts, style_src="'self' 'unsafe-inline'", connect_src=connect)
        page.headers["Content-Security-Policy"] = told
        return page


def _inline(page: str) -> str:
    """The hashes of the page's own scripts, so that no other one runs."""
    scripts = re.findall(r"<script>(.*?)</script>", page, re.DOTALL)
    return " ".join(f"'sha256-{base64.b64encode(sha256(one.encode()).digest()).decode()}'" for one in scripts)
