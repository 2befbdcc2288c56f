"""`delivery adopt` and `delivery release-control`: coming to a cluster, and leaving it. Both only look."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from delivery.cli.errors import Code, CommandError
from delivery.cli.output import Screen
from delivery.cli.session import local_command
from delivery.model.finding import Finding, Weight
from delivery.model.place import Isolation, Mode, Place
from delivery.ports.errors import PortError

if TYPE_CHECKING:  # Kubernetes' client and all adapters: seconds that no other command should wait for
    from delivery.adoption.access import Kube
    from delivery.adoption.adopt import Adoption

STYLES = {Weight.BLOCKS: "red", Weight.LEAKS: "red", Weight.WARNS: "yellow", Weight.SAYS: "dim"}
_WAY_IN = (
    "name a kubeconfig file with --kubeconfig or KUBECONFIG, and a context of it with --context: "
    "`kubectl config get-contexts` shows yours"
)
_KINDS = ("deploy", "deployment", "deployments", "deployment.apps")

Namespace = Annotated[str, typer.Option("--namespace", "-n", help="The namespace that it is in.")]


@dataclass(frozen=True, slots=True)
class Access:
    """A person's own way to the cluster."""

    context: Annotated[str | None, typer.Option(help="A context of it.", show_default="the current one")] = None
    kubeconfig: Annotated[str | None, typer.Option(help="A kubeconfig file.", show_default="as kubectl has it")] = None

    @property
    def given(self) -> bool:
        return self.context is not None or self.kubeconfig is not None


@dataclass(frozen=True, slots=True)
class Wanted:
    """What cannot be found by looking."""

    cluster: Annotated[str, typer.Option(help="The cluster's name in the server's configuration.")] = "prod"
    service: Annotated[str | None, typer.Option(help="The Service that users call, where several fit.")] = None
    mode: Annotated[Mode, typer.Option(help="Who makes the candidate's pods.")] = Mode.CLONE
    isolation: Annotated[Isolation, typer.Option(help="What keeps other callers away.")] = Isolation.SERVICE
    candidate: Annotated[str | None, typer.Option(help='With mode versioned: "NAME-{version}".')] = None
    write: Annotated[Path | None, typer.Option("--write", "-w", help="Write the service file here.")] = None


def register(app: typer.Typer) -> None:
    local_command(app, "adopt")(adopt)
    local_command(app, "release-control")(release_control)


def adopt(
    screen: Screen,
    workload: Annotated[str, typer.Argument(help="What is released: deploy/NAME.")],
    namespace: Namespace,
    wanted: Wanted,
    access: Access,
) -> None:
    """Looks at a Deployment and writes its service file: what a release would change, what would leak, what is missing.

    Changes nothing in the cluster. Exit code 1 where a release could not work yet.
    """
    from delivery.adoption.adopt import adopt as look

    if wanted.write is not None and wanted.write.exists():
        raise CommandError(f"{wanted.write} is there already", "name another file, or remove it first")
    name = _deployment(workload)
    place = Place(namespace, name, wanted.service or name, wanted.mode, wanted.isolation, wanted.candidate)
    with _looking(access) as kube:
        found = look(kube, place, wanted.cluster)
    if wanted.write is not None:
        wanted.write.write_text(found.service_file, encoding="utf-8")
    if screen.for_people:
        paint(screen, found, wanted.write)
    else:
        screen.data(asdict(found))
    if found.blocked:
        raise typer.Exit(Code.FAILED)


def release_control(
    screen: Screen,
    service: Annotated[str, typer.Argument(help="The service, as its file calls it.")],
    namespace: Namespace,
    access: Access,
) -> None:
    """Shows what of ours is in a namespace and how to take it out. Changes nothing."""
    from delivery.adoption.leave import left

    with _looking(access) as kube:
        found = left(kube, namespace, service)
    if not screen.for_people:
        screen.data(asdict(found))
        return
    show(screen, found.findings)
    if not found.routes and not found.commands:
        screen.line(f"nothing of ours is in {namespace} for {service}")
    for text in found.routes:
        screen.line("# kubectl apply -f - <<'EOF'", "bold")
        screen.line(f"{text}EOF")
    for command in found.commands:
        screen.line(command)


def looked_at(text: str, file: str, access: Access) -> tuple[Finding, ...]:
    """What the cluster says to a service file that the server takes; nothing for a service of another kind of cluster.

    One context is one cluster: a file with several is looked at as it stands for the first.
    """
    from delivery.adoption.adopt import inspect
    from delivery.wiring import parse, read

    service = parse(read(text.encode(), file))
    cluster = service.clusters[0]
    if service.workload_in(cluster).place is None:
        return ()
    with _looking(access) as kube:
        return inspect(kube, service, cluster).findings


def paint(screen: Screen, found: "Adoption", written: Path | None) -> None:
    """For people: what matters most comes first."""
    show(screen, found.findings)
    where = f"written to {written}" if written else "save it, or run this again with --write FILE"
    _part(screen, f"the service file ({where})", found.service_file)
    for text in found.changes:
        _part(screen, "the first stage would change", text)
    if found.makes:
        names = ", ".join(_named(text) for text in found.makes)
        _part(screen, "and would create", "".join(found.makes) if screen.wide else f"{names} (-o wide shows them)")
    if found.settings:
        _part(screen, "for [clusters.NAME.mesh] of the server's configuration", found.settings)
    screen.line("")
    screen.line("nothing was changed", "dim")


def show(screen: Screen, found: tuple[Finding, ...]) -> None:
    """Findings for people, with what mends them."""
    for one in found:
        screen.line(f"{one.weight.upper():<7} {one.subject}", STYLES[one.weight])
        screen.line(f"        {one.text}")
        for line in one.remedy.splitlines():
            screen.line(f"        | {line}")


@contextmanager
def _looking(access: Access) -> Iterator["Kube"]:
    from delivery.adoption.access import connect

    try:
        kube = connect(access.kubeconfig, access.context)
    except PortError as error:
        raise CommandError(str(error), _WAY_IN, "nothing was changed") from error
    try:
        yield kube
    except PortError as error:
        raise CommandError(str(error), "nothing was changed") from error
    finally:
        kube.close()


def _part(screen: Screen, title: str, text: str) -> None:
    screen.line("")
    screen.line(title, "bold")
    for line in text.rstrip("\n").splitlines():
        screen.line(f"  {line}", "green" if line.startswith("+") else "red" if line.startswith("-") else "")


def _named(text: str) -> str:
    kind = next(line.partition(": ")[2] for line in text.splitlines() if line.startswith("kind: "))
    name = next(line.partition(": ")[2] for line in text.splitlines() if line.startswith("  name: "))
    return f"{kind} {name}"


def _deployment(workload: str) -> str:
    kind, separator, name = workload.partition("/")
    if separator and kind.lower() not in _KINDS:
        raise CommandError(f"{kind} cannot be released: a copy of it could not stand beside it", "name a deployment")
    return name if separator else kind
