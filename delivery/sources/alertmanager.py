"""Alertmanager's webhook (version 4 of its payload): each firing alert is a notice of its own; resolved ones are none.

Alertmanager cannot sign. It proves itself by a secret in the Authorization header: `bearer TOKEN`, or `basic
USER:PASSWORD`. A copy of a request changes nothing: an alert is one delivery from its start to its end, however often
and in whichever company it is sent.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from delivery.model.codec import digest
from delivery.model.fields import Fields
from delivery.model.ids import Micros
from delivery.model.notice import Alert, Notice
from delivery.model.scalars import Reader, pattern
from delivery.sources import authorization, json_body
from delivery.sources.errors import Malformed
from delivery.sources.times import TIME, micros

FIRING, RESOLVED = "firing", "resolved"
MOST = 1000
TOLD = 5  # of the alerts that cannot be read
_FINGERPRINT: Final = pattern(r"[0-9a-f]{1,32}", "Alertmanager's fingerprint of the alert's labels, in hex")
_STATUS: Final = pattern(f"{FIRING}|{RESOLVED}", f"{FIRING} or {RESOLVED}")
_NAME: Final = pattern(r"[^\x00-\x1f\x7f]{1,200}", "the alert's name")
_UNREAD = ("annotations", "endsAt", "generatorURL")


@dataclass(frozen=True, slots=True)
class Alertmanager:
    """A configured source. `secrets` are as they are written: `bearer TOKEN` or `basic USER:PASSWORD`."""

    name: str
    secrets: Sequence[str] = field(repr=False)

    def receive_each(self, headers: Mapping[str, str], body: bytes, now: Micros) -> Sequence[tuple[Notice, bytes]]:
        """The notices in a request, each with a body that says it alone.

        Raises Unsigned or Malformed; that with the alerts which can be read `beside` those that cannot: Alertmanager
        does not send them again.
        """
        authorization.verify(headers, self.secrets, "http_config of Alertmanager's webhook_configs")
        payload = json_body.parse(body)
        if payload.get("version") != "4":
            raise Malformed("unknown_version", "this is no payload of Alertmanager's webhook, version 4", "/version")
        alerts = payload.get("alerts")
        if not isinstance(alerts, list) or not all(isinstance(one, dict) for one in alerts) or len(alerts) > MOST:
            raise Malformed("invalid_alerts", f"`alerts` is a list of at most {MOST} alerts", "/alerts")
        found, wrong = _sorted(self.name, alerts)
        if wrong:
            raise Malformed(wrong[0].kind, "; ".join(map(str, wrong[:TOLD])), wrong[0].pointer, found)
        return found

    def reread(self, body: bytes) -> Notice:
        """The notice in a body that `receive_each` made. Raises Malformed."""
        found = _read(self.name, json_body.parse(body), 0)
        if found is None:
            raise Malformed("resolved", "the alert is resolved")
        return found[0]


def _sorted(source: str, alerts: Sequence[Mapping[str, Any]]) -> tuple[list[tuple[Notice, bytes]], list[Malformed]]:
    """Those that fire, and what is wrong with those that cannot be read."""
    found: list[tuple[Notice, bytes]] = []
    wrong: list[Malformed] = []
    for number, alert in enumerate(alerts):
        try:
            read = _read(source, alert, number)
        except Malformed as error:
            wrong.append(error)
        else:
            found += [read] if read is not None else []
    return found, wrong


def _read(source: str, alert: Mapping[str, Any], number: int) -> tuple[Notice, bytes] | None:
    """The notice and its body; None for an alert that is resolved."""
    fields = Fields({key: value for key, value in alert.items() if key not in _UNREAD})
    status, fingerprint = fields.get("status", _STATUS), fields.get("fingerprint", _FINGERPRINT)
    begun, labels = fields.get("startsAt", TIME), fields.sub("labels")
    name = labels.get("alertname", _NAME)
    found = {key: labels.get(key, _LABEL) for key in labels.keys if key != "alertname"}
    started = micros(begun)
    if begun and started is None:
        fields.wrong("startsAt", f"is {begun!r}, which is no time", TIME.expected)
    fields.skip()
    mistakes = fields.finish()
    if mistakes or started is None:
        text = "; ".join(map(str, mistakes))
        raise Malformed("invalid_alert", f"alert {number}: {text}", f"/alerts/{number}")
    if status == RESOLVED:
        return None
    same = {"status": status, "fingerprint": fingerprint, "startsAt": begun, "labels": {"alertname": name, **found}}
    notice = Notice(source, f"{fingerprint} {begun}", digest(same), Alert(name, started, found))
    return notice, json.dumps(same, sort_keys=True).encode()


def _label(raw: object) -> str | None:
    return raw if isinstance(raw, str) and len(raw) <= 4096 else None


_LABEL: Final = Reader("text of at most 4096 characters", "", _label)
