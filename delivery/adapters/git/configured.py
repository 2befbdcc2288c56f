"""A repository as the server's configuration describes it."""

import re
from pathlib import Path

from delivery.adapters.git.objects import Objects
from delivery.adapters.git.repository import Author, Login, Repository

_URL = re.compile(r"(https?|ssh|git|file)://\S+|[\w.-]+@[\w.-]+:\S+")
_BRANCH = re.compile(r"[A-Za-z0-9][\w./-]*")


def repository(url: str, branch: str, directory: str, **access: str) -> Repository:
    """`access` has the fields of Login, whose `ssh_key` and `known_hosts` are files, and `author` and `email`.

    Raises ValueError for what git could take for something else, TypeError for a field that is none.
    """
    if not _URL.fullmatch(url):
        raise ValueError(f"url: {url!r} is no https, ssh, git or file URL")
    if not _BRANCH.fullmatch(branch) or ".." in branch:
        raise ValueError(f"branch: {branch!r} is no name of a branch")
    default = Author()
    author = Author(access.pop("author", default.name), access.pop("email", default.email))
    return Repository(url, branch, Path(directory), Login(**access), author)


def objects(*, url: str, directory: str, folder: str = "", branch: str = "main", **access: str) -> Objects:
    """The folder of a repository in which objects stand. Raises ValueError and TypeError as `repository`."""
    if folder.startswith("/") or ".." in Path(folder).parts:
        raise ValueError(f"folder: {folder!r} leaves the repository")
    return Objects(repository(url, branch, directory, **access), folder)
