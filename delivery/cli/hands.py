"""`delivery pause --service`: break-glass. Nothing of ours writes the routes until they are given back."""

from typing import Annotated

import typer

from delivery.cli.session import Session, command

_Service = Annotated[str, typer.Option("--service", "-s", help="The service whose routes are taken in hand.")]
_Cluster = Annotated[str | None, typer.Option(help="Only in this cluster.")]
_Reason = Annotated[str, typer.Option("--reason", "-m", help="Why: everybody who is held by it sees this.")]


def register(app: typer.Typer) -> None:
    @command(app, "pause")
    def pause(session: Session, service: _Service, reason: _Reason, cluster: _Cluster = None) -> None:
        """Stops every write of ours to a service's routes, so that you can shift traffic by hand. Reverts wait too."""
        _say(session, f"/v1/services/{service}/pause", reason, cluster)

    @command(app, "resume")
    def resume(session: Session, service: _Service, reason: _Reason = "", cluster: _Cluster = None) -> None:
        """Gives the routes of a service back."""
        _say(session, f"/v1/services/{service}/resume", reason, cluster)


def _say(session: Session, path: str, reason: str, cluster: str | None) -> None:
    answer = session.api.post(path, {"reason": reason} | ({"cluster": cluster} if cluster else {}))
    session.show(answer, lambda: session.screen.line(str(answer["text"])))
