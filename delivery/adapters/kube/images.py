"""Which containers of a pod run a service, and images in words that can be compared. Pure."""

import copy
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from delivery.ports.errors import Refused

Pod = Mapping[str, Any]
LATEST = "latest"
DEFAULT = "kubectl.kubernetes.io/default-container"


def digest(image: str) -> str:
    """`sha256:...`, or nothing."""
    return image.partition("@")[2]


def tag(image: str) -> str:
    """The tag, or nothing."""
    name = image.partition("@")[0]
    return name.rpartition(":")[2] if ":" in name.rpartition("/")[2] else ""


def bare(image: str) -> str:
    """Without tag and digest."""
    name = image.partition("@")[0]
    return name[: -len(tag(name)) - 1] if tag(name) else name


def repository(image: str) -> str:
    """Without tag and digest, as Kubernetes itself completes it: `docker.io/library/nginx`."""
    name = bare(image)
    first, _, rest = name.partition("/")
    if not rest:
        return f"docker.io/library/{name}"
    return name if "." in first or ":" in first or first == "localhost" else f"docker.io/{name}"


def runs(found: str, asked: str) -> bool:
    """Whether the image that was found is the one that was asked for: by its digest, wherever it is stored, where one
    was asked for, else by its name."""
    if digest(asked):
        return digest(found) == digest(asked)
    return (repository(found), tag(found) or LATEST) == (repository(asked), tag(asked) or LATEST)


def container(template: Pod, names: Iterable[str], image: str | None = None) -> Mapping[str, Any]:
    """The container that is the service: the one that runs this image's repository, else the only one, else the one
    that the pod calls its default, else the one called like the Deployment or the Service. Raises Refused."""
    containers = template["spec"]["containers"]
    if image:
        alike = [one for one in containers if repository(one["image"]) == repository(image)]
        if len(alike) == 1:
            return dict(alike[0])
        containers = alike or containers
    if len(containers) == 1:
        return dict(containers[0])
    default = (template.get("metadata", {}).get("annotations") or {}).get(DEFAULT)
    for name in (default, *names):
        for one in containers:
            if one["name"] == name:
                return dict(one)
    told = ", ".join(f"{one['name']} ({one['image']})" for one in containers)
    raise Refused(
        f"it is not clear which container is the service: {told}; name it in the pod template's annotation {DEFAULT}"
    )


def with_image(template: Pod, name: str, image: str) -> dict[str, Any]:
    """The template with this image in the named container, and in every other that ran the same one: a migration in
    an init container belongs to the version."""
    changed = copy.deepcopy(dict(template))
    before = next(one["image"] for one in changed["spec"]["containers"] if one["name"] == name)
    for one in containers_of(changed):
        if one["image"] == before:
            one["image"] = image
    return changed


def containers_of(template: Pod) -> Iterator[dict[str, Any]]:
    """All of its containers, those for the start too."""
    yield from template["spec"].get("initContainers") or ()
    yield from template["spec"]["containers"]


def has(pod: Pod, name: str, image: str) -> bool:
    """Whether the pod was made with this image in the container of this name."""
    return any(one["name"] == name and one["image"] == image for one in pod["spec"]["containers"])


def running_digest(pods: Iterable[Pod], name: str) -> str | None:
    """The digest that the container of this name runs, where all of these pods tell the same one."""
    told = {
        digest(status.get("imageID", ""))
        for pod in pods
        for status in pod.get("status", {}).get("containerStatuses") or ()
        if status["name"] == name
    } - {""}
    return told.pop() if len(told) == 1 else None
