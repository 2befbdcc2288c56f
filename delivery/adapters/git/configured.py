"""A repository as the server's configuration describes it."""

import re
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import unquote

from delivery.adapters.git.objects import Objects
from delivery.adapters.git.program import Author, Login
from delivery.adapters.git.repository import Repository

_URL = re.compile(r"(https?|ssh|git|file)://\S+|[\w.-]+@[\w.-]+:\S+")
_PASSWORD = re.compile(r"(?P<scheme>[a-z]+://)(?P<user>[^/@:]*):(?P<password>[^/@]*)@")
_BRANCH = re.compile(r"[A-Za-z0-9][\w./-]*")


def repository(url: str, branch: str, directory: str, **access: str) -> Repository:
    """`access` has the fields of Login, whose `ssh_key` and `known_hosts` are files, and `author` and `email`.

    Raises ValueError for what git could take for something else, TypeError for a field that is none.
    """
    url, login = _login_taken_out(url)
    if not _URL.fullmatch(url):
        raise ValueError(f"url: {url!r} is no https, ssh, git or file URL")
    if not _BRANCH.fullmatch(branch) or ".." in branch:
        raise ValueError(f"branch: {branch!r} is no name of a branch")
    access = {**login, **access}
    default = Author()
    author = Author(access.pop("author", default.name), access.pop("email", default.email))
    return Repository(url, branch, Path(directory), Login(**access), author)


def _login_taken_out(url: str) -> tuple[str, Mapping[str, str]]:
    """As an argument of git everybody on the machine could read it."""
    found = _PASSWORD.match(url)
    if found is None:
        return url, {}
    user = {"username": unquote(found["user"])} if found["user"] else {}
    return f"{found['scheme']}{url[found.end() :]}", {**user, "password": unquote(found["password"])}


def objects(*, url: str, directory: str, folder: str = "", branch: str = "main", **access: str) -> Objects:
    """The folder of a repository in which objects stand. Raises ValueError and TypeError as `repository`."""
    if folder.startswith("/") or ".." in Path(folder).parts:
        raise ValueError(f"folder: {folder!r} leaves the repository")
    return Objects(repository(url, branch, directory, **access), folder)
