"""What workers and publishers agree on: the queue of a cluster, the one task, and a Celery app made for hints.

A message says "something is due in this cluster, look now" and nothing else. So it may be lost, doubled or late: it is
acknowledged early, never retried, never delayed, has no result, and nothing may ever wait for the broker.
"""

from collections.abc import Collection

from celery import Celery
from kombu import Queue

DRAIN_TASK = "delivery.drain"
NO_BROKER = "memory://"
"""The URL of a broker that is none: Celery wants one, nothing is ever sent to it."""

_SOCKET_TIMEOUT = 0.3
_TRANSPORT_OPTIONS = {
    "socket_timeout": _SOCKET_TIMEOUT,
    "socket_connect_timeout": _SOCKET_TIMEOUT,
    "socket_keepalive": True,
    "health_check_interval": 5,  # a connection whose answer is overdue is dropped after seconds, not after a minute
    "max_retries": 0,  # for publishers: the next hint is as good as this one
}


def queue_name(cluster: str) -> str:
    """One queue per cluster, so that the credentials of a cluster stay with the workers beside it."""
    return f"delivery.{cluster}"


def make_app(broker: str | None, clusters: Collection[str] = ()) -> Celery:
    """A Celery app for this broker; a worker of it listens to the queues of these clusters."""
    app = Celery("delivery", broker=broker or NO_BROKER, backend="disabled://", set_as_current=False)
    app.conf.update(
        broker_connection_retry=True,
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,  # the default gives up after 100 tries and ends the worker
        broker_connection_timeout=_SOCKET_TIMEOUT,
        broker_transport_options=_TRANSPORT_OPTIONS,
        accept_content=["json"],
        task_serializer="json",
        result_serializer="json",
        task_ignore_result=True,
        task_acks_late=False,
        task_publish_retry=False,
        task_send_sent_event=False,
        task_queues=[Queue(queue_name(cluster)) for cluster in clusters],
        task_default_queue="delivery",
        worker_pool="threads",  # no fork hazard; scale by more worker processes
        worker_concurrency=2,
        worker_prefetch_multiplier=1,
        worker_enable_remote_control=False,  # no mailbox: workers say that they live by a row in the ledger
        worker_send_task_events=False,
        worker_cancel_long_running_tasks_on_connection_loss=True,  # concerns late acknowledgement only
        worker_hijack_root_logger=False,
        worker_redirect_stdouts=False,
        worker_soft_shutdown_timeout=0.0,  # it would sleep its whole timeout; drains are bounded anyway
        timezone="UTC",
    )
    return app
