"""`delivery gate replay` on a real Prometheus with a past: blocks that promtool made."""

import json
import time

import pytest

from delivery.cli.main import run
from tests.prometheus import Prometheus
from tests.system.past_data import STEP, Service, make_blocks

DAYS = 1.5
SERVICES = [
    Service("checkout", rps=20, errors=0.003, gap=0.02, restarts=True),
    Service("bursty", rps=20, errors=0.003, burst=20),
    Service("podful", rps=8, errors=0.003, pods=6),
]
FILE = """\
service: checkout
cluster: local
workload: {process: checkout}
strategies: [{canary: {steps: [10%, 50%], bake: 5m, gates: [errors, slow, strict]}}]
gates:
  errors: {ratio: http_errors}
  slow: {latency: http_duration, above: 500ms}
  strict: {threshold: http_success_rate, at_least: 99.7%, over: 1m, failure_limit: 0}
"""


@pytest.fixture(scope="module")
def prometheus(tmp_path_factory):
    folder = tmp_path_factory.mktemp("past")
    end = int(time.time()) // STEP * STEP
    make_blocks(folder / "prometheus", SERVICES, end - int(DAYS * 86_400), end)
    server = Prometheus(folder, [])
    server.start()
    yield server
    server.stop()


@pytest.fixture
def replayed(prometheus, capsys, monkeypatch, tmp_path):
    """With nothing configured: no profile, no server, no file."""
    for name in ("DELIVERY_URL", "DELIVERY_TOKEN", "DELIVERY_CONFIG", "DELIVERY_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))

    def call(service, *more, since="36h"):
        code = run(["gate", "replay", "--prometheus", prometheus.url, "--service", service, "--since", since, *more])
        said = capsys.readouterr()
        return code, said.out, said.err

    return call


def test_a_calm_service(replayed):
    code, out, err = replayed("checkout", "-o", "json")
    assert (code, err) == (0, "")
    told = json.loads(out)
    assert told["source"]["template"] == "http_requests_total"
    assert told["tick_seconds"] == 30
    assert told["measured"] == pytest.approx(0.98, abs=0.01)
    assert told["requests_per_second"] == pytest.approx(40, rel=0.02)
    assert told["errors"] / told["requests"] == pytest.approx(0.003, rel=0.05)
    (errors,) = told["nature"]
    assert errors["dispersion"] == pytest.approx(1, abs=0.1)
    ratio, today = told["gates"]
    assert ratio["gate"] == "errors"
    assert ratio["false_rollbacks"]["interval"][0] <= ratio["budget"]
    assert [one["power"] for one in ratio["regressions"]][1:] == [1, 1]
    assert today["today"]


def test_a_restart_of_a_pod_is_no_burst_of_requests(replayed):
    """The counters of one pod begin again at 0 in the middle; a sum over pods would lose or invent thousands."""
    told = json.loads(replayed("checkout", "-o", "json")[1])
    assert max(one["rps"] for one in told["history"]) < 45


def test_errors_in_bursts(replayed):
    told = json.loads(replayed("bursty", "-o", "json")[1])
    assert told["nature"][0]["dispersion"] == pytest.approx(20, rel=0.15)
    ratio, today = told["gates"]
    assert ratio["false_rollbacks"]["interval"][0] <= 0.05
    assert today["verdict"] == "over"
    assert told["refused"] == []


def test_pods_are_divided_where_there_are_enough(replayed):
    assert json.loads(replayed("podful", "-o", "json")[1])["split_by"] == "pods"


def test_a_file_s_own_gates_and_one_that_is_refused(replayed, tmp_path):
    (tmp_path / "service.yaml").write_text(FILE)
    page = tmp_path / "report.html"
    code, out, _ = replayed("checkout", "-f", str(tmp_path / "service.yaml"), "--html", str(page))
    assert code == 1
    assert "strict rolls back more healthy releases than its budget" in out
    assert "slower than 500 ms: 2 %" in out
    assert page.read_text().count("<svg") == 5
    code, _, _ = replayed("checkout", "-f", str(tmp_path / "service.yaml"), "--allow", "strict")
    assert code == 0


@pytest.mark.parametrize(
    ("more", "says"),
    [
        (["--template", "istio"], "nothing of a service checkout is found by: istio"),
        (["--where", "namespace=elsewhere"], "nothing of a service checkout is found by"),
        (["--template", "graphite"], "there is no template 'graphite'"),
        (["--today", "often"], "at_least"),
    ],
)
def test_what_cannot_be_replayed_says_why(replayed, more, says):
    code, out, err = replayed("checkout", *more)
    assert (code, out) == (1, "")
    assert says in err


def test_a_past_that_is_too_short(replayed):
    code, _, err = replayed("checkout", since="20m")
    assert code == 1
    assert "shorter than one release" in err


def test_nobody_there(replayed):
    code = run(["gate", "replay", "--prometheus", "http://127.0.0.1:9", "--service", "checkout"])
    assert code == 1
