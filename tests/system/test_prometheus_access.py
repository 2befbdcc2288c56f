"""How a worker proves itself to Prometheus is changed while both count, as the runbook says."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from delivery.adapters.metrics.prometheus.server import Access, Server
from delivery.model.series import Why
from delivery.ports.metrics import Unmeasured
from tests.prometheus import Prometheus

RUNBOOK = (Path(__file__).parents[2] / "docs" / "runbook.md").read_text()
SAID = "token or password of Prometheus | both count for a while: change the file or the Secret, restart the workers |"
OLD = {"old": "$2b$04$XrE15bvc53qkN50xX1ISYeiutwRcNKndZPAwZ.UmUoQqCJtG93vi6"}  # bcrypt of the name itself
NEW = {"new": "$2b$04$F92a0rXpSVcxNvQgCmC7QeI0oy8odZwpzUPEa2HQktwxRt.0LIZPm"}


@pytest.fixture
def prometheus(tmp_path: Path) -> Iterator[Prometheus]:
    found = Prometheus(tmp_path, [], OLD)
    found.start()
    yield found
    found.stop()


def asked(prometheus: Prometheus, name: str) -> Server:
    return Server(prometheus.url, Access(username=name, password=name))


def test_the_old_password_counts_until_it_is_taken_out(prometheus: Prometheus) -> None:
    """What is refused is no measurement, with its reason: a hold, and no release goes back."""
    assert SAID in RUNBOOK
    running, restarted = asked(prometheus, "old"), asked(prometheus, "new")
    try:
        assert running.query("vector(1)")
        prometheus.lets_in(OLD | NEW)
        assert running.query("vector(1)")
        assert restarted.query("vector(1)")
        prometheus.lets_in(NEW)
        with pytest.raises(Unmeasured, match=r"refuses us \(401\)") as refused:
            running.query("vector(1)")
        assert refused.value.why is Why.REFUSED
        assert restarted.query("vector(1)")
    finally:
        running.close()
        restarted.close()
