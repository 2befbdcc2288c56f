"""What the adapter asks, and what it makes of answers: over real HTTP, from a server that says what a test wants."""

import re
from typing import Any

import pytest

from delivery.adapters.clock.system import SystemClock
from delivery.adapters.metrics.prometheus.adapter import Limits, PrometheusMetrics
from delivery.adapters.metrics.prometheus.configured import Options, connect, template
from delivery.adapters.metrics.prometheus.custom import Queries
from delivery.adapters.metrics.prometheus.promql import BadQuery
from delivery.adapters.metrics.prometheus.query import PART
from delivery.adapters.metrics.prometheus.server import Access, Server
from delivery.adapters.metrics.prometheus.templates import TEMPLATES
from delivery.catalog.measured import Measured
from delivery.gates.deltas import counts
from delivery.model.ids import SECOND, target_id
from delivery.model.place import Mode, Place
from delivery.model.series import Sample, Unread, Why
from delivery.model.version import Backend, Lane, VersionRef
from delivery.ports.errors import Refused, Unavailable
from delivery.ports.metrics import Subject
from delivery.registry import METRICS, Surroundings, measured
from tests.unit.metrics.answers import answering, row, vector

AT = 2000.0


def subject(version, lane=Lane.PLAIN, service="checkout"):
    return Subject(target_id(service, "prod"), Backend(service, VersionRef(version, version)), lane)


CLUSTER = "checkout_1-4-1"


def located(target):
    return Place("shop", "checkout", "checkout")


class Counting:
    """Answers as Prometheus would: `counted` has requests by cluster, `sizes` how many series each has."""

    def __init__(self, answers):
        self.counted = {}
        self.sizes = {}
        self.seen = AT
        self.broken: tuple[str, ...] = ()
        self._answers = answers
        answers.reply = self.reply

    @property
    def queries(self):
        return [one.form["query"] for one in self._answers.asked]

    @property
    def samples(self):
        return [query for query in self.queries if "count by (envoy_cluster_name)" not in query]

    def reply(self, asked, handler):
        query = asked.form["query"]
        if any(name in query for name in self.broken):
            return 503, "too busy"
        if query not in self.samples:
            return 200, vector(*(row(str(size), AT, envoy_cluster_name=name) for name, size in self.sizes.items()))
        rows = [row(str(self.seen), AT, **{PART: "seen", "instance": "a:1"})]
        for name, number in self.counted.items():
            rows.append(row(number, AT, **{PART: "requests", "envoy_cluster_name": name, "instance": "a:1"}))
        return 200, vector(*rows)


@pytest.fixture
def answers():
    with answering() as answers:
        yield answers


@pytest.fixture
def counting(answers):
    return Counting(answers)


@pytest.fixture
def metrics(answers):
    server = Server(answers.url)
    yield PrometheusMetrics(server, TEMPLATES["envoy"], SystemClock(), located, limits=Limits(each=100, total=400))
    server.close()


def requests(sample):
    """Of a sample; why there is none where there is none."""
    return sample.why if isinstance(sample, Unread) else sum(series.requests for series in sample.series.values())


def test_one_query_serves_every_release(metrics, counting):
    many = [subject(f"1.0.{number}") for number in range(100)]
    counting.counted = {"checkout_1-0-7": "70", "checkout_9-9-9": "1"}
    found = metrics.sample(many)
    assert len(counting.samples) == 1
    assert {one.backend.name: requests(sample) for one, sample in found.items() if requests(sample)} == {
        "checkout_1-0-7": 70
    }
    metrics.sample(many)
    assert len(counting.queries) == 3  # sizes are counted once


def test_only_open_releases_are_asked_for(metrics, counting):
    metrics.sample([subject("1.4.2"), subject("1.4.1", Lane.SHADOW)])
    assert 'envoy_cluster_name=~"checkout_1-4-1_mirror|checkout_1-4-2"' in counting.samples[0]


def test_a_list_stays_short_enough_to_be_looked_up(metrics, counting):
    metrics.sample([subject(f"1.0.{number}") for number in range(450)])
    assert [len(re.findall(r"checkout_1", query.split("}")[0])) for query in counting.samples] == [200, 200, 50]


def test_queries_are_split_by_what_they_touch(metrics, counting):
    counting.sizes = {f"checkout_1-0-{number}": 90 for number in range(10)}
    metrics.sample([subject(f"1.0.{number}") for number in range(10)])
    assert len(counting.samples) == 3


def test_who_is_over_the_budget_is_left_out_and_said_once(metrics, counting, caplog):
    counting.sizes = {"checkout_1-4-2": 101, "checkout_1-4-1": 100}
    for _ in range(3):
        metrics.sample([subject("1.4.1"), subject("1.4.2")])
    found = metrics.sample([subject("1.4.1"), subject("1.4.2")])
    assert [requests(found[subject(version)]) for version in ("1.4.1", "1.4.2")] == [0, Why.TOO_MANY]
    assert all("1-4-2" not in query for query in counting.samples)
    assert caplog.text.count("needs 101 series, 100 are allowed") == 1


@pytest.mark.parametrize("known", [False, True])
def test_one_query_that_fails_takes_no_other_with_it(metrics, counting, caplog, known):
    many = [subject(f"1.0.{number:03}") for number in range(400)]
    if known:
        metrics.sample(many)  # their sizes are known then
    counting.broken = ("checkout_1-0-250",)
    found = metrics.sample(many)
    assert requests(found[subject("1.0.001")]) == 0
    assert requests(found[subject("1.0.250")]) is Why.UNAVAILABLE
    assert caplog.text.count("checkout_1-0-200 and 199 more cannot be measured") == 1


def test_a_server_that_answers_nothing_is_unavailable(metrics, counting):
    counting.broken = ("checkout",)
    with pytest.raises(Unavailable, match=r"503 .too busy"):
        metrics.sample([subject("1.4.1")])


@pytest.mark.parametrize(("seen", "why"), [(AT - 61, Why.STALE), (None, Why.NOT_SCRAPED)])
def test_old_or_no_sources_are_no_zero(metrics, counting, answers, seen, why, caplog):
    if seen is None:
        answers.reply = lambda *_: (200, vector())
    else:
        counting.seen = seen
    assert requests(metrics.sample([subject("1.4.1")])[subject("1.4.1")]) is why
    assert "checkout_1-4-1 cannot be measured: " in caplog.text


@pytest.mark.parametrize("value", ["NaN", "+Inf"])
def test_no_number_is_no_zero(metrics, counting, value):
    counting.counted = {"checkout_1-4-1": value, "checkout_1-4-2": "3"}
    found = metrics.sample([subject("1.4.1"), subject("1.4.2")])
    assert [requests(found[subject(version)]) for version in ("1.4.1", "1.4.2")] == [Why.NOT_A_COUNT, 3]


def test_a_sample_says_how_old_its_oldest_counter_is(metrics, counting):
    counting.seen = AT - 14
    assert metrics.sample([subject("1.4.1")])[subject("1.4.1")].age == 14 * SECOND


def test_sources_that_cannot_be_scraped_are_told_from_those_that_can(metrics, counting, answers):
    def reply(asked, handler):
        query = asked.form["query"]
        if "seen" not in query and "unless" in query:
            return 200, vector(row("9", AT, **{PART: "requests", "envoy_cluster_name": CLUSTER, "instance": "b:1"}))
        status, found = counting.reply(asked, handler)
        lost = [row("1", AT, **{PART: "lost"})] if query in counting.samples else []
        return status, vector(*found["data"]["result"], *lost)

    counting.counted = {CLUSTER: "7"}
    answers.reply = reply
    series = metrics.sample([subject("1.4.1")])[subject("1.4.1")].series
    assert {name: one.held for name, one in series.items() if one.requests} == {"a:1": False, "b:1": True}


def test_a_target_without_a_place_is_told_and_spoils_no_other(answers, caplog):
    def locate(target):
        if target.startswith("lost"):
            raise Refused("the service file of lost does not say where it lives")
        return located(target)

    server = Server(answers.url)
    answers.reply = lambda *_: (200, vector(row(str(AT), AT, **{PART: "seen"})))
    metrics = PrometheusMetrics(server, TEMPLATES["istio"], SystemClock(), locate)
    found = metrics.sample([subject("1.4.1"), subject("1.4.1", service="lost")])
    server.close()
    assert requests(found[subject("1.4.1")]) == 0
    assert requests(found[subject("1.4.1", service="lost")]) is Why.UNPLACED
    assert "does not say where it lives" in caplog.text


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"template": "graphite"}, "no template 'graphite'; there is: envoy, istio_envoy, istio"),
        ({"labels": {}}, "versions cannot be told apart"),
        ({"labels": {"a b": "{version}"}}, "'a b' is no name of a label"),
        ({"labels": {"version": "{vers}"}}, r"there is no \{vers\}; there is: \{backend\}"),
        ({"alive": "up == 1"}, "is no name of a metric"),
        ({"source": ["pod)"]}, "is no name of a label"),
    ],
)
def test_a_template_that_cannot_be_asked_is_refused(options, says):
    with pytest.raises(BadQuery, match=says):
        template(Options(**options))


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"requests": "x"}, "no placeholder that tells versions apart"),
        ({"errors": 'x{v="{nobody}"}'}, r"no \{nobody\}"),
        ({"alive": "{version}"}, "outside of a quoted value"),
        ({"slow": {250: "x `"}}, "has no `"),
    ],
)
def test_a_query_that_cannot_be_asked_is_refused(change, says):
    good: dict[str, Any] = {"requests": 'x{v="{version}"}', "errors": 'y{v="{version}"}', "alive": "up"}
    Queries(**good)
    with pytest.raises(BadQuery, match=says):
        Queries(**good | change)


@pytest.mark.parametrize(
    "queries", [{"requests": 'x{v="{version}"}'}, {"requests": "a", "errors": "b", "alive": "c", "rate": "d"}]
)
def test_queries_are_named(answers, queries):
    with pytest.raises(BadQuery, match="expected requests, errors, alive"):
        connect(answers.url, Access(), Options(queries=queries), SystemClock(), located)


CONVERSION = {"events": 'orders{v="{version}"}', "of": 'sessions{v="{version}"}'}


@pytest.mark.parametrize(
    ("measures", "says"),
    [
        ({"con/version": CONVERSION}, "a measure is called 'con/version'"),
        ({"conversion": {"events": 'x{v="{version}"}'}}, "`events` and one for `of`, or for `gauge`"),
        ({"conversion": "x"}, "`events` and one for `of`, or for `gauge`"),
        ({"heap": {"gauge": "x"}}, "no placeholder that tells versions apart"),
    ],
)
def test_a_measure_that_cannot_be_asked_is_refused(answers, measures, says):
    with pytest.raises(BadQuery, match=says):
        connect(answers.url, Access(), Options("envoy", measures=measures), SystemClock(), located)


def test_a_measure_that_cannot_be_read_spoils_no_request(answers, counting, caplog):
    counting.counted = {"checkout_1-4-1": "7"}
    counting.broken = ("orders",)
    metrics = connect(
        answers.url, Access(), Options("envoy", measures={"conversion": CONVERSION}), SystemClock(), located
    )
    found = metrics.sample([subject("1.4.1")])[subject("1.4.1")]
    assert isinstance(found, Sample)
    assert requests(found) == 7
    assert "503 " in found.lacks["conversion"]
    assert "503 " in caplog.text


def test_each_measure_that_is_not_there_is_told_with_its_reason(answers, counting):
    def reply(asked, handler):
        query = asked.form["query"]
        if "sessions" not in query:
            return counting.reply(asked, handler)
        heap = row("NaN", AT, **{PART: "gauge/heap", "delivery_subject": "0"})
        paid = row("4", AT, **{PART: "of/paid", "delivery_subject": "0"})
        return 200, vector(heap, paid)

    answers.reply = reply
    measures = {"conversion": CONVERSION, "heap": {"gauge": 'h{v="{version}"}'}, "paid": CONVERSION}
    metrics = connect(answers.url, Access(), Options("envoy", measures=measures), SystemClock(), located)
    found = metrics.sample([subject("1.4.1")])[subject("1.4.1")]
    assert isinstance(found, Sample)
    assert found.lacks == {
        "conversion": "its query `of` gives nothing for this version",
        "heap": "a value of it is no count (NaN or infinite)",
    }
    assert counts({}, found).rates == (("paid", 0, 4),)


COPY = Subject(
    target_id("checkout", "prod"), Backend("checkout", VersionRef("1.4.1", "1.4.1").copy_for("rel_1")), Lane.PLAIN
)
BY_VERSION = {"requests": 'r{v="{version}"}', "errors": 'e{v="{version}"}', "alive": "up"}
BY_DEPLOYMENT = {"requests": 'r{d="{workload}"}', "errors": 'e{d="{workload}"}', "alive": "up"}


def test_a_copy_of_stable_is_counted_apart_in_the_same_query(metrics, counting):
    counting.counted = {"checkout_1-4-1": "70", COPY.backend.name: "8"}
    found = metrics.sample([subject("1.4.1"), COPY])
    assert [requests(found[one]) for one in (subject("1.4.1"), COPY)] == [70, 8]
    assert len(counting.samples) == 1


@pytest.mark.parametrize(
    "options",
    [
        Options("http_requests_total"),
        Options("opentelemetry"),
        Options("istio", labels={"v": "{version}"}),
        Options(queries=BY_VERSION),
        Options(queries={**BY_DEPLOYMENT, "errors": 'e{v="{version}"}'}),
    ],
)
def test_where_stable_s_requests_are_among_a_copy_s_nothing_is_told_of_it(answers, options):
    answers.reply = lambda *_: (200, vector(row(str(AT), AT, **{PART: "seen"})))
    metrics = connect(answers.url, Access(), options, SystemClock(), located)
    found = metrics.sample([COPY, subject("1.4.2")])
    reason = found[COPY]
    assert isinstance(reason, Unread)
    assert "a copy of stable" in reason.text
    assert "+copy:" not in "".join(one.form["query"] for one in answers.asked)


def test_a_copy_has_the_measures_that_are_counted_by_deployment(answers, counting):
    def reply(asked, handler):
        asked_for = asked.form["query"]
        if "heap" not in asked_for:
            return counting.reply(asked, handler)
        assert "paid" not in asked_for
        return 200, vector(row("4", AT, **{PART: "gauge/heap", "delivery_subject": "0"}))

    answers.reply = reply
    measures = {"paid": CONVERSION, "heap": {"gauge": 'heap{d="{workload}"}'}}
    found = connect(answers.url, Access(), Options("envoy", measures=measures), SystemClock(), located).sample([COPY])
    sample = found[COPY]
    assert isinstance(sample, Sample)
    assert sample.lacks.keys() == {"paid"}


@pytest.mark.parametrize(
    ("options", "mixed"),
    [
        ({"template": "istio"}, {}),
        ({"template": "istio_envoy"}, {}),
        ({"template": "envoy"}, {}),
        ({"template": "http_requests_total"}, {""}),
        ({"template": "opentelemetry"}, {""}),
        ({"template": "istio", "labels": {"destination_version": "{version}"}}, {""}),
        ({"queries": BY_VERSION}, {""}),
        ({"queries": BY_DEPLOYMENT, "measures": {"heap": {"gauge": 'h{v="{identity}"}'}}}, {"heap"}),
    ],
)
def test_what_cannot_tell_a_copy_is_known_from_the_configuration_alone(options, mixed):
    told = measured("prometheus", {"url": "http://prometheus:9090", **options})
    assert told is not None
    assert told.mixed == frozenset(mixed)


@pytest.mark.parametrize("options", [{"lag": "30s"}, {"stale": 0}, {"seconds": True}, {"tmplate": "istio"}])
def test_the_server_s_configuration_is_checked_before_it_starts(options):
    around = Surroundings("prod", SystemClock(), located)
    with pytest.raises((ValueError, TypeError), match=next(iter(options))):
        METRICS["prometheus"](around, url="http://127.0.0.1:9", **options)


def test_what_is_measured_is_known_from_the_configuration_alone():
    measures = {"paid": CONVERSION, "heap": {"gauge": 'h{v="{version}"}'}}
    told = measured("prometheus", {"url": "http://prometheus:9090", "measures": measures, "bounds": [500, 250]})
    assert told == Measured(frozenset(["paid"]), frozenset(["heap"]), (250, 500), frozenset(["paid", "heap"]))
    assert measured("prometheus", {"url": "http://prometheus:9090"}) == Measured()
    assert measured("prometheus", {"measures": {"paid": "x"}}) is None, "told where the metrics are made"
    assert measured("envoy", {"admin": "127.0.0.1:9"}) == Measured()
    assert measured("memory", {}) is None


@pytest.mark.parametrize("called", ["checkout-1-4-2", "checkout-1.4.2"])
def test_a_version_is_counted_under_whichever_name_its_deployment_has(answers, called):
    place = Place("shop", "checkout", "checkout", Mode.VERSIONED, candidate="checkout-{version}")

    def reply(asked, handler):
        labels = {"destination_workload_namespace": "shop", "destination_workload": called}
        if PART not in asked.form["query"]:
            return 200, vector(row("2", AT, **labels))
        there = called in asked.form["query"].replace("\\", "")
        counted = [row("7", AT, **{PART: "requests", "pod": "a", **labels})] if there else []
        return 200, vector(row(str(AT), AT, **{PART: "seen", "pod": "a"}), *counted)

    answers.reply = reply
    server = Server(answers.url)
    metrics = PrometheusMetrics(server, TEMPLATES["istio"], SystemClock(), lambda _: place)
    asked = subject("1.4.2", Lane.SHADOW)
    found = metrics.sample([asked])[asked]
    assert isinstance(found, Sample)
    assert sum(one.requests for one in found.series.values()) == 7
    server.close()
