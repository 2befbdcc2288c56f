"""Releases at the command line, from start to end, against the real API."""

import json

import pytest
import yaml

from delivery.cli.errors import Code
from tests.api.world import SERVICE
from tests.unit.cli.conftest import SERVICE as FILE


def test_a_release_is_started_listed_and_shown(sh, checkout):
    started = sh("release", "start", "checkout", "1.4.2")
    assert started.code == 0
    assert started.out == "checkout@local/2: it started\n"
    listed = sh("release", "list")
    lines = listed.out.splitlines()
    assert lines[0].split() == ["RELEASE", "SERVICE", "CLUSTER", "VERSION", "STATE", "ACTOR", "STARTED"]
    assert lines[1].split()[:3] == ["#2", "checkout", "local"]
    assert len(lines) == 3
    shown = sh("release", "show", "2")
    assert "1.4.2" in shown.out
    assert "canary 5%" in shown.out


@pytest.mark.parametrize("name", ["2", "#2", "checkout/2", "checkout@local/2"])
def test_a_release_has_several_names(sh, checkout, name):
    sh("release", "start", "checkout", "1.4.2")
    by_name = json.loads(sh("release", "show", name, "-o", "json").out)
    assert by_name["to"]["version"] == "1.4.2"
    assert json.loads(sh("release", "show", by_name["id"], "-o", "json").out)["number"] == 2


def test_a_name_that_is_none_and_one_that_nobody_has(sh, checkout):
    wrong = sh("release", "show", "1.4.2")
    assert (wrong.code, "names no release" in wrong.err) == (1, True)
    assert "`delivery release list` shows them" in wrong.err
    missing = sh("release", "show", "99")
    assert (missing.code, "there is no release 99" in missing.err) == (1, True)


def test_a_number_in_two_clusters_asks_which(sh, world, tmp_path):
    for cluster in ("local", "other"):
        text = f"service: {cluster}-shop\ncluster: {cluster}\nworkload: {{process: checkout}}\n"
        (tmp_path / f"{cluster}.yaml").write_text(text)
    assert sh("services", "apply", "-f", str(tmp_path)).code == 0
    sh("release", "start", "local-shop", "1")
    sh("release", "start", "other-shop", "1")
    asked = sh("release", "show", "1")
    assert asked.code == 1
    assert "local-shop@local/1" in asked.err
    assert "other-shop@other/1" in asked.err
    assert sh("release", "show", "other-shop/1").code == 0


def test_a_number_that_one_service_has_in_two_clusters_is_told_apart_by_the_cluster(sh, world, tmp_path):
    (tmp_path / "shop.yaml").write_text("service: shop\ncluster: [local, other]\nworkload: {process: checkout}\n")
    assert sh("services", "apply", "-f", str(tmp_path / "shop.yaml")).code == 0
    sh("release", "start", "shop", "1")
    assert "shop@local/1, shop@other/1" in sh("release", "show", "shop/1").err
    for cluster in ("local", "other"):
        assert json.loads(sh("release", "show", f"shop@{cluster}/1", "-o", "json").out)["cluster"] == cluster


def test_formats_for_programs_hold_the_whole_document(sh, checkout):
    sh("release", "start", "checkout", "1.4.2")
    as_json = json.loads(sh("release", "show", "2", "-o", "json").out)
    as_yaml = yaml.safe_load(sh("release", "show", "2", "-o", "yaml").out)
    assert as_json == as_yaml
    assert as_json["stages"][0]["name"] == "canary 5%"
    assert "ID" in sh("release", "list", "-o", "wide").out.splitlines()[0]


def test_list_filters_and_pages(sh, checkout, transport, monkeypatch):
    for version in ("1.4.2", "1.4.3", "1.4.4"):
        sh("release", "start", "checkout", version)
    monkeypatch.setattr("delivery.cli.client.PER_PAGE", 2)
    assert [one["number"] for one in json.loads(sh("release", "list", "-o", "json").out)] == [4, 3, 2, 1]
    assert [one["number"] for one in json.loads(sh("release", "list", "-n", "3", "-o", "json").out)] == [4, 3, 2]
    promoted = json.loads(sh("release", "list", "--state", "promoted", "-o", "json").out)
    assert [one["number"] for one in promoted] == [1]
    none = sh("release", "list", "--version", "9")
    assert (none.out, none.err.strip()) == ("", "no release fits")


def test_a_new_release_is_told_by_the_name_that_every_other_command_takes(sh, checkout):
    assert sh("release", "start", "checkout", "1.4.2").out == "checkout@local/2: it started\n"
    assert "checkout@local/3: it waits" in sh("release", "start", "checkout", "1.4.3").out
    checkout.go(20)
    sh("release", "abort", "3", "-m", "odd")
    sh("release", "abort", "2", "-m", "odd")
    checkout.go(20)
    assert sh("release", "retry", "2").out == "#2 retry: checkout@local/4; it started\n"
    assert sh("release", "start", "checkout", "1.4.1").out == "checkout@local/4: back to 1.4.1, which is stable\n"
    checkout.go(20)
    assert sh("release", "start", "checkout", "1.4.1").out == "1.4.1 is stable here already\n"


def test_a_version_that_ended_badly_is_refused_with_the_command_that_brings_it_back(sh, checkout):
    sh("release", "start", "checkout", "1.4.2")
    checkout.go(20)
    sh("release", "abort", "2", "-m", "odd")
    checkout.go(20)
    refused = sh("release", "start", "checkout", "1.4.2")
    assert (refused.code, refused.out) == (1, "")
    assert "1.4.2 came to a bad end here before" in refused.err
    assert "`delivery release retry checkout@local/2`" in refused.err
    assert sh("release", "start", "checkout", "1.4.2", "-o", "json").code == 1


def test_people_steer_a_release(sh, checkout):
    sh("release", "start", "checkout", "1.4.2")
    checkout.go(20)
    assert "paused" in sh("release", "pause", "2", "-m", "lunch").out
    explained = sh("release", "explain", "2").out
    assert "lunch" in explained
    assert "abort, such as: delivery release resume checkout@local/2 -m WHY\n" in explained
    assert sh("release", "resume", "2").code == 0
    aborted = sh("release", "abort", "2", "-m", "odd", who="adam")
    assert aborted.code == 0
    checkout.go(5)
    shown = sh("release", "show", "2").out
    assert "rolled_back" in shown
    assert "adam" in shown
    history = sh("release", "history", "2").out
    assert "lunch" in history
    assert "odd" in history


def test_an_action_that_does_not_fit_names_those_that_do(sh, checkout):
    refused = sh("release", "resume", "1")
    assert refused.code == 1
    assert refused.err.startswith("error: ")
    assert "allowed now: " in refused.err


def test_promote_retry_and_rollback(sh, checkout):
    sh("release", "start", "checkout", "1.4.2")
    checkout.go(10)
    assert sh("release", "promote", "2", "-m", "hotfix").code == 0
    checkout.go(10)
    assert json.loads(sh("release", "show", "2", "-o", "json").out)["state"] == "promoted"
    back = sh("release", "rollback", "2", "-m", "wrong price")
    assert back.code == 0
    checkout.go(10)
    newest = json.loads(sh("release", "show", "3", "-o", "json").out)
    assert (newest["state"], newest["to"]["version"]) == ("promoted", "1.4.1")


def test_a_token_that_may_not_is_told_its_role(sh, checkout):
    refused = sh("release", "start", "checkout", "1.4.2", who="vera")
    assert refused.code == 1
    assert "needs the role operator" in refused.err
    assert "delivery doctor" in refused.err
    none = sh("release", "list", who=None)
    assert (none.code, "--token" in none.err) == (1, True)


def test_watch_prints_each_event_once_and_ends_with_the_release(sh, checkout, transport, monkeypatch):
    sh("release", "start", "checkout", "1.4.2")
    monkeypatch.setattr("delivery.cli.watch.rest", lambda seconds: checkout.go(30))
    watched = sh("release", "watch", "2")
    assert watched.code == 0
    lines = watched.out.splitlines()
    assert len(lines) == len(set(lines))
    assert sum("promoted:" in line for line in lines) == 1
    events = json.loads(sh("release", "history", "2", "-o", "json").out)
    assert len(lines) == len(events)


def test_watch_of_one_that_goes_back_ends_with_2(sh, checkout, monkeypatch):
    sh("release", "start", "checkout", "1.4.2")
    checkout.go(20)
    sh("release", "abort", "2")
    monkeypatch.setattr("delivery.cli.watch.rest", lambda seconds: checkout.go(5))
    watched = sh("release", "watch", "2", "-o", "json")
    assert watched.code == Code.WENT_BACK
    assert json.loads(watched.out)["state"] == "rolled_back"
    assert "back to stable" in watched.err


GUARDED = """\
service: checkout
cluster: local
workload: {process: checkout}
tick: 10s
strategies:
  - canary: {steps: [5%, 50%], bake: 1m, gates: [], min_requests: 0, approval: {before: 50%, from: sre}}
policy: {override: {from: sre}}
"""


def test_approvals_and_words_about_a_hold_are_the_same_from_the_command(sh, checkout, tmp_path):
    (tmp_path / "guarded.yaml").write_text(GUARDED)
    assert sh("services", "apply", "-f", str(tmp_path / "guarded.yaml")).code == 0
    assert sh("release", "start", "checkout", "1.4.2").code == 0
    checkout.go(5)
    assert sh("release", "pause", "2", "-m", "lunch", who="adam").code == 0
    own = sh("release", "resume", "2", "--hold", "pause")
    assert (own.code, "olga started this release" in own.err) == (1, True)
    assert "is not in it" in sh("release", "resume", "2", "--hold", "pause", who="otto").err
    assert "to lift pause needs 1 of sre, not olga" in sh("release", "explain", "2").out
    assert sh("release", "resume", "2", "--hold", "pause", "-m", "back", who="root").code == 0
    assert "olga started this release" in sh("release", "approve", "2").err
    assert sh("release", "approve", "2", "-m", "looks fine", who="adam").code == 0
    checkout.go(200)
    release = json.loads(sh("release", "show", "2", "-o", "json").out)
    assert release["state"] == "promoted"
    (vote,) = release["stages"][1]["approvals"]
    assert (vote["actor"], vote["via"], vote["reason"]) == ("adam", "cli adam-laptop", "looks fine")


def test_hooks_are_shown_with_what_they_said_and_the_plan_has_them(sh, checkout, world, tmp_path):
    hooks = {"migrate": {"http": "platform", "before": "start"}, "smoke": {"http": "platform", "during": "canary 5%"}}
    (tmp_path / "checkout.yaml").write_text(yaml.safe_dump({**SERVICE, "hooks": hooks}))
    assert sh("services", "apply", "-f", str(tmp_path / "checkout.yaml")).code == 0
    assert "hook smoke (platform/): during canary 5% (1/2)" in sh("plan", "checkout").out
    sh("release", "start", "checkout", "1.4.2")
    world.go(5)
    assert "migrate (start): running" in sh("release", "show", "2").out
    (key,) = world.hooks.made
    world.hooks.ends(key, True, "4 migrations")
    world.go(10)
    shown = sh("release", "show", "2").out
    assert "migrate (start): passed, 4 migrations" in shown
    assert "smoke (during canary 5%): running" in shown


def test_who_has_to_agree_before_it_begins_is_said_wherever_somebody_looks(sh, checkout, tmp_path):
    asking = FILE.replace("bake: 1m", "bake: 1m, approval: [{before: begin, from: sre, count: 2}, {before: 50%}]")
    (tmp_path / "checkout.yaml").write_text(asking)
    assert sh("services", "apply", "-f", str(tmp_path / "checkout.yaml")).code == 0
    assert sh("release", "start", "checkout", "1.4.2").code == 0
    checkout.go(10)
    assert sh("release", "approve", "2", who="adam").code == 0
    shown = sh("release", "show", "2").out
    assert "needs 2 approvals of sre, approved by adam" in shown
    assert "needs 1 approval" in shown
    explained = sh("release", "explain", "2").out
    assert "the candidate runs; no user is sent to it before people have agreed" in explained
    who = [line for line in explained.splitlines() if line.startswith("who ")]
    assert any("needs 1 more of sre, not olga, who started it; adam approved" in line for line in who)
    assert "until" not in explained


def test_help_says_what_to_do_when_something_is_wrong(sh):
    said = sh("--help", who=None).out
    assert "delivery release abort 412" in said
    assert not [line for line in said.splitlines()[1:] if line.endswith("...")], "nothing is cut off"
    assert "after one that was promoted" in " ".join(sh("release", "--help", who=None).out.split())
