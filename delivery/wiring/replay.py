"""What a Prometheus knows of a service's past: for the command, which has no server."""

from collections.abc import Mapping

from delivery import registry
from delivery.model.ids import Micros
from delivery.ports.metrics import Past


def past(
    url: str,
    service: str,
    template: str | None,
    where: Mapping[str, str],
    access: tuple[str | None, str | None, str | None],
    at: Micros,
) -> tuple[Past, tuple[str, tuple[str, ...]]]:
    """What a Prometheus knows of a service's past, and by which template and labels it was found. Nothing else is
    needed: no server, no configuration. `access`: a token, `USER:PASSWORD`, a file with authorities.

    Raises Refused where nothing is found, Unavailable, and ValueError for what cannot be asked.
    """
    return registry.past(url, service, template, where, access, at)
