"""Where people's words from Slack become notices: the same inbox, rules and roles as for everybody else."""

from collections.abc import Mapping
from hashlib import sha256
from typing import Any

from starlette.concurrency import run_in_threadpool

from api.people import NEEDS
from api.routes.lookup import find
from api.services import Running
from api.slack import commands, views
from api.slack.web import SlackWeb
from delivery.engine.answer import Answer, Arrival
from delivery.model.codec import canon
from delivery.model.ids import Principal
from delivery.model.notice import Notice, Says
from delivery.model.role import Role
from delivery.settings import Person
from delivery.sources import slack
from delivery.sources.errors import Unsigned
from delivery.sources.slack import Click, Command, Decision, Speaker
from delivery.wiring import SlackApp
from delivery.wording.release import headline


class Desk:
    def __init__(self, app: Running, slack_app: SlackApp) -> None:
        self._app = app
        self._secret = slack_app.token
        self._people = app.services.people
        self._web = SlackWeb(slack_app)

    async def interact(self, payload: Any) -> dict[str, Any] | None:
        """What Slack is to do with an interaction. Raises Malformed, and Unavailable where nothing could be stored."""
        try:
            said = slack.interaction(payload, self._secret)
        except Unsigned as error:
            await run_in_threadpool(self._complain, payload, str(error))
            return None
        if isinstance(said, Click):
            await self._ask(said)
        if isinstance(said, Decision):
            return await self._decide(said)
        return None

    async def command(self, form: Mapping[str, str]) -> dict[str, Any]:
        """The answer that whoever typed it sees. Raises Malformed."""
        command = slack.command(form)
        word = command.words[0] if command.words else "help"
        person = self._people.of_slack(command.user)
        if word not in commands.WORDS:
            return views.private(commands.HELP)
        if (problem := _problem(person, word, command.user)) or person is None:
            return views.private(problem)
        return views.private(await self._obey(command, person))

    async def _obey(self, command: Command, person: Person) -> str:
        services = self._app.services
        wanted = await run_in_threadpool(commands.understand, services, command.words, speaker(person))
        if isinstance(wanted, str):
            return wanted
        answer = await self._submit(f"command:{command.key}", wanted, canon(command.words))
        told = f"{command.words[1]}: {answer.text or answer.reason or answer.outcome}"
        return "\n".join([told, *(f"{one.target}: {one.text}" for one in answer.others)])

    async def _ask(self, click: Click) -> None:
        """Opens the dialog; or says at once why there is none."""
        person = self._people.of_slack(click.user)
        if problem := _problem(person, click.button.action, click.user):
            await run_in_threadpool(self._web.whisper, click.channel, click.user, problem)
            return
        stored = await run_in_threadpool(find, self._app.services, click.button.release)
        await run_in_threadpool(self._web.open, click.trigger, views.dialog(click, headline(stored.release)))

    async def _decide(self, decision: Decision) -> dict[str, Any] | None:
        person = self._people.of_slack(decision.user)
        if (problem := _problem(person, decision.button.action, decision.user)) or person is None:
            return views.refused(problem)
        says = slack.says(decision, speaker(person))
        said = canon([decision.button, decision.reason])
        answer = await self._submit(f"{decision.key} {sha256(said).hexdigest()[:16]}", says, said)
        return None if answer.outcome in ("signal", "release") else views.refused(answer.text or answer.reason)

    async def _submit(self, key: str, says: Says, body: bytes) -> Answer:
        notice = Notice(slack.VIA, key, sha256(body).hexdigest(), says)
        answer = await self._app.intake.submit(Arrival(notice, body))
        self._app.counters.answer(slack.VIA, answer.outcome)
        return answer

    def _complain(self, payload: Any, text: str) -> None:
        channel, user = payload.get("channel", {}).get("id"), payload.get("user", {}).get("id")
        if channel and user:
            self._web.whisper(channel, user, text)


def speaker(person: Person) -> Speaker:
    return Speaker(Principal(person.principal), person.groups, person.role is Role.ADMIN)


def _problem(person: Person | None, word: str, user: str) -> str:
    """Why somebody may not do it, in words for them."""
    if person is None:
        return f'nobody here is known as Slack user {user}: an admin adds slack = ["{user}"] to a [[people]] table'
    needed = NEEDS.get(word, Role.OPERATOR)
    if not person.role.covers(needed):
        return f"this needs the role {needed.value}; {person.principal} has the role {person.role.value}"
    return ""
