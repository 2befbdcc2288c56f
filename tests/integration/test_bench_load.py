"""The benchmark of production's load, in small and whole: PostgreSQL, a broker, the API and a worker as processes."""

import json
import xml.etree.ElementTree as ET

from benchmarks.load import __main__ as bench
from benchmarks.load.world import SharedMesh
from delivery import registry
from delivery.model.ids import ReleaseId, target_id
from delivery.model.traffic import Traffic
from delivery.model.version import Backend, Endpoint, VersionRef
from delivery.ports.mesh import Route, Stamp

SMALL = bench.Course(
    growth=(4,), workers=(), ceiling=(6,), most=1, every=1, window=1.5, rates=(20.0,), within=60.0, together=5
)


def test_it_measures_counts_and_draws(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(bench, "QUICK", SMALL)
    for table in ("MESHES", "WORKLOADS", "METRICS"):  # its adapters take the place of the memory ones in this process
        monkeypatch.setattr(registry, table, getattr(registry, table))
    text, plain, plot = (tmp_path / name for name in ("load.md", "load.json", "load.svg"))
    assert bench.main(["--quick", "--markdown", str(text), "--json", str(plain), "--plot", str(plot)]) == 0
    found = json.loads(plain.read_text())
    assert found["quick"]
    (row,) = found["growth"]
    assert (row["releases"], row["workers"]) == (4, 1)
    assert all(row[name] > 0 for name in ("ticks", "turns", "pss"))
    assert [one["offered"] for _, one in found["intake"]] == [20.0]
    assert [one["releases"] for one in found["ceiling"]] == [6]
    _counts(found["lives"])
    assert text.read_text() in capsys.readouterr().out
    assert "| 4 | 1 |" in text.read_text()
    ET.parse(plot)


def _counts(lives):
    """Exact on every machine: many together cost the database hardly more statements than one."""
    alone, together = ([one for one in lives if one["releases"] == number] for number in (1, 5))
    tick, many = (next(one for one in each if one["name"] == "any other tick") for each in (alone, together))
    assert 0 < tick["statements"] <= many["statements"] <= 3 * tick["statements"]
    assert (tick["mesh"], tick["metrics"], many["metrics"]) == (0, 1, 1)


def test_processes_see_one_mesh(tmp_path):
    one, other = SharedMesh(tmp_path / "mesh"), SharedMesh(tmp_path / "mesh")
    target, version = target_id("shop", "local"), VersionRef.of("1")
    backend = Backend("shop", version)
    assert one.publish(target, backend, (Endpoint("127.0.0.1", 1),))
    route = Route(target, "shop", backend, backend, Traffic(weight=5), tag="1")
    stamp = Stamp(1, ReleaseId("rel_1"), 1, 1, "head")
    assert other.observe() == {}
    one.write(route, stamp, other.read(target).revision)
    assert other.read(target) == one.read(target)
    assert other.observe() == one.observe() != {}
    assert other.confirm(target, ReleaseId("rel_1"), 1).proven
    assert SharedMesh(tmp_path / "mesh").read(target) == one.read(target)
