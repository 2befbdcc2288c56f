"""What counts as proof: a clock known by whole seconds, pushes after a change, gateways' answers, and time."""

import json
import math
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler

import pytest
from hypothesis import given
from hypothesis import strategies as some

from delivery.adapters.mesh.istio import metrics, proof
from delivery.adapters.mesh.istio.clock import RemoteClock, Span
from delivery.adapters.mesh.istio.istiod import ASKS, EXACT, ROUTER, ROUTES, SIDECAR, Istiods, Sent, Synced
from delivery.adapters.mesh.istio.proof import Exposed, Gateway, Proof, exposed
from delivery.adapters.mesh.istio.proxies import Fixed
from delivery.adapters.mesh.istio.pushes import spread
from delivery.model.event import Level
from delivery.ports.errors import Unavailable
from tests.serving import serving

CHANGE = Span(100.0, 100.02)
LEAST = ("rel_1", 5, 7)


@given(some.floats(1e9, 2e9), some.floats(0, 1e5), some.floats(0, 0.001))
def test_a_clock_is_known_within_milliseconds_after_a_few_answers(offset, begun, takes):
    clock, now, asks = RemoteClock(), begun, 0
    while clock.uncertainty(now) > EXACT:
        now = max(now, clock.next_edge(now))
        clock.hear(now, now + takes, math.floor(now + takes / 2 + offset))
        now += takes
        asks += 1
        assert asks <= ASKS
        span = clock.ours(now + offset, now)
        assert span.first - 1e-6 <= now <= span.last + 1e-6, "the truth is never outside"


def test_a_clock_that_was_set_is_learned_anew():
    clock = RemoteClock()
    assert clock.ours(5.0, 0.0) == Span(-math.inf, math.inf)
    clock.hear(10.0, 10.0, 1000)
    clock.hear(11.0, 11.0, 5000)
    assert clock.ours(5000.5, 11.0) == Span(10.5, 11.5)
    assert clock.uncertainty(1011.0) == pytest.approx(1.2), "clocks move apart while nobody asks"


def sent(first, *, acked=True, error="", last=None):
    return Sent(Span(first, first if last is None else last), acked, error)


def proxy(name, *pushes, kind=SIDECAR):
    return Synced(name, kind, dict(zip((ROUTES, "cds"), pushes, strict=False)))


@pytest.mark.parametrize(
    ("push", "part"),
    [
        (sent(100.02), None),
        (sent(100.01), "unclear"),  # acknowledged, but perhaps without the change
        (sent(99.9, last=100.3), "unclear"),
        (sent(99.0), "untouched"),
        (sent(100.5, acked=False), "missing"),
        (sent(99.0, acked=False), "missing"),
        (sent(99.0, error="no"), "missing"),
        (None, "untouched"),
    ],
)
def test_only_what_was_sent_after_the_change_proves_it(push, part):
    found = spread([Synced("a", SIDECAR, {ROUTES: push} if push else {})], CHANGE, (ROUTES,), (SIDECAR,))
    parts = {name for name in ("missing", "untouched", "unclear") if getattr(found, name) == ("a",)}
    assert parts == ({part} if part else set())


def test_every_kind_has_to_arrive_and_only_proxies_that_are_concerned_count():
    late = proxy("late", sent(101), sent(99))
    gateway = proxy("gw", sent(50, acked=False), kind=ROUTER)
    found = spread([late, gateway], CHANGE, (ROUTES, "cds"), (SIDECAR,))
    assert (found.proxies, found.missing, found.untouched) == (("late",), (), ("late",))
    assert spread([late, gateway], CHANGE, (ROUTES,), (SIDECAR, ROUTER)).missing == ("gw",)


def test_a_refusal_from_before_the_change_is_not_held_against_it():
    assert spread([proxy("a", sent(99, error="bad"))], CHANGE, (ROUTES,), (SIDECAR,)).refused is None
    assert spread([proxy("a", sent(101, error="bad"))], CHANGE, (ROUTES,), (SIDECAR,)).refused == "a: bad"
    unclear = sent(99.9, error="bad", last=100.1)
    assert spread([proxy("a", unclear)], CHANGE, (ROUTES,), (SIDECAR,)).refused == "a: bad"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("route:  unknown\n cluster", "route: unknown cluster"),
        (
            'goo.gle/debugonly \nname: "x"\nsecret {\n}\n: Proto constraint validation failed',
            "Proto constraint validation",
        ),
        ('goo.gle/debugstr \nname: "x"\nsecret {\n...(truncated)', "the proxy's own log has it"),
        (9999 * "x", "x"),
    ],
)
def test_a_refusal_has_the_reason_and_not_the_configuration(text, told):
    refused = spread([proxy("a", sent(101, error=text))], CHANGE, (ROUTES,), (SIDECAR,)).refused or ""
    assert refused.startswith("a: ")
    assert told in refused
    assert "secret" not in refused
    assert len(refused) < 1100


def test_istiods_counters_are_summed_over_replicas():
    text = """
# TYPE pilot_total_xds_rejects counter
pilot_total_xds_rejects{type="rds"} 2
pilot_total_xds_rejects{type="cds"} 1
pilot_proxy_convergence_time_bucket{le="0.1"} 98
pilot_proxy_convergence_time_bucket{le="0.5"} 99
pilot_proxy_convergence_time_bucket{le="+Inf"} 100
"""
    assert metrics.total([text, text]) == metrics.Told(6.0, 0.5)
    assert metrics.total(["nothing 1"]) == metrics.Told(0.0, 0.0)


class FakeIstiod:
    """Says what it is told to."""

    def __init__(self):
        self.asked = 0
        self.address = ""
        self.status, self.proxies, self.metrics = 200, [], "pilot_total_xds_rejects 0\n"

    def answer(self, path):
        if path == "/debug/syncz":
            self.asked += 1
            return self.status, json.dumps(self.proxies)
        return 200, self.metrics if path == "/metrics" else "version"


@contextmanager
def answering(answer):
    """A server on a free port; `answer(path)` gives status and body."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            status, body = answer(self.path)
            self.send_response(status)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, *arguments):
            pass

    with serving(Handler) as port:
        yield f"127.0.0.1:{port}"


@pytest.fixture
def istiod():
    fake = FakeIstiod()
    with answering(fake.answer) as address:
        fake.address = address
        yield fake


def entry(name, at, kind="sidecar", acked=True, error=None):
    stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(at)) + f"{at % 1:.9f}"[1:] + "Z"
    told = {"sent": "2", "acked": "2" if acked else "1", "sentTime": stamp, **({"lastError": error} if error else {})}
    return {"proxy": name, "proxy_type": kind, "resources": {ROUTES: told}}


def mesh_only():
    return [Exposed(frozenset({"mesh"}), "checkout", "/", "s")]


def ago(seconds):
    at = time.monotonic() - seconds
    return Span(at - 0.01, at)


def by(istiod):
    """Asked anew: answers are kept for a moment."""
    return Proof({}, Istiods(Fixed((istiod.address,))))


def test_sidecars_are_proven_by_what_they_acknowledged(istiod):
    now = time.time()
    istiod.proxies = [entry("a.shop", now - 2), entry("b.shop", now - 2), entry("gw.istio-system", now - 99, ROUTER)]
    found = by(istiod).routes(mesh_only(), LEAST, ago(5))
    assert (found.proven, found.level, found.proxies) == (True, Level.ACKED, 2)
    istiod.proxies[1] = entry("b.shop", now - 2, acked=False)
    found = by(istiod).routes(mesh_only(), LEAST, ago(5))
    assert (found.proven, found.missing) == (False, ("b.shop",))
    istiod.proxies[1] = entry("b.shop", now - 2, acked=False, error="route: unknown cluster")
    assert by(istiod).routes(mesh_only(), LEAST, ago(5)).refused == "b.shop: route: unknown cluster"


def test_the_answer_about_all_proxies_is_kept_for_a_moment_and_never_proves_what_came_after_it(istiod):
    asked = by(istiod)
    for _ in range(5):
        assert not asked.routes(mesh_only(), LEAST, ago(1)).missing
    assert istiod.asked == 1
    istiod.proxies = [entry("a.shop", time.time() + 9)]
    assert asked.routes(mesh_only(), LEAST, ago(0)).proxies == 0


def test_a_proxy_that_nothing_was_sent_to_for_long_is_only_settled(istiod):
    istiod.proxies = [entry("a.shop", time.time() - 99)]
    found = by(istiod).routes(mesh_only(), LEAST, ago(5))
    assert (found.proven, found.missing) == (False, ("a.shop",))
    old = ago(proof.DEBOUNCE + proof.SLACK + 1)
    found = by(istiod).routes(mesh_only(), LEAST, old)
    assert (found.proven, found.level) == (True, Level.SETTLED)
    istiod.proxies = [entry("a.shop", time.time() - (time.monotonic() - old.last))]
    found = by(istiod).routes(mesh_only(), LEAST, old)
    assert (found.proven, found.level) == (True, Level.ACKED), "it was not told again: what it was told had the change"


@contextmanager
def silent():
    """An address at which nobody listens any more."""
    with answering(lambda path: (200, "")) as address:
        pass
    yield address


def of(*addresses):
    return Proof({}, Istiods(Fixed(addresses)))


def test_a_replica_that_does_not_answer_is_named_and_nothing_is_proven_meanwhile(istiod):
    """Whom it serves is not known: a proxy that hangs on it may still run the old configuration."""
    istiod.proxies = [entry("a.shop", time.time() - 2)]
    with silent() as address:
        found = of(address, istiod.address).routes(mesh_only(), LEAST, ago(5))
        assert (found.proven, found.missing) == (False, (f"istiod at {address}",))
        old = ago(proof.DEBOUNCE + proof.SLACK + 1)
        assert not of(istiod.address, address).routes(mesh_only(), LEAST, old).proven, "time alone proves it neither"
        with pytest.raises(Unavailable, match="does not answer: what the proxies know that it serves cannot be told"):
            of(istiod.address, address).backends(ago(5), "shop/a@1")
        with pytest.raises(Unavailable, match="does not answer"):
            of(address).routes(mesh_only(), LEAST, ago(5))


def test_of_a_proxy_that_went_to_another_replica_the_newest_is_told(istiod):
    now = time.time()
    istiod.proxies = [entry("a.shop", now - 60, acked=False)]
    other = FakeIstiod()
    other.proxies = [entry("a.shop", now - 2)]
    with answering(other.answer) as address:
        for pair in ((istiod.address, address), (address, istiod.address)):
            found = of(*pair).routes(mesh_only(), LEAST, ago(5))
            assert (found.proven, found.level, found.proxies) == (True, Level.ACKED, 1)


def test_an_istiod_without_a_replica_is_an_outage_and_no_proof():
    with pytest.raises(Unavailable, match="no replica of istiod"):
        of().routes(mesh_only(), LEAST, ago(5))


@pytest.mark.parametrize("status", [401, 403])
def test_where_istiod_does_not_tell_only_time_does_and_a_refusal_is_seen(istiod, status):
    istiod.status = status
    asked = by(istiod)
    assert not asked.routes(mesh_only(), LEAST, ago(1)).proven
    found = asked.routes(mesh_only(), LEAST, ago(proof.DEBOUNCE + 1))
    assert (found.proven, found.level) == (True, Level.SETTLED)
    istiod.metrics = "pilot_total_xds_rejects 1\n"
    assert not asked.routes(mesh_only(), LEAST, ago(proof.DEBOUNCE + 1)).proven


def test_a_refusal_of_somebody_elses_keeps_no_backend_from_being_known_that_is_written_later(istiod):
    """It was counted against every backend that this process ever asked after from then on: no release began again."""
    istiod.status, old = 403, ago(proof.DEBOUNCE + 1)
    asked = by(istiod)
    assert asked.backends(old, "shop/checkout-a@1")
    istiod.metrics = "pilot_total_xds_rejects 1\n"
    assert not asked.backends(old, "shop/checkout-a@1"), "it may have been this one"
    assert asked.backends(old, "shop/checkout-b@2")


def test_a_refusal_is_seen_also_after_a_replica_has_begun_to_count_anew(istiod):
    istiod.status, istiod.metrics = 403, "pilot_total_xds_rejects 7\n"
    asked, old = by(istiod), ago(proof.DEBOUNCE + 1)
    assert asked.routes(mesh_only(), LEAST, old).proven
    istiod.metrics = "pilot_total_xds_rejects 0\n"
    assert asked.routes(mesh_only(), LEAST, old).proven
    istiod.metrics = "pilot_total_xds_rejects 1\n"
    assert not asked.routes(mesh_only(), LEAST, old).proven


@pytest.mark.parametrize("told", [None, "no", {"a": 1}, [{"resources": {ROUTES: "x"}}], [{"resources": {}}]])
def test_an_istiod_that_tells_something_else_is_an_outage_and_no_fault_of_ours(istiod, told):
    istiod.proxies = told
    if told is None:  # no proxy is connected
        assert by(istiod).routes(mesh_only(), LEAST, ago(5)).proxies == 0
        return
    with pytest.raises(Unavailable, match="with something else"):
        by(istiod).routes(mesh_only(), LEAST, ago(5))


def test_where_nobody_can_be_asked_it_is_only_written():
    found = Proof({}, None).routes(mesh_only(), LEAST, ago(1))
    assert (found.proven, found.level) == (False, Level.WRITTEN)
    found = Proof({}, None).routes(mesh_only(), LEAST, ago(proof.DEBOUNCE + proof.SLACK + 1))
    assert (found.proven, found.level) == (True, Level.WRITTEN)


@pytest.mark.parametrize(
    ("marker", "proven"),
    [
        ("rel_1/5/7", True),
        ("rel_1/6/8", True),
        ("rel_1/4/7", False),
        ("rel_1/5/6", False),
        ("rel_2/5/7", False),
        ("x", False),
    ],
)
def test_a_gateway_is_proven_by_its_own_answer(marker, proven):
    with answering(lambda path: (200, marker)) as address, answering(lambda path: (404, "")) as other:
        at = Exposed(frozenset({"istio-system/ingress"}), "checkout", "/", "s")
        one = Proof({"istio-system/ingress": Gateway(Fixed((address,)))}, None)
        found = one.routes([at], LEAST, ago(1))
        assert (found.proven, found.level, found.proxies) == (proven, Level.PROBED, 1)
        two = Proof({"istio-system/ingress": Gateway(Fixed((address, other)))}, None)
        assert other in two.routes([at], LEAST, ago(1)).missing


def test_the_level_is_that_of_the_weakest_part():
    with answering(lambda path: (200, "rel_1/5/7")) as address:
        asked = Proof({"istio-system/ingress": Gateway(Fixed((address,)))}, None)
        at = Exposed(frozenset({"istio-system/ingress", "mesh"}), "checkout", "/", "s")
        assert not asked.routes([at], LEAST, ago(1)).proven
        found = asked.routes([at], LEAST, ago(proof.DEBOUNCE + proof.SLACK + 1))
        assert (found.proven, found.level) == (True, Level.WRITTEN)


def test_gateways_that_do_not_answer_at_all_are_an_outage():
    with answering(lambda path: (200, "")) as address:
        pass
    at = Exposed(frozenset({"istio-system/ingress"}), "checkout", "/", "s")
    with pytest.raises(Unavailable, match="does not answer"):
        Proof({"istio-system/ingress": Gateway(Fixed((address,)))}, None).routes([at], LEAST, ago(1))


def virtual_service(name, namespace="shop", **spec):
    return {"metadata": {"name": name, "namespace": namespace}, "spec": spec}


def test_hosts_and_gateways_are_those_that_proxies_know():
    found = exposed(virtual_service("a", hosts=["*.example.com"], gateways=["ingress", "mesh"]), (), "s")
    assert found == [Exposed(frozenset({"shop/ingress", "mesh"}), "probe.example.com", proof.PROBE_PATH, "s")]
    assert exposed(virtual_service("a", hosts=["*"]), (), "s")[0] == Exposed(
        frozenset({"mesh"}), "probe.invalid", proof.PROBE_PATH, "s"
    )


def test_a_delegate_is_asked_for_through_its_roots():
    delegate = virtual_service("checkout", http=[])
    to = {"match": [{"uri": {"prefix": "/shop"}}], "delegate": {"name": "checkout", "namespace": "shop"}}
    root = virtual_service("root", "front", hosts=["example.com"], gateways=["ingress"], http=[{"route": []}, to])
    same_name = virtual_service("other", "elsewhere", hosts=["b.com"], http=[{"delegate": {"name": "checkout"}}])
    found = exposed(delegate, [root, same_name, delegate], "s")
    assert found == [Exposed(frozenset({"front/ingress"}), "example.com", "/shop/.delivery-probe", "s")]
