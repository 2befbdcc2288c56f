"""Asking gateways what they run: the probe route answers with the marker of the write that it came with."""

import http.client
import ssl
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from delivery.adapters.mesh.istio.document import PROBE_HEADER
from delivery.ports.errors import Unavailable

SECONDS = 1.0
AT_ONCE = 16
LONGEST = 1000  # bytes of an answer; a marker is far shorter


@dataclass(frozen=True, slots=True)
class Question:
    """`proxy` is its name for people. With `tls` the host is asked for by SNI, and the certificate is not looked at:
    what is told is a secret of nobody's, and what is proven is the answer."""

    proxy: str
    address: str
    host: str
    path: str
    secret: str
    tls: bool = False


def ask_all(questions: Sequence[Question]) -> list[str | None]:
    """The markers, None where something else answered. Raises Unavailable where nobody answered at all."""
    if not questions:
        return []
    with ThreadPoolExecutor(min(AT_ONCE, len(questions))) as pool:
        answers = list(pool.map(_tried, questions))
    silent = [answer for answer in answers if isinstance(answer, Unavailable)]
    if len(silent) == len(answers):
        raise silent[0]
    return [None if isinstance(answer, Unavailable) else answer for answer in answers]


def _tried(question: Question) -> str | Unavailable | None:
    try:
        return _ask(question)
    except Unavailable as error:
        return error


def _ask(question: Question) -> str | None:
    connection = _connection(question)
    try:
        connection.putrequest("GET", question.path, skip_host=True, skip_accept_encoding=True)
        connection.putheader("host", question.host)
        connection.putheader(PROBE_HEADER, question.secret)
        connection.endheaders()
        answer = connection.getresponse()
        body = answer.read(LONGEST)
    except (OSError, http.client.HTTPException) as error:
        reason = str(error) or type(error).__name__
        raise Unavailable(f"the gateway {question.proxy} at {question.address} does not answer: {reason}") from error
    finally:
        connection.close()
    return body.decode(errors="replace") if answer.status == 200 else None


def _connection(question: Question) -> http.client.HTTPConnection:
    host, _, port = question.address.rpartition(":")
    if not question.tls:
        return http.client.HTTPConnection(host, int(port), timeout=SECONDS)
    return _Named(host, int(port), question.host)


class _Named(http.client.HTTPConnection):
    """TLS to an address, for a server name that is not the address."""

    def __init__(self, host: str, port: int, name: str) -> None:
        super().__init__(host, port, timeout=SECONDS)
        self._name = name

    def connect(self) -> None:
        super().connect()
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        self.sock = context.wrap_socket(self.sock, server_hostname=self._name)
