"""Facts as signed webhooks: the envelope and the signature of Standard Webhooks."""

import json
from collections.abc import Sequence

from delivery.adapters.events.posting import CALL_SECONDS, Posting
from delivery.adapters.events.summary import summary
from delivery.ports.chat import Place
from delivery.ports.subscriber import Fact
from delivery.wording.units import instant


class Webhook:
    """`base` is the URL under which people reach the API."""

    def __init__(
        self, base: str, url: str, secrets: Sequence[str], ca: str | None = None, seconds: float = CALL_SECONDS
    ) -> None:
        if not secrets:
            raise ValueError("secrets: at least one, or receivers cannot tell who sent it")
        self._base, self._posting = base, Posting(url, secrets, ca, seconds)

    def tell(self, fact: Fact, place: Place) -> None:
        body = {"type": fact.topic.value, "timestamp": instant(fact.at), "data": summary(fact, self._base)}
        self._posting.post(fact.id, json.dumps(body, ensure_ascii=False).encode(), "application/json")
