"""Who people are: one table of the server's configuration maps what other systems call them to one principal."""

from collections.abc import Iterable, Mapping
from dataclasses import replace

from delivery.model.ids import Principal
from delivery.model.notice import Happened, Hinted, Notice, ReleaseRequested
from delivery.model.role import Role
from delivery.settings import Person

NEEDS: Mapping[str, Role] = {
    "approve": Role.APPROVER,
    "reject": Role.APPROVER,
    "pause": Role.APPROVER,
    "abort": Role.APPROVER,
    "status": Role.VIEWER,
}
"""The role that a word to a release takes, in chat and on pages. Every other word needs an operator."""


class People:
    def __init__(self, people: Iterable[Person] = ()) -> None:
        everybody = tuple(people)
        self._slack = {user: person for person in everybody for user in person.slack}
        self._logins = {login.lower(): person.principal for person in everybody for login in person.logins}

    def of_slack(self, user: str) -> Person | None:
        """The person behind a Slack user's id."""
        return self._slack.get(user)

    def of_login(self, login: str) -> Principal:
        """By the name that this person has everywhere; by that of CI for somebody whom the table does not know."""
        return Principal(self._logins.get(login.lower(), login))

    def named(self, notice: Notice) -> Notice:
        """The notice with its actor by the name that this person has everywhere, so that four eyes stay four."""
        says = notice.says
        if not isinstance(says, ReleaseRequested | Happened | Hinted):
            return notice
        return replace(notice, says=replace(says, actor=self.of_login(says.actor)))
