"""What people see: plain lines in a pipe, colour and a moving line on a terminal."""

import contextlib
import io
from collections.abc import Iterator

import pytest

from delivery.cli.output import Format, Screen, console
from delivery.cli.watch import Update, live, paint, standing


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def ordinary(monkeypatch) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)


@contextlib.contextmanager
def terminal() -> Iterator[Terminal]:
    """Stdout is a terminal: inside a test, because the test runner has its own between its phases."""
    with contextlib.redirect_stdout(Terminal()) as stream:
        yield stream


def test_a_pipe_gets_plain_lines_that_nothing_wraps(capsys):
    screen = Screen()
    screen.table(("NAME", "WHAT"), [("a", "x" * 300), ("longer", None)], "none")
    out = capsys.readouterr().out
    assert out == f"NAME    WHAT\na       {'x' * 300}\nlonger  -\n"
    assert not screen.live


def test_a_terminal_gets_colour():
    with terminal() as stream:
        Screen().table(("STATE",), [("promoted",), ("rolled_back",)], "none")
    assert "\x1b[32mpromoted" in stream.getvalue()
    assert "\x1b[31mrolled_back" in stream.getvalue()


def test_square_brackets_are_text_and_no_markup():
    with terminal() as stream:
        Screen().line("[bold]not bold[/bold]")
    assert "[bold]not bold[/bold]" in stream.getvalue()


def test_data_for_programs_is_never_coloured():
    with terminal() as stream:
        screen = Screen(Format.JSON)
        screen.data({"state": "promoted", "text": "5 %"})
    assert stream.getvalue() == '{\n  "state": "promoted",\n  "text": "5 %"\n}\n'
    assert not screen.live


RELEASE = {
    "state": "progressing",
    "stages": [
        {"name": "canary 1%", "entered_at": "x", "split": {"desired": 1, "level": "acked"}, "analysis": []},
        {
            "name": "canary 5%",
            "entered_at": "x",
            "split": {"desired": 5, "level": "acked"},
            "analysis": [{"text": "errors ok"}],
        },
    ],
    "promotion": {"name": "promotion", "entered_at": None},
    "holds": [{"kind": "pause", "text": "paused by alice"}],
}


def test_the_moving_line_says_where_a_release_stands():
    line = "progressing · canary 5% · [#.........] 5 % confirmed · errors ok · held: paused by alice"
    assert standing(RELEASE) == line


def test_the_moving_line_is_below_the_events_and_is_gone_at_the_end():
    with terminal() as stream:
        screen = Screen()
        with live(screen) as line:
            assert line is not None
            paint(screen, Update(RELEASE, ({"at": "2026-11-24T10:02:11.000Z", "text": "it started"},)), line)
            line.refresh()
    said = stream.getvalue()
    assert said.index("it started") < said.index("canary 5%")
    assert said.endswith("\x1b[2K")


def test_a_console_of_a_pipe_has_no_colour_even_if_the_environment_asks(monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")
    stream = io.StringIO()
    console(stream).print("plain", style="red")
    assert stream.getvalue() == "plain\n"
