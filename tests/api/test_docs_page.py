"""The page to try the API by hand loads nothing from anywhere else."""

import re

import pytest


def test_every_address_on_the_page_is_this_server_s(http):
    page = http.get("/docs")
    assert page.status_code == 200
    assert "//" not in "".join(re.findall(r"(?:src|href|url)\s*[=:]\s*['\"]([^'\"]*)", page.text))
    addresses = re.findall(r"""(?:src=|href=|url: )['"]([^'"]+)""", page.text)
    assert len(addresses) >= 4
    for address in addresses:
        assert http.get(f"/{address}").status_code == 200, address


@pytest.mark.parametrize("path", ["/docs/assets/../../app.py", "/docs/assets/%2e%2e/%2e%2e/app.py", "/docs/assets/"])
def test_nothing_but_its_files_is_served(http, path):
    assert http.get(path).status_code == 404
