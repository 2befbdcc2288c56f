"""Every ready-made template, custom queries and what is refused: against a real Prometheus that scrapes what we say."""

import re

import pytest

from delivery.gates.deltas import carry, counts
from delivery.model.ids import SECOND, target_id
from delivery.model.place import Isolation, Mode, Place, object_name
from delivery.model.series import Sample, Unread, Why
from delivery.model.version import Backend, Lane, VersionRef
from delivery.ports.metrics import Subject
from tests.system.exporter import Scraped

PLACE = Place("shop", "checkout", "checkout")
NASTY = "a\"b\\c.*|{}\n' é"


def subject(version, lane=Lane.PLAIN, home=False, identity=None, service="checkout"):
    backend = Backend(service, VersionRef(version, identity or version), home)
    return Subject(target_id(service, "prod"), backend, lane)


@pytest.fixture
def scraped(tmp_path):
    scraped = Scraped(tmp_path)
    yield scraped
    scraped.close()


def told(metrics, *subjects):
    """Requests, errors and slow requests since the beginning; None where it cannot be read."""
    samples = metrics.sample(subjects)
    found: list[tuple[int, int, dict[int, int]] | None] = []
    for one in subjects:
        sample = samples[one]
        if not isinstance(sample, Sample):
            found.append(None)
            continue
        all_of_it = counts({}, sample)
        found.append((all_of_it.requests, all_of_it.errors, dict(all_of_it.slow)))
    return found


def plain(version, ok, failed=0, quick=None, service="checkout"):
    labels = f'service="{service}",version="{version}"'
    lines = [f'http_requests_total{{{labels},code="200"}} {ok}']
    lines += [f'http_requests_total{{{labels},code="503"}} {failed}'] if failed else []
    if quick is not None:
        lines.append(f'http_request_duration_seconds_bucket{{{labels},le="0.25"}} {quick}')
        lines.append(f'http_request_duration_seconds_bucket{{{labels},le="0.0005"}} 0')
        lines.append(f'http_request_duration_seconds_bucket{{{labels},le="+Inf"}} {ok + failed}')
    return "\n".join(lines)


ALIVE = "process_start_time_seconds 1795570000.25"


def test_plain_counters_are_summed_over_pods_and_told_apart_by_version(scraped):
    metrics = scraped.metrics(template="http_requests_total")
    first = f"{ALIVE}\n{plain('1.4.1', 90, 10, 95)}\n{plain('1.4.2', 5, service='payments')}"
    scraped.say(first, f"{ALIVE}\n{plain('1.4.1', 50)}\n{plain('1.4.22', 7)}")
    assert told(metrics, subject("1.4.1"), subject("1.4.2"), subject("1.4.22")) == [
        (150, 10, {250: 5}),
        (0, 0, {}),
        (7, 0, {}),
    ]


def test_only_the_bounds_that_gates_need_are_read(scraped):
    scraped.say(f"{ALIVE}\n{plain('1.4.1', 90, 10, 95)}", ALIVE)
    for bounds, wanted in (([250], {250: 5}), ([500], {}), ([], {})):
        metrics = scraped.metrics(template="http_requests_total", bounds=bounds)
        assert told(metrics, subject("1.4.1")) == [(100, 10, wanted)]


def test_a_pod_that_cannot_be_scraped_keeps_what_it_said_and_loses_nothing(scraped):
    metrics, one = scraped.metrics(template="http_requests_total"), subject("1.4.1")
    other = f"{ALIVE}\n{plain('1.4.1', 50)}"
    scraped.say(f"{ALIVE}\n{plain('1.4.1', 100)}", other)
    before = metrics.sample([one])[one]
    scraped.say(None, other)
    base = metrics.sample([one])[one]
    assert {name: (one.requests, one.errors) for name, one in base.series.items()} == {
        name: (one.requests, one.errors) for name, one in before.series.items()
    }
    assert sum(one.held for one in base.series.values()) == 1
    scraped.say(f"{ALIVE}\n{plain('1.4.1', 103, 2)}", other)
    back = metrics.sample([one])[one]
    after = counts(carry(before.series, base), back)
    assert (after.requests, after.errors) == (5, 2)
    assert counts(carry({}, base), back).requests == 0, "where a stage began with it, nobody knows when that was"


def test_another_process_behind_the_same_address_is_another_life(scraped):
    metrics, one = scraped.metrics(template="http_requests_total"), subject("1.4.1")
    scraped.say(f"{ALIVE}\n{plain('1.4.1', 3)}", ALIVE)
    base = metrics.sample([one])[one].series
    scraped.say(f"process_start_time_seconds 1795570099.5\n{plain('1.4.1', 8)}", ALIVE)
    assert counts(base, metrics.sample([one])[one]).requests == 8


# The labels of Istio 1.30's standard metrics, as its documentation and the proxy's own tests have them. A request that
# reached no pod has "unknown" for what its peer would have told.
GATEWAY = {
    "source_workload": "istio-ingressgateway", "source_workload_namespace": "istio-system",
    "source_principal": "unknown", "source_app": "istio-ingressgateway", "source_version": "unknown",
    "source_cluster": "Kubernetes", "source_canonical_service": "istio-ingressgateway",
    "source_canonical_revision": "latest",
}  # fmt: skip
POD = {
    "destination_workload": "unknown", "destination_workload_namespace": "unknown",
    "destination_principal": "unknown", "destination_app": "unknown", "destination_version": "unknown",
    "destination_service": "unknown", "destination_service_name": "unknown",
    "destination_service_namespace": "unknown", "destination_cluster": "unknown",
    "destination_canonical_service": "unknown", "destination_canonical_revision": "latest",
}  # fmt: skip


def labelled(reporter, code, labels):
    """The labels of one series: all of them, and what is known of the other side."""
    grpc = labels.pop("grpc", "")
    host = labels.get("destination_service", "unknown")
    found = {
        "reporter": reporter, **GATEWAY, **POD,
        "destination_service_name": host.split(".")[0], "destination_service_namespace": "shop",
        "request_protocol": "grpc" if grpc else "http", "response_code": code, "grpc_response_status": grpc,
        "response_flags": "UH" if code == 503 else "DC" if code == 0 else "-",
        "connection_security_policy": "unknown" if reporter == "source" else "mutual_tls", **labels,
    }  # fmt: skip
    return ",".join(f'{name}="{value}"' for name, value in found.items())


def istio(reporter, code, number, **labels):
    return f"istio_requests_total{{{labelled(reporter, code, labels)}}} {number}"


def istio_within(reporter, bound, number, **labels):
    text = labelled(reporter, 200, labels)
    return f'istio_request_duration_milliseconds_bucket{{{text},le="{bound}"}} {number}'


def service_of(backend, lane=""):
    return f"{object_name(backend)}{lane}.shop.svc.cluster.local"


def test_istio_counts_users_where_they_send_and_copies_where_they_arrive(scraped):
    candidate, home = subject("1.4.2"), subject("1.4.1", home=True)
    shadow, shadowed = subject("1.4.2", Lane.SHADOW), subject("1.4.1", Lane.SHADOWED)
    to_candidate = {"destination_service": service_of(candidate.backend)}
    workload = {"destination_workload_namespace": "shop", "destination_workload": object_name(candidate.backend)}
    scraped.say(
        "\n".join(
            [
                "envoy_server_uptime 5",
                istio("source", 200, 40, **to_candidate, **workload),
                istio("source", 503, 2, **to_candidate, destination_workload="unknown"),
                istio("source", 0, 9, **to_candidate),
                istio("destination", 200, 400, **to_candidate, **workload),
                istio("source", 200, 60, destination_service="checkout.shop.svc.cluster.local"),
                istio("source", 500, 1, destination_service=service_of(shadowed.backend, "-mirrored")),
                istio_within("source", "250", 30, **to_candidate, **workload),
                istio_within("source", "+Inf", 40, **to_candidate, **workload),
            ]
        ),
        "envoy_server_uptime 7",
    )
    metrics = scraped.metrics(PLACE, template="istio")
    assert told(metrics, candidate, home, shadow, shadowed) == [
        (42, 2, {250: 10}),
        (60, 0, {}),
        (400, 0, {}),
        (1, 1, {}),
    ]


def test_calls_of_grpc_that_the_server_failed_are_errors_and_those_of_the_caller_are_not(scraped):
    to = {"destination_service": service_of(subject("1.4.2").backend)}
    statuses = {"0": 50, "5": 7, "13": 3, "14": 2}
    lines = [istio("source", 200, number, **to, grpc=status) for status, number in statuses.items()]
    scraped.say("\n".join(["envoy_server_uptime 5", *lines, istio("source", 503, 4, **to, grpc="14")]), "")
    assert told(scraped.metrics(PLACE, template="istio"), subject("1.4.2")) == [(66, 9, {})]


def test_istio_tells_subsets_apart_by_their_deployments(scraped):
    place = Place("shop", "checkout", "checkout", Mode.VERSIONED, Isolation.SUBSET, candidate="checkout-{version}")
    service = {"destination_service": "checkout.shop.svc.cluster.local"}
    scraped.say(
        "\n".join(
            [
                "envoy_server_uptime 5",
                istio("source", 200, 40, **service, destination_workload="checkout-1.4.1"),
                istio("source", 200, 4, **service, destination_workload="checkout-1.4.2"),
            ]
        ),
        "envoy_server_uptime 7",
    )
    metrics = scraped.metrics(place, template="istio")
    assert told(metrics, subject("1.4.1"), subject("1.4.2")) == [(40, 0, {}), (4, 0, {})]


@pytest.mark.parametrize("isolation", [Isolation.SERVICE, Isolation.SUBSET])
@pytest.mark.parametrize("end", ["", ";"])
def test_an_envoy_of_istio_by_the_names_that_istiod_gives(scraped, isolation, end):
    one = subject("1.4.2")
    name = object_name(one.backend)
    host = "checkout.shop.svc.cluster.local"
    cluster = (
        f"outbound|8080||{name}.shop.svc.cluster.local"
        if isolation is Isolation.SERVICE
        else f"outbound|8080|{name}|{host}"
    )
    labels = f'cluster_name="{cluster}{end}"'
    lines = [
        "envoy_server_uptime 5",
        f"envoy_cluster_upstream_rq_completed{{{labels}}} 12",
        f'envoy_cluster_upstream_rq{{{labels},response_code_class="2xx"}} 9',
        f'envoy_cluster_upstream_rq{{{labels},response_code_class="5xx"}} 3',
        f'envoy_cluster_upstream_rq{{{labels},response_code="503"}} 3',
        f'envoy_cluster_upstream_rq_completed{{cluster_name="outbound|8080||{host}"}} 99',
    ]
    scraped.say("\n".join(lines), "envoy_server_uptime 7")
    place = Place("shop", "checkout", "checkout", isolation=isolation)
    assert told(scraped.metrics(place, template="istio_envoy"), one) == [(12, 3, {})]


def test_opentelemetry_finds_the_version_in_target_info(scraped):
    def pod(version, number, failed):
        who = f'job="shop/checkout",instance="{number}"'
        count = "http_server_request_duration_seconds"
        return [
            f'target_info{{{who},service_version="{version}"}} 1',
            f'{count}_count{{{who},http_response_status_code="200"}} {number}',
            f'{count}_count{{{who},http_response_status_code="500"}} {failed}',
            f'{count}_bucket{{{who},http_response_status_code="200",le="0.1"}} {number - 1}',
            f'{count}_bucket{{{who},http_response_status_code="200",le="+Inf"}} {number}',
        ]

    scraped.say("\n".join([*pod("1.4.1", 100, 1), *pod("1.4.2", 10, 4)]), "")
    metrics = scraped.metrics(template="opentelemetry")
    assert told(metrics, subject("1.4.1"), subject("1.4.2"), subject("1.4.3")) == [
        (101, 1, {100: 1}),
        (14, 4, {100: 1}),
        (0, 0, {}),
    ]


def test_labels_of_ones_own_and_values_that_mean_to_break_out(scraped):
    escaped = NASTY.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    scraped.say(f'{ALIVE}\nhttp_requests_total{{app="checkout",v="{escaped}",code="200"}} 3', ALIVE)
    labels = {"app": "{service}", "v": "{version}"}
    metrics = scraped.metrics(template="http_requests_total", labels=labels)
    assert told(metrics, subject(NASTY), subject("1.4.1"), subject(".*")) == [(3, 0, {}), (0, 0, {}), (0, 0, {})]


QUERIES = {
    "requests": 'sum by (pod) (http_requests_total{version="{version}"})',
    "errors": 'sum by (pod) (http_requests_total{version=~"{version}",code=~"5.."})',
    "alive": 'up{job="pods"} == 1',
    "slow": {"250": 'sum by (pod) (slow_total{version="{version}"})'},
}


def test_queries_of_ones_own(scraped):
    escaped = NASTY.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    lines = [plain(escaped, 5, 2), plain("1.4.1", 9, 1), 'slow_total{version="1.4.1"} 4']
    scraped.say("\n".join(lines), "")
    metrics = scraped.metrics(queries=QUERIES)
    assert told(metrics, subject("1.4.1"), subject(NASTY), subject("1-4-1"), subject("1.4.")) == [
        (10, 1, {250: 4}),
        (7, 2, {}),
        (0, 0, {}),
        (0, 0, {}),
    ]


def test_conversions_and_levels_beside_the_requests(scraped):
    measures = {
        "conversion": {"events": 'sum(orders{version="{version}"})', "of": 'sum(sessions{version="{version}"})'},
        "heap": {"gauge": 'heap_bytes{version="{version}"}'},
    }
    metrics, one = scraped.metrics(template="http_requests_total", measures=measures), subject("1.4.1")
    words = ['orders{version="1.4.1"} 3', 'sessions{version="1.4.1"} 50', 'heap_bytes{version="1.4.1",pod="a"} 100']
    scraped.say("\n".join([ALIVE, plain("1.4.1", 5), *words]), f'{ALIVE}\nheap_bytes{{version="1.4.1",pod="b"}} 300')
    base = metrics.sample([one])[one]
    assert base is not None
    found = counts({}, base)
    assert (found.requests, found.rates, found.gauges) == (5, (("conversion", 3, 50),), (("heap", 200.0),))
    words = ['orders{version="1.4.1"} 7', 'sessions{version="1.4.1"} 90']
    scraped.say("\n".join([ALIVE, plain("1.4.1", 5), *words]), ALIVE)
    after = metrics.sample([one, subject("1.4.2")])
    assert counts(base.series, after[one]).rates == (("conversion", 4, 40),)
    assert counts({}, after[subject("1.4.2")]).rates is None


def test_a_version_of_a_query_that_nobody_scrapes_is_not_zero(scraped, caplog):
    scraped.say("", "")
    metrics = scraped.metrics(queries={**QUERIES, "alive": 'up{job="gone"} == 1'})
    assert told(metrics, subject("1.4.1")) == [None]
    assert "`alive` gives nothing" in caplog.text


def test_nothing_scraped_is_not_zero(scraped, caplog):
    scraped.say(plain("1.4.1", 5), plain("1.4.1", 5))
    assert told(scraped.metrics(template="http_requests_total"), subject("1.4.1")) == [None]
    assert "nothing is scraped that has process_start_time_seconds" in caplog.text


def test_what_is_scraped_no_more_is_stale(scraped, caplog):
    metrics = scraped.metrics(template="http_requests_total", stale=1)
    # An exporter may say when it measured: one that hangs repeats itself.
    old = "\n".join(
        f"{line} {int(scraped.prometheus.total('time()') * 1000) - 30_000}" for line in [ALIVE, plain("1.4.1", 5)]
    )
    scraped.say(old, old)
    assert told(metrics, subject("1.4.1")) == [None]
    assert re.search(r"the newest process_start_time_seconds is 3\d s old", caplog.text)


def test_no_number_is_no_zero_and_spoils_no_other(scraped, caplog):
    broken = 'http_requests_total{service="checkout",version="1.4.2",code="200"} NaN'
    scraped.say(f"{ALIVE}\n{plain('1.4.1', 5)}\n{broken}", ALIVE)
    metrics = scraped.metrics(template="http_requests_total")
    assert told(metrics, subject("1.4.1"), subject("1.4.2")) == [(5, 0, {}), None]
    assert "is no count (NaN or infinite)" in caplog.text


def test_a_pod_that_is_scraped_twice_is_not_counted_twice(tmp_path, caplog):
    scraped = Scraped(tmp_path, twice=True)
    try:
        scraped.say(f"{ALIVE}\n{plain('1.4.1', 5)}", f"{ALIVE}\n{plain('1.4.2', 5)}")
        metrics = scraped.metrics(template="http_requests_total")
        assert told(metrics, subject("1.4.1"), subject("1.4.2")) == [None, (5, 0, {})]
        assert "more than once" in caplog.text
        narrowed = scraped.metrics(template="http_requests_total", where={"job": "pods"})
        assert told(narrowed, subject("1.4.1")) == [(5, 0, {})]
    finally:
        scraped.close()


def test_a_version_over_its_budget_is_refused_alone(scraped, caplog):
    many = "\n".join(
        f'http_requests_total{{service="checkout",version="1.4.2",code="200",user="{number}"}} 1'
        for number in range(50)
    )
    scraped.say(f"{ALIVE}\n{plain('1.4.1', 5)}\n{many}", ALIVE)
    metrics = scraped.metrics(template="http_requests_total", series=20)
    assert told(metrics, subject("1.4.1"), subject("1.4.2")) == [(5, 0, {}), None]
    assert "needs 50 series, 20 are allowed" in caplog.text


def test_values_of_a_while_ago_for_servers_that_lag(scraped):
    scraped.say(f"{ALIVE}\n{plain('1.4.1', 5)}", ALIVE)
    now = scraped.metrics(template="http_requests_total").sample([subject("1.4.1")])[subject("1.4.1")]
    lagging = scraped.metrics(template="http_requests_total", lag=3600).sample([subject("1.4.1")])
    assert isinstance(now, Sample)
    assert 0 <= now.age < 60 * SECOND
    (missing,) = lagging.values()
    assert isinstance(missing, Unread)
    assert missing.why is Why.NOT_SCRAPED
