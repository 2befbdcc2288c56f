"""A release as Slack's Block Kit draws it. Pure: values in, plain JSON out."""

from typing import Any

from delivery.model.release import Release
from delivery.ports.chat import Post
from delivery.sources.buttons import Button, seal
from delivery.wording.chat import bar, gates, guarded, happened, waits
from delivery.wording.release import headline
from delivery.wording.units import cut

Block = dict[str, Any]
SECTION_MOST = 3000  # characters of a section's text that Slack takes
LABEL_MOST = 75

_LABELS = {
    "approve": "Approve",
    "reject": "Reject",
    "pause": "Pause",
    "resume": "Resume",
    "abort": "Abort",
    "rollback": "Roll back",
    "retry": "Retry",
}
_STYLES = {"approve": "primary", "reject": "danger", "abort": "danger", "rollback": "danger"}


def message(post: Post, secret: str, base: str = "") -> list[Block]:
    """The one message of a release: where it stands now, what just happened, and what people can do."""
    release = post.release
    lines = [f"*{escaped(headline(release))}*{_links(release, base)}"]
    if not release.phase.closed:
        lines.append(f"`{escaped(bar(release))}`")
    lines += [escaped(line) for line in (*gates(release), *waits(release))]
    lines.append(escaped(happened(post.message.event, release, post.paused)))
    blocks: list[Block] = [_section("\n".join(lines))]
    buttons = [_button(action, post, secret) for action in _LABELS if action in post.allowed]
    if buttons:
        blocks.append({"type": "actions", "block_id": "actions", "elements": buttons})
    return blocks


def _links(release: Release, base: str) -> str:
    """The release's page, and the run of CI that asked for it."""
    found = [(f"{base}/releases/{release.id}", "page")] if base else []
    run = release.origin.get("run_url", "")
    if run.startswith(("https://", "http://")) and not set(run) & set("<>| "):
        found.append((escaped(run), "CI"))
    return "".join(f" · <{url}|{name}>" for url, name in found)


def line(post: Post) -> str:
    """What happened, for the thread; whoever is needed is called by name."""
    text = escaped(happened(post.message.event, post.release, post.paused))
    return f"{_mention(post.mention)} {text}" if post.message.call and post.mention else text


def escaped(text: str) -> str:
    """Text that Slack shows as it is."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _section(text: str) -> Block:
    return {"type": "section", "text": {"type": "mrkdwn", "text": cut(text, SECTION_MOST)}}


def _button(action: str, post: Post, secret: str) -> Block:
    release = post.release
    guard = guarded(release)
    step = guard[0] if guard is not None else release.stage
    label = _LABELS[action]
    button: Block = {
        "type": "button",
        "action_id": action,
        "text": {"type": "plain_text", "text": cut(label, LABEL_MOST)},
        "value": seal(
            secret, Button(action, release.id, step, release.dseq, post.liftable if action == "resume" else ())
        ),
    }
    return button | ({"style": _STYLES[action]} if action in _STYLES else {})


def _mention(name: str) -> str:
    """`U123` and `W123` are people, `S123` a group, `@here` whoever is there; anything else is written as it is."""
    if name[:1] in "UW" and name.isalnum():
        return f"<@{name}>"
    if name[:1] == "S" and name.isalnum():
        return f"<!subteam^{name}>"
    return f"<!{name[1:]}>" if name in ("@here", "@channel", "@everyone") else escaped(name)
