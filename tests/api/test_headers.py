"""What every answer tells browsers."""

from dataclasses import replace

import pytest
from fastapi.testclient import TestClient

from api.app import create_app

PATHS = ("/healthz", "/login", "/releases", "/v1/releases", "/v1/nowhere", "/nowhere", "/docs", "/openapi.json")


@pytest.mark.parametrize("path", PATHS)
def test_every_answer_has_them(http, path):
    headers = http.get(path, follow_redirects=False).headers
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "same-origin"
    assert headers["strict-transport-security"] == "max-age=31536000"
    policy = headers["content-security-policy"]
    assert "frame-ancestors 'none'" in policy
    assert "default-src 'none'" in policy
    assert "'unsafe-inline'" not in policy.partition("script-src")[2].partition(";")[0]


def test_by_plain_http_nobody_is_bound_to_https(world):
    with TestClient(create_app(replace(world.services, public_url="http://127.0.0.1:8080"))) as http:
        assert "strict-transport-security" not in http.get("/healthz").headers


def test_scripts_of_the_docs_page_are_named_by_their_hash(http):
    answer = http.get("/docs")
    assert answer.text.count("<script>") == answer.headers["content-security-policy"].count("'sha256-") == 1
