"""A repository through the real git: what is pushed expects what was read."""

import socket
from pathlib import Path

import pytest

from delivery.adapters.git.configured import repository
from delivery.adapters.git.repository import Repository
from delivery.ports.errors import Conflict, Refused, Unavailable
from tests.git_server import GitServer, over_http

LIMIT = 10.0
FILE = "apps/checkout/values.yaml"


@pytest.fixture
def server(tmp_path: Path) -> GitServer:
    return GitServer(tmp_path, {FILE: "tag: 1\n", "README": "hello\n", "run.sh": "#!/bin/sh\n"})


@pytest.fixture
def worker(server: GitServer, tmp_path: Path) -> Repository:
    return repository(server.url, "main", str(tmp_path / "w1"), author="Robot", email="robot@example.org")


def write(worker: Repository, text: str, token: str = "t1", name: str = "prod/checkout"):
    read = worker.look()
    return worker.write(read, {FILE: text.encode()}, f"checkout {text}", (name, token))


def test_a_commit_has_what_was_changed_and_nothing_else(server, worker):
    before = server.head()
    written = write(worker, "tag: 2\n")
    assert server.head() == written.head
    assert [line.partition(" ")[2] for line in server.log()] == ["checkout tag: 2", "the beginning"]
    assert (server.read(FILE), server.read("README")) == ("tag: 2\n", "hello\n")
    assert server.log()[1].startswith(before)
    assert worker.look() == written


def test_a_file_that_is_needed_no_more_goes(server, worker):
    worker.write(worker.look(), {"README": None, FILE: b"tag: 2\n"}, "tidy")
    assert server.read(FILE) == "tag: 2\n"
    assert sorted(worker.files(server.head(), "")) == [FILE, "run.sh"]


def test_nothing_of_git_stays_behind_where_a_host_is_silent(tmp_path, monkeypatch):
    """The program that git has for HTTP waits for an answer without end: it has to go with git."""
    monkeypatch.setattr("delivery.adapters.git.program.CALL_SECONDS", 2.0)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        worker = repository(f"http://127.0.0.1:{silent.getsockname()[1]}/x", "main", str(tmp_path / "w"))
        with pytest.raises(Unavailable, match="does not answer within"):
            worker.look()
        silent.settimeout(LIMIT)
        connection, _ = silent.accept()
        with connection:
            connection.settimeout(LIMIT)
            while connection.recv(4096):  # what it asked, and then the end of who asked
                pass


def test_who_pushed_in_between_wins(server, worker, tmp_path):
    read = worker.look()
    server.commit("somebody else, elsewhere", {"README": "hello you\n"})
    with pytest.raises(Conflict):
        worker.write(read, {FILE: b"tag: 2\n"}, "late", ("prod/checkout", "t1"))
    assert server.read(FILE) == "tag: 1\n"
    assert worker.look().claims == {}, "both or none"
    write(worker, "tag: 2\n")
    assert server.read("README") == "hello you\n"


def test_of_two_workers_one_writes(server, worker, tmp_path):
    other = repository(server.url, "main", str(tmp_path / "w2"))
    read = other.look()
    write(worker, "tag: 2\n")
    with pytest.raises(Conflict):
        other.write(read, {FILE: b"tag: 3\n"}, "late", ("prod/checkout", "t0"))
    assert server.read(FILE) == "tag: 2\n"


def test_a_note_alone_keeps_a_late_writer_out_and_the_branch_as_it_is(server, worker, tmp_path):
    """What was decided last needs no change: then what was decided before, and comes late, has to fail all the same."""
    late = repository(server.url, "main", str(tmp_path / "w2"))
    read = late.look()
    head = server.head()
    worker.write(worker.look(), {}, "", ("prod/checkout", "t2"))
    assert server.head() == head
    with pytest.raises(Conflict):
        late.write(read, {FILE: b"tag: 2\n"}, "late", ("prod/checkout", "t1"))
    assert server.head() == head
    assert late.look().claim("prod/checkout") == "t2"
    late.write(late.look(), {FILE: b"tag: 4\n"}, "another service", ("prod/cart", "t7"))
    assert {name: text for name, (_, text) in worker.look().claims.items()} == {
        "prod/checkout": "t2",
        "prod/cart": "t7",
    }


def test_what_the_host_declines_is_told_in_its_words(server, worker):
    server.refuses("GH006: Protected branch update failed for refs/heads/main")
    with pytest.raises(Refused, match="Protected branch"):
        write(worker, "tag: 2\n")
    server.takes()
    write(worker, "tag: 2\n")


def test_the_hosts_words_are_told_first_since_addresses_may_be_long(tmp_path):
    deep = tmp_path / ("d" * 200)
    deep.mkdir()
    server = GitServer(deep, {FILE: "tag: 1\n"})
    server.refuses("GH006: Protected branch update failed: changes must be made through a pull request")
    worker = repository(server.url, "main", str(tmp_path / "w1"), author="Robot", email="robot@example.org")
    with pytest.raises(Refused, match="must be made through a pull request"):
        write(worker, "tag: 2\n")


def test_a_host_that_is_away_and_comes_back(server, worker):
    write(worker, "tag: 2\n")
    away = server.bare.rename(server.bare.with_suffix(".away"))
    with pytest.raises((Unavailable, Refused)):
        worker.look()
    away.rename(server.bare)
    assert worker.look().head == server.head()


def test_its_own_copy_may_be_deleted(server, worker, tmp_path):
    import shutil

    write(worker, "tag: 2\n")
    shutil.rmtree(tmp_path / "w1")
    assert worker.look().claim("prod/checkout") == "t1"


def test_what_is_not_there_is_refused(server, worker, tmp_path):
    with pytest.raises(Refused, match=r"no file nothing\.yaml"):
        worker.read(worker.look().head, "nothing.yaml")
    with pytest.raises(Refused, match="remote ref"):
        repository(server.url, "nowhere", str(tmp_path / "w3")).look()


@pytest.mark.parametrize(
    ("url", "branch"),
    [("--upload-pack=touch /tmp/x", "main"), ("ext::sh -c id", "main"), ("https://a/b", "-f"), ("https://a/b", "a..b")],
)
def test_what_git_could_take_for_something_else_is_refused(url, branch):
    with pytest.raises(ValueError, match=r"url|branch"):
        repository(url, branch, "/nowhere")


def test_no_secret_is_told(tmp_path):
    found = repository("https://robot:hunter2@127.0.0.1:1/x.git", "main", str(tmp_path / "w"), password="hunter3")
    with pytest.raises(Unavailable) as caught:
        found.look()
    assert "hunter" not in str(caught.value)
    assert "hunter" not in repr(found)


def test_a_token_is_replaced_while_both_count(server, tmp_path):
    """As the runbook says; who still has the old one then is unavailable, as in an outage: that takes nothing back."""
    tokens = {"old"}
    with over_http(server, tokens) as url:
        before = repository(url, "main", str(tmp_path / "before"), password="old")
        after = repository(url, "main", str(tmp_path / "after"), password="new")
        write(before, "tag: 2\n")
        read = before.look()
        with pytest.raises(Unavailable):
            after.look()
        tokens.add("new")
        write(before, "tag: 3\n", "t2")
        write(after, "tag: 4\n", "t3")
        tokens.remove("old")
        with pytest.raises(Unavailable):
            before.look()
        with pytest.raises(Unavailable):
            before.write(read, {FILE: b"tag: 5\n"}, "late", ("prod/checkout", "t4"))
        assert server.read(FILE) == "tag: 4\n"
        write(after, "tag: 6\n", "t5")
    assert server.read(FILE) == "tag: 6\n"
