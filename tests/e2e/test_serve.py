"""`delivery serve`: what it prints to try has to work as it is printed."""

import os
import shlex
import signal
import subprocess

from tests.e2e.processes import Command


def test_what_serve_says_to_try_can_be_copied(tmp_path):
    with Command(tmp_path, ["serve", "--port", "0"]) as serve:
        serve.until("Ctrl-C ends everything")
        words = [shlex.split(line, comments=True) for line in serve.lines]
        exports = dict(one[1].split("=", 1) for one in words if one[:1] == ["export"])
        env = {**os.environ, **exports}
        tried = [one for one in words if len(one) > 2 and one[1] in ("release", "webhook", "services")]
        # What needs the end of a release before it (watch, show, explain, approve) is another one's test.
        for one in [tried[0], *(one for one in tried if one[1] in ("webhook", "services")), [tried[0][0], "doctor"]]:
            ran = subprocess.run(one, env=env, capture_output=True, text=True, timeout=30, check=False)
            assert ran.returncode == 0, (one, ran.stderr)
        assert [one[2] for one in tried if one[1] == "release"] == [
            "start", "watch", "start", "show", "start", "explain", "approve",
        ]  # fmt: skip
        serve.process.send_signal(signal.SIGINT)
        assert serve.end() == 130, serve.lines
        assert serve.left() == []
    assert list(serve.folder.iterdir()) == []
