"""Our metrics in Prometheus' text format, of this process or, with PROMETHEUS_MULTIPROC_DIR, of all that share it.

That variable is the client library's own: set it to a directory of the service alone, and the metrics of an API with
several processes, or of the API and the workers beside it, add up wherever they are asked for.
"""

import os
from collections.abc import Sequence
from wsgiref.simple_server import WSGIServer

from prometheus_client import CollectorRegistry, exposition, start_http_server
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

CONTENT_TYPE = exposition.CONTENT_TYPE_PLAIN_0_0_4
LOOPBACK = "127.0.0.1"


def visible(own: CollectorRegistry, more: Sequence[Collector] = ()) -> CollectorRegistry:
    """What a scrape of this process shows: its own metrics or everybody's, and what is read when asked."""
    shown = CollectorRegistry()
    if os.environ.get("PROMETHEUS_MULTIPROC_DIR"):
        MultiProcessCollector(shown)  # type: ignore[no-untyped-call]
    else:
        shown.register(own)
    for collector in more:
        shown.register(collector)
    return shown


def render(shown: CollectorRegistry) -> bytes:
    """The text of one scrape, of content type CONTENT_TYPE."""
    return exposition.generate_latest(shown)


def serve(shown: CollectorRegistry, port: int, address: str = LOOPBACK) -> WSGIServer:
    """Answers scrapes from a thread; port 0 takes a free one. Raises OSError."""
    try:
        server, _ = start_http_server(port, addr=address, registry=shown)
    except OSError as error:
        raise OSError(error.errno, f"{address}:{port} for metrics: {error.strerror}") from error
    return server
