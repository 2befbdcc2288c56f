"""What a deployer beside us says of itself."""

from delivery.model.ids import Micros
from delivery.model.standing import Standing
from delivery.wording.units import moment


def says(standing: Standing, at: Micros) -> str:
    """Application argocd/checkout is Synced and Healthy (10:02:11)."""
    detail = f": {standing.detail}" if standing.detail else ""
    return f"{standing.name} is {standing.sync} and {standing.health} (since {moment(at)}){detail}"
