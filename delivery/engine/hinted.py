"""How the inbox keeps what only hints, until it is read again."""

import json
from dataclasses import asdict

from delivery.model.notice import Hinted


def encode(hint: Hinted) -> bytes:
    """How a hint is kept."""
    return json.dumps({**asdict(hint), "facts": dict(hint.facts)}, sort_keys=True).encode()


def decode(body: bytes) -> Hinted:
    """What was kept. Raises ValueError, KeyError or TypeError for anything else."""
    return Hinted(**json.loads(body))
