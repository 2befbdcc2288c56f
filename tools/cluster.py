"""Runs the testbed of the cluster tests until Ctrl-C, to try things by hand: `make cluster`."""

import signal
import sys
import tempfile
from pathlib import Path

from delivery.sandbox.envoy import EnvoyMissing
from delivery.sandbox.ports import HOST
from tests.cluster.testbed.cluster import GATEWAY, Cluster, running
from tests.cluster.testbed.process import CannotRun
from tools.cluster_build import CannotBuild, build, programs

CHECK_SECONDS = 1.0
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def main() -> None:
    """Returns when it was asked to end; exits with one sentence where it cannot start or a part of it dies."""
    for number in SIGNALS:
        signal.signal(number, signal.default_int_handler)  # also while it builds and starts
    try:
        for program in programs():
            build(program)
        with tempfile.TemporaryDirectory(prefix="cluster-") as folder:
            _run(Path(folder))
    except (CannotBuild, CannotRun, EnvoyMissing) as reason:
        sys.exit(f"cluster: {str(reason).removeprefix('cluster: ')}")
    except KeyboardInterrupt:
        sys.exit(130)  # asked to end while it started


def _run(folder: Path) -> None:
    with running(folder) as cluster:
        _tell(cluster)
        # Blocked from here on and waited for: none is lost between two looks.
        signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
        while signal.sigtimedwait(SIGNALS, CHECK_SECONDS) is None:
            cluster.check()
        print("cluster: stopping", flush=True)


def _tell(cluster: Cluster) -> None:
    print(
        f"""\
export KUBECONFIG={cluster.kubeconfig}
gateway     http://{HOST}:{cluster.gateway.port} (a VirtualService names it as gateways: [{GATEWAY}])
envoy       http://{HOST}:{cluster.gateway.admin} (its admin interface)
istiod      http://{HOST}:{cluster.istiod.debug}/debug/syncz
prometheus  {cluster.prometheus.url}
logs        {cluster.folder}
Ctrl-C ends it and takes the folder along.""",
        flush=True,
    )


if __name__ == "__main__":
    main()
