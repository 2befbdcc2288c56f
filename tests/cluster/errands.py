"""Suspended CronJobs as a chart keeps them for hooks; what their Jobs do is a small program of the test's."""

import sys
from pathlib import Path

from delivery.adapters.kube.objects import Document

WAITS = """
import os, pathlib, sys, time
folder = pathlib.Path(sys.argv[1])
name = os.environ["DELIVERY_KEY"]
facts = {key: value for key, value in os.environ.items() if key.startswith("DELIVERY_")}
(folder / f"{name}.made-{os.getpid()}").write_text(repr(facts))
end = folder / f"{name}.end"
while not end.exists():
    time.sleep(0.02)
said, _, text = end.read_text().partition("\\n")
print(text, file=sys.stderr, flush=True)
sys.exit(0 if said == "ok" else 3)
"""
"""Says that it began, ends when a file says so and as that says. The file is there whole, by a rename."""


def cron_job(namespace: str, name: str, command: list[str], *, suspend: bool = True, **labels: str) -> Document:
    container = {"name": "run", "image": "registry.example/checkout:latest", "command": command}
    pod = {"metadata": {"labels": labels}, "spec": {"restartPolicy": "Never", "containers": [container]}}
    return {
        "apiVersion": "batch/v1",
        "kind": "CronJob",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"schedule": "0 0 1 1 *", "suspend": suspend, "jobTemplate": {"spec": {"template": pod}}},
    }


def python(program: str, *arguments: str) -> list[str]:
    return [sys.executable, "-c", program, *arguments]


def waits(folder: Path) -> list[str]:
    """The command of a container that does what WAITS says."""
    return python(WAITS, str(folder))


def end(folder: Path, key: str, ok: bool, text: str) -> None:
    """Ends what waits, by the key of its attempt."""
    new = folder / f"{key}.new"
    new.write_text(f"{'ok' if ok else 'failed'}\n{text}")
    new.rename(folder / f"{key}.end")
