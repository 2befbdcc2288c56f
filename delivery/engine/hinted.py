"""How the inbox keeps what only hints, until it is read again."""

import json
from dataclasses import asdict
from typing import Any

from delivery.model.notice import Hinted


def encode(hint: Hinted, trace: str = "") -> bytes:
    """How a hint is kept, with the trace that it came by."""
    kept: dict[str, Any] = {**asdict(hint), "facts": dict(hint.facts)}
    return json.dumps(kept | ({"trace": trace} if trace else {}), sort_keys=True).encode()


def decode(body: bytes) -> tuple[Hinted, str]:
    """What was kept, and its trace. Raises ValueError, KeyError or TypeError for anything else."""
    kept = json.loads(body)
    trace = str(kept.pop("trace", ""))
    return Hinted(**kept), trace
