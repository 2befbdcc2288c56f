"""Starts a worker: `python -m workers.main`, or, for Celery's own command line, `celery -A workers.app worker`.

With a broker in the configuration it is a Celery worker, without one the scan alone. Either ends warm at SIGTERM.
"""

import argparse
import os
import sys
from collections.abc import Sequence

from delivery.adapters.telemetry import logs
from delivery.adapters.telemetry.exposition import LOOPBACK, serve, visible
from delivery.settings import SettingsError, load
from delivery.wiring import Wired, spare_collector, traces, wire
from workers import run

CLUSTERS = "DELIVERY_CLUSTERS"
"""Names the clusters that the worker serves, with commas between; without it, all of the configuration."""
METRICS_PORT = "DELIVERY_METRICS_PORT"
"""Names the port of the worker's own metrics; without it they are not shown."""
METRICS_ADDRESS = "DELIVERY_METRICS_ADDRESS"
"""Names the address of that port; without it, loopback. They are shown to whoever asks there."""


def main(arguments: Sequence[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    try:
        wired = prepared(options.config, options.metrics_port, options.metrics_address, options.clusters)
    except (SettingsError, ValueError, OSError) as error:
        sys.stderr.write(f"{error}\n")
        return 2
    broker, clusters = wired.settings.broker, tuple(wired.clusters)
    try:
        if broker is None:
            return run.without_broker(clusters, wired, options.name)
        return run.with_broker(broker.url, clusters, wired, options.name)
    finally:
        wired.close()


def prepared(
    config: str | None = None,
    metrics_port: int | None = None,
    metrics_address: str | None = None,
    clusters: str | None = None,
) -> Wired:
    """The wired service of this process, its logs and its metrics.

    Raises SettingsError or UnknownName for the configuration, OSError where the metrics' port is taken.
    """
    logs.configure("worker")
    only = clusters if clusters is not None else os.environ.get(CLUSTERS)
    settings = load(os.environ, config)
    wired = wire(settings, only=None if only is None else only.split(","), traces=traces(os.environ, "worker"))
    port = metrics_port if metrics_port is not None else os.environ.get(METRICS_PORT)
    if port is not None:
        address = metrics_address or os.environ.get(METRICS_ADDRESS) or LOOPBACK
        serve(visible(wired.telemetry.registry), int(port), address)
    spare_collector()
    return wired


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m workers.main", description="Runs a worker until SIGTERM.")
    parser.add_argument("--config", help="the server's configuration (default: DELIVERY_CONFIG, else ./delivery.toml)")
    parser.add_argument("--name", default="worker", help="tells workers of one machine apart (default: worker)")
    parser.add_argument("--clusters", help=f"the clusters that it serves: a,b (default: {CLUSTERS}, else all)")
    parser.add_argument("--metrics-port", type=int, help=f"port for metrics (default: {METRICS_PORT}, else none)")
    parser.add_argument("--metrics-address", help=f"its address (default: {METRICS_ADDRESS}, else {LOOPBACK})")
    return parser


if __name__ == "__main__":
    sys.exit(main())
