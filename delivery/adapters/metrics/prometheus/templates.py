"""Ready-made templates: Envoy's own counters, Istio's, plain `http_requests_total`, OpenTelemetry's conventions."""

from collections.abc import Mapping

from delivery.adapters.metrics.prometheus.template import Count, Info, Label, Template, View, only, only_like
from delivery.model.version import Lane

SOURCE = ("pod", "instance")
"""Prometheus' own `instance` tells processes apart; `pod` is what people know them by."""


def _everywhere(view: View) -> Mapping[Lane, View]:
    return dict.fromkeys(Lane, view)


ENVOY = Template(
    name="envoy",
    views=_everywhere(
        View(
            Count("envoy_cluster_upstream_rq_completed"),
            Count("envoy_cluster_upstream_rq_xx", only(envoy_response_code_class="5")),
            Count("envoy_cluster_upstream_rq_time_bucket"),
            (Label("envoy_cluster_name", "{backend}"),),
        )
    ),
    source=SOURCE,
    alive="envoy_server_uptime",
    start="envoy_server_initialization_time_ms_sum",
    uptime="envoy_server_uptime",
    listed=True,
)
"""An Envoy with its default tags, over clusters that the `envoy` mesh makes: one for each lane of a version."""

ISTIO_ENVOY = Template(
    name="istio_envoy",
    views=_everywhere(
        View(
            Count("envoy_cluster_upstream_rq_completed"),
            Count("envoy_cluster_upstream_rq", only(response_code_class="5xx")),
            Count("envoy_cluster_upstream_rq_time_bucket"),
            (Label("cluster_name", "{subset}|{host}", before=r"outbound\|[0-9]+\|", after=";?"),),
        )
    ),
    source=SOURCE,
    alive="envoy_server_uptime",
    start="envoy_server_initialization_time_ms_sum",
    uptime="envoy_server_uptime",
    listed=True,
)
"""An Envoy of Istio (a gateway), its own counters of the clusters that istiod makes, with Istio's tags."""

_ANSWERED = only_like(response_code="[1-5]..")  # 0 is a client that went away: no answer, as with Envoy's own
_SENT = (*only(reporter="source"), *_ANSWERED)
_RECEIVED = (*only(reporter="destination"), *_ANSWERED)
_GRPC_FAILED = only_like(response_code="[1-4]..", grpc_response_status="2|4|12|13|14|15")
"""A gRPC call that fails is answered with 200. What the server is to blame for: unknown, deadline exceeded,
unimplemented, internal, unavailable, data loss; the others are the caller's."""


def _istio(reporter: tuple[str, ...], labels: tuple[Label, ...]) -> View:
    others = tuple(one for one in reporter if not one.startswith("response_code"))
    return View(
        Count("istio_requests_total", reporter),
        Count("istio_requests_total", (*others, *only_like(response_code="5.."))),
        Count("istio_request_duration_milliseconds_bucket", reporter),
        labels,
        failures=Count("istio_requests_total", (*others, *_GRPC_FAILED)),
    )


_TO_SERVICE = (Label("destination_service", "{host}"), Label("destination_workload", "{workload}"))
_IN_WORKLOAD = (Label("destination_workload_namespace", "{namespace}"), Label("destination_workload", "{workload}"))

ISTIO = Template(
    name="istio",
    views={
        Lane.PLAIN: _istio(_SENT, (Label("destination_service", "{host}"),)),
        Lane.SHADOWED: _istio(_SENT, (Label("destination_service", "{host}"),)),
        Lane.SHADOW: _istio(_RECEIVED, _IN_WORKLOAD),
    },
    subsets={
        Lane.PLAIN: _istio(_SENT, _TO_SERVICE),
        Lane.SHADOWED: _istio(_SENT, _TO_SERVICE),
        Lane.SHADOW: _istio(_RECEIVED, _IN_WORKLOAD),
    },
    source=SOURCE,
    alive="envoy_server_uptime",
    start="istio_agent_process_start_time_seconds",
)
"""Istio's standard metrics. Users' requests are counted where they are sent, so that those to dead pods count; copies
of a mirror are only counted where they arrive. Subsets of one Service are told apart by their Deployments: what never
reached a pod has none, and is not counted."""

HTTP_REQUESTS_TOTAL = Template(
    name="http_requests_total",
    views=_everywhere(
        View(
            Count("http_requests_total"),
            Count("http_requests_total", only_like(code="5..")),
            Count("http_request_duration_seconds_bucket"),
            (Label("service", "{service}"), Label("version", "{version}")),
        )
    ),
    source=SOURCE,
    alive="process_start_time_seconds",
    start="process_start_time_seconds",
    bound_ms=1000,
)
"""The service's own counters with the labels `service`, `version` and `code`, as client libraries make them."""

_OTEL = "http_server_request_duration_seconds"
OPENTELEMETRY = Template(
    name="opentelemetry",
    views=_everywhere(
        View(
            Count(f"{_OTEL}_count"),
            Count(f"{_OTEL}_count", only_like(http_response_status_code="5..")),
            Count(f"{_OTEL}_bucket"),
            (Label("job", "{service}", before="(.*/)?"), Label("service_version", "{version}")),
            Info("target_info", on=("job", "instance"), labels=("service_version",)),
        )
    ),
    source=SOURCE,
    alive="target_info",
    bound_ms=1000,
)
"""OpenTelemetry's HTTP server conventions as Prometheus stores them: `service.name` is in `job`, `service.version` in
`target_info`, and each process has an `instance` of its own."""

TEMPLATES: Mapping[str, Template] = {
    one.name: one for one in (ENVOY, ISTIO_ENVOY, ISTIO, HTTP_REQUESTS_TOTAL, OPENTELEMETRY)
}
