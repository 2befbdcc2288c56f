"""Service files at the command line: mistakes with their place, applied all or none, shown, compared, exported."""

import json

import pytest
import yaml

from tests.unit.cli.conftest import SERVICE


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "services"
    folder.mkdir()
    (folder / "checkout.yaml").write_text(SERVICE)
    return folder


def test_apply_says_what_it_did(sh, folder):
    first = sh("services", "apply", "-f", str(folder))
    assert (first.code, first.out) == (0, "checkout applied (revision 1)\n")
    again = sh("services", "apply", "-f", str(folder / "checkout.yaml"))
    assert again.out == "checkout unchanged (revision 1)\n"


def test_every_mistake_of_every_file_is_named_as_compilers_do_and_nothing_is_applied(sh, folder):
    wrong = SERVICE.replace("5%, 50%", "5%, 500%").replace("service: checkout", "service: search")
    (folder / "search.yaml").write_text(wrong + "colour: red\n")
    (folder / "zebra.yaml").write_text("service: zebra\ncluster: nowhere\nworkload: {process: checkout}\n")
    applied = sh("services", "apply", "-f", str(folder))
    assert applied.code == 1
    assert applied.out == ""
    assert " mistakes, nothing was applied\n" in applied.err
    assert f"{folder}/search.yaml:7: strategies[0].canary.steps[1]" in applied.err
    assert f"{folder}/search.yaml:10: colour is unknown" in applied.err
    assert f"{folder}/zebra.yaml:2: cluster" in applied.err
    assert sh("services", "list").err.strip() == "no service was applied yet"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("service: [", "broken.yaml:1: is not YAML"),
        ("cluster: local\n", "service is missing; expected a name"),
        ("- a\n", "broken.yaml:1: is no mapping"),
        ("service: ../../stop\n", "broken.yaml:1: service is '../../stop'; expected a name"),
        ("service: 12\n", "broken.yaml:1: service is 12; expected a name"),
        ("service: Checkout\ncolour: red\n", "broken.yaml:2: colour is unknown"),
        ("colour: red\n", "broken.yaml:1: colour is unknown"),
        ("service: no\ncluster: nowhere\n", "broken.yaml:2: cluster"),
        ("service: &a other\n", "aliases and anchors are refused"),
        ("a: " + "[" * 5000, "nested too deeply"),
        ("a" * 70_000, "at most 65536"),
        ("service: checkout\n", "checkout is in"),
    ],
)
def test_a_file_that_names_no_service_of_its_own(sh, folder, text, says):
    (folder / "broken.yaml").write_text(text)
    checked = sh("check", "-f", str(folder))
    assert checked.code == 1
    assert says in checked.err
    assert "applied" not in checked.err, "nobody meant to"


def test_an_empty_directory_and_a_file_that_is_not_there(sh, tmp_path):
    (tmp_path / "empty").mkdir()
    assert "has no service files" in sh("check", "-f", str(tmp_path / "empty")).err
    assert sh("check", "-f", str(tmp_path / "none.yaml")).code == 64


def test_check_tells_whether_applying_changes_anything(sh, folder):
    assert sh("check", "-f", str(folder)).out == "checkout ok, applying it changes it\n"
    assert sh("services", "list").out == ""
    sh("services", "apply", "-f", str(folder))
    assert sh("check", "-f", str(folder)).out == "checkout ok, it is applied like this\n"


def test_plan_of_a_file_and_of_a_service(sh, folder):
    of_file = sh("plan", "-f", str(folder))
    assert of_file.code == 0
    assert "canary 5%" in of_file.out
    assert of_file.out.splitlines()[0].endswith("at least, less where every gate passes early")
    sh("services", "apply", "-f", str(folder))
    assert sh("plan", "checkout").out == of_file.out
    assert [one["name"] for one in json.loads(sh("plan", "checkout", "-o", "json").out)["stages"]] == [
        "canary 5%",
        "canary 50%",
    ]
    assert sh("plan").code == 64
    assert sh("plan", "checkout", "-f", str(folder)).code == 64


def test_list_and_show(sh, checkout):
    listed = sh("services", "list").out.splitlines()
    assert listed[1].split()[:3] == ["checkout", "local", "1.4.1"]
    shown = sh("services", "show", "checkout").out
    assert "1.4.1 is stable" in shown
    assert "steps:" in shown
    assert "there is no service nothing" in sh("services", "show", "nothing").err


def test_diff_shows_what_would_change(sh, folder):
    sh("services", "apply", "-f", str(folder))
    same = sh("services", "diff", "-f", str(folder))
    assert (same.out, same.err.strip()) == ("", "nothing would change")
    (folder / "checkout.yaml").write_text(SERVICE.replace("tick: 10s", "tick: 5s"))
    changed = sh("services", "diff", "-f", str(folder)).out
    assert "-tick: 10s" in changed
    assert "+tick: 5s" in changed


def test_what_is_exported_can_be_applied_again(sh, folder, tmp_path):
    sh("services", "apply", "-f", str(folder))
    assert yaml.safe_load(sh("services", "export", "checkout").out) == yaml.safe_load(SERVICE)
    out = tmp_path / "out"
    assert sh("services", "export", "--to", str(out)).code == 0
    assert sh("services", "apply", "-f", str(out)).out == "checkout unchanged (revision 1)\n"
    again = sh("services", "export", "--to", str(out))
    assert (again.code, "is there already" in again.err) == (1, True)


def test_a_place_that_cannot_be_written_is_named(sh, folder, tmp_path):
    sh("services", "apply", "-f", str(folder))
    (tmp_path / "file").write_text("")
    refused = sh("services", "export", "--to", str(tmp_path / "file" / "out"))
    assert (refused.code, refused.err) == (1, f"error: {tmp_path}/file/out: Not a directory\n")


def test_delete_needs_an_admin(sh, folder):
    sh("services", "apply", "-f", str(folder))
    assert "needs the role admin" in sh("services", "delete", "checkout").err
    assert sh("services", "delete", "checkout", who="root").out == "checkout deleted\n"
