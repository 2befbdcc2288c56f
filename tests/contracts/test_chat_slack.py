"""The Slack adapter over the real slack_sdk, against a local server with Slack's rules."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from delivery.adapters.chat.slack.adapter import SlackChat
from delivery.model import event as events
from delivery.model.event import Cause, CauseKind, Event, Phase
from delivery.model.hold import Hold, HoldKind
from delivery.model.ids import MINUTE, Micros
from delivery.model.message import Message
from delivery.model.release import Release
from delivery.ports.chat import NotYet, Post
from delivery.ports.errors import Refused, Unavailable
from delivery.sources.buttons import Button, unseal
from tests.slack_server import TOKEN, Failure, SlackServer, slack_server
from tests.unit.wording.builders import ERRORS, NOW, release

SECRET = "s3cret"
CHANNEL = "#checkout-releases"
AT = Micros(NOW + 9 * MINUTE)
ENTERED = events.StageEntered(at=AT, stage=1)
BAD = Cause(CauseKind.GATE_FAILED, judgement=ERRORS)


class Place:
    """What the ledger remembers."""

    def __init__(self) -> None:
        self.known: str | None = None

    def note(self, at: str) -> None:
        self.known = at


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def slack() -> Iterator[SlackServer]:
    with slack_server() as server:
        yield server


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def chat(slack: SlackServer, clock: Clock) -> SlackChat:
    return SlackChat(TOKEN, SECRET, f"{slack.base}/api/", monotonic=clock)


def post(seq: int, event: Event = ENTERED, *, call: bool = False, of: Release | None = None, to: str = CHANNEL) -> Post:
    shown = of or release()
    message = Message(shown.id, seq, "topic", event, call)
    return Post(to, message, shown, "checkout", ("approve", "reject", "pause", "abort"), "U0042")


def tell(chat: SlackChat, clock: Clock, place: Place, told: Post) -> None:
    clock.now += 1.0
    chat.deliver(told, place)


def test_one_message_is_edited_and_its_thread_has_what_happened(slack, chat, clock) -> None:
    place = Place()
    tell(chat, clock, place, post(1))
    tell(chat, clock, place, post(8, events.HoldPlaced(at=AT, hold=Hold(HoldKind.PAUSE, AT, "lunch"))))
    (message,) = slack.channel(CHANNEL)
    assert message.edits == 1
    assert "checkout 1.4.1 -&gt; 1.4.2 · prod-eu · canary 5% (2/4) · alice · #412" in message.text
    assert len(message.thread) == 1
    assert "lunch" in message.thread[0]


def test_buttons_are_what_is_allowed_and_bound_to_what_is_live(slack, chat, clock) -> None:
    tell(chat, clock, Place(), post(7))
    buttons = slack.channel(CHANNEL)[0].buttons()
    assert list(buttons) == ["approve", "reject", "pause", "abort"]
    assert unseal(SECRET, buttons["approve"]["value"]) == Button("approve", release().id, 2, 7)
    assert "confirm" not in buttons["approve"], "the dialog that asks for a reason is the confirmation"


def test_who_is_needed_is_called_by_name_and_only_then(slack, chat, clock) -> None:
    place = Place()
    tell(chat, clock, place, post(1))
    tell(chat, clock, place, post(8))
    tell(chat, clock, place, post(9, events.RollbackBegun(at=AT, cause=BAD, then=Phase.ROLLED_BACK), call=True))
    quiet, called = slack.channel(CHANNEL)[0].thread
    assert "<@U0042>" not in quiet
    assert called.startswith("<@U0042> GOING BACK to stable: errors 3.1 times stable's")


def test_a_way_back_that_is_not_written_says_so(slack, chat, clock) -> None:
    place, back = Place(), events.RollbackBegun(at=AT, cause=BAD, then=Phase.ROLLED_BACK)
    tell(chat, clock, place, post(7))
    tell(chat, clock, place, replace(post(9, back, of=release(phase=Phase.ROLLING_BACK, seq=9)), paused="Ann: INC-123"))
    (message,) = slack.channel(CHANNEL)
    for text in (message.text, message.thread[-1]):
        assert "NOTHING IS WRITTEN, traffic stays where it is: Ann: INC-123" in text


def test_an_older_event_that_is_told_late_does_not_turn_the_message_back(slack, chat, clock) -> None:
    place = Place()
    tell(chat, clock, place, post(1))
    tell(chat, clock, place, post(9, of=release(phase=Phase.PROMOTED, seq=9)))
    tell(chat, clock, place, post(8))
    (message,) = slack.channel(CHANNEL)
    assert "promoted" in message.text
    assert (message.edits, len(message.thread)) == (1, 2)


def test_a_thread_line_that_fails_makes_no_second_message(slack, chat, clock) -> None:
    place = Place()
    tell(chat, clock, place, post(1))
    slack.failures += [Failure(after=True, status=200, error="internal_error")]
    with pytest.raises(Unavailable):
        tell(chat, clock, place, post(8))
    tell(chat, clock, place, post(8))
    assert len(slack.channel(CHANNEL)) == 1
    assert len(slack.channel(CHANNEL)[0].thread) == 1


def test_a_message_that_somebody_deleted_is_posted_again(slack, chat, clock) -> None:
    place = Place()
    tell(chat, clock, place, post(7))
    slack.channel(CHANNEL).clear()
    tell(chat, clock, place, post(8))
    assert len(slack.channel(CHANNEL)) == 1


def test_patience_is_asked_in_slacks_own_seconds(slack, chat, clock) -> None:
    slack.failures.append(Failure(status=429, error="ratelimited", retry_after=17))
    with pytest.raises(Unavailable) as raised:
        tell(chat, clock, Place(), post(7))
    assert raised.value.retry_after == 17.0


def test_a_channel_is_told_one_thing_a_second_and_others_are_not_held_up(slack, chat, clock) -> None:
    tell(chat, clock, Place(), post(7))
    with pytest.raises(NotYet) as raised:
        chat.deliver(post(8), Place())
    assert 0 < raised.value.seconds <= 1
    chat.deliver(post(8, to="#pay"), Place())


@pytest.mark.parametrize(
    ("failure", "said"),
    [
        (Failure(status=503), "Slack fails"),
        (Failure(error="fatal_error"), "fatal_error"),
        (Failure(error="something_new"), "something_new"),
    ],
)
def test_trouble_that_may_pass_is_tried_again(slack, chat, clock, failure, said) -> None:
    slack.failures.append(failure)
    with pytest.raises(Unavailable, match=said):
        tell(chat, clock, Place(), post(7))


def test_a_slack_that_is_away_is_tried_again(clock) -> None:
    with slack_server() as gone:
        base = gone.base
    with pytest.raises(Unavailable, match="does not answer"):
        tell(SlackChat(TOKEN, SECRET, f"{base}/api/", monotonic=clock), clock, Place(), post(7))


def test_a_wrong_channel_and_a_wrong_token_say_what_to_do(slack, chat, clock) -> None:
    with pytest.raises(Refused, match="invite the app"):
        tell(chat, clock, Place(), post(7, to="#nowhere"))
    with pytest.raises(Unavailable, match="put a new one"):
        tell(SlackChat("xoxb-old", SECRET, f"{slack.base}/api/", monotonic=clock), clock, Place(), post(7))


def test_long_and_odd_texts_fit_slacks_limits(slack, chat, clock) -> None:
    hold = Hold(HoldKind.PAUSE, AT, "<!channel> & " + "x" * 5000)
    tell(chat, clock, Place(), post(7, events.HoldPlaced(at=AT, hold=hold), of=release(holds=(hold,))))
    section = slack.channel(CHANNEL)[0].blocks[0]["text"]["text"]
    assert len(section) <= 3000
    place = Place()
    tell(chat, clock, place, post(8))
    huge = events.MeshFailing(at=AT, detail="<" * 50_000)
    tell(chat, clock, place, post(9, huge))
    assert len(slack.channel(CHANNEL)[-1].thread[-1]) == 4000
    assert "&lt;!channel&gt; &amp;" in section


def test_a_message_that_somebody_deleted_is_posted_again_for_an_event_told_late_too(slack, chat, clock) -> None:
    place = Place()
    tell(chat, clock, place, post(9))
    slack.channel(CHANNEL).clear()
    tell(chat, clock, place, post(8))
    (message,) = slack.channel(CHANNEL)
    tell(chat, clock, place, post(10))
    assert len(message.thread) == 1


def test_the_page_and_the_run_of_ci_are_links_and_only_where_they_are_some(slack, clock) -> None:
    chat = SlackChat(TOKEN, SECRET, f"{slack.base}/api/", "https://delivery.example.org", clock)
    for run, shown in (("https://ci.example.org/912?a=1&b=2", True), ("javascript:alert(1)", False)):
        told = replace(release(), origin={"run_url": run})
        tell(chat, clock, Place(), post(7, of=told))
        first = slack.channel(CHANNEL)[-1].blocks[0]["text"]["text"].splitlines()[0]
        assert f"<https://delivery.example.org/releases/{told.id}|page>" in first
        assert ("<https://ci.example.org/912?a=1&amp;b=2|CI>" in first) == shown
        assert "javascript" not in first


def test_a_message_that_begins_in_the_middle_has_that_in_its_thread_too(slack, chat, clock) -> None:
    """What was to come first is told late, because Slack was away: the next edit must not take it out of sight."""
    place = Place()
    tell(chat, clock, place, post(7))
    tell(chat, clock, place, post(1))
    (message,) = slack.channel(CHANNEL)
    assert (message.edits, len(message.thread)) == (0, 2)
