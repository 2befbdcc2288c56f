"""`delivery demo`, whole, with every part real: what it promises, and that nothing of it is left."""

import re
import signal

import pytest

from tests.e2e.processes import Command


@pytest.mark.timeout(400)
def test_the_demo_plays_every_release_to_its_end(tmp_path):
    with Command(tmp_path, ["demo", "--port", "0"]) as demo:
        code = demo.end()
        said = "\n".join(demo.lines)
        assert code == 0, said
        assert demo.left() == []
    rows = [re.split(r"\s{2,}", line) for line in demo.lines if re.match(r"[1-5]  \S", line)]
    assert [row[1:5] for row in rows] == [
        ["canary", "1.4.1 -> 1.4.2", "1·5·25·50·100", "promoted"],
        ["canary", "1.4.2 -> 1.4.3", rows[1][3], "rolled back"],
        ["dark + canary", "1.4.2 -> 1.4.4", "mirror·25·100", "promoted"],
        ["ab_test", "1.4.4 -> 1.4.5", "x-beta·100", "promoted"],
        ["blue_green", "1.4.5 -> 1.4.6", "preview·100", "promoted"],
    ]
    assert {row[8] for row in rows} == {"0"}, "requests failed by switching"
    assert "alice may not approve it" in said
    assert list(demo.folder.iterdir()) == []


@pytest.mark.parametrize(
    ("number", "when"),
    [(signal.SIGINT, "canary 1% (1/4): "), (signal.SIGTERM, "valkey ready"), (signal.SIGINT, "1.4.1")],
)
def test_stopped_in_the_middle_it_leaves_nothing(tmp_path, number, when):
    with Command(tmp_path, ["demo", "--port", "0"]) as demo:
        demo.until(when)
        demo.process.send_signal(number)
        assert demo.end() in (1, 130), demo.lines
        assert demo.left() == []
    assert "Traceback" not in "\n".join(demo.lines)
    assert list(demo.folder.iterdir()) == []


def test_killed_in_the_middle_it_leaves_no_process(tmp_path):
    with Command(tmp_path, ["demo", "--port", "0"]) as demo:
        demo.until("the candidate is ready")
        demo.process.kill()
        demo.process.wait()
        assert demo.left() == []
