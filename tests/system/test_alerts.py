"""The alert rules, judged by Prometheus' own tool."""

import subprocess
from pathlib import Path

from tests.system.conftest import program

FILES = Path(__file__).parents[2] / "deploy" / "chart" / "files"


def promtool(*arguments: str) -> None:
    command = [program("promtool", "prometheus"), *arguments]
    done = subprocess.run(command, cwd=FILES, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr


def test_prometheus_reads_the_rules() -> None:
    promtool("check", "rules", "alerts.yaml")


def test_each_alert_fires_when_it_should_and_only_then() -> None:
    promtool("test", "rules", "alerts.test.yaml")
