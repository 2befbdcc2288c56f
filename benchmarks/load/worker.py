"""The app of the workers that are measured, for Celery's own command line; as `workers.app`, but for the world."""

from benchmarks.load import lateness
from benchmarks.load.world import offer
from workers.assemble import assemble
from workers.main import prepared

offer()
_wired = prepared()
lateness.record(_wired)
if _wired.settings.broker is None:
    raise SystemExit("the configuration of the benchmark has no broker")
app = assemble(_wired.settings.broker.url, list(_wired.clusters), _wired)
