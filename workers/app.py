"""The app for Celery's own command line, configured by DELIVERY_CONFIG:

celery -A workers.app worker --without-gossip --without-mingle -n worker1@%h
"""

from workers.assemble import assemble
from workers.main import prepared

_wired = prepared()
if _wired.settings.broker is None:
    raise SystemExit("Celery needs a [broker] in the configuration; a worker without one: python -m workers.main")
app = assemble(_wired.settings.broker.url, list(_wired.clusters), _wired)
