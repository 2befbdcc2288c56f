"""What one command needs, no other one waits for."""

import subprocess
import sys

SLOW = {"alembic", "celery", "fastapi", "kubernetes", "opentelemetry", "sqlalchemy", "uvicorn"}


def test_the_command_starts_without_the_libraries_of_the_server_and_of_clusters():
    ran = subprocess.run(
        [sys.executable, "-c", "import sys, delivery.cli.main; print(*sys.modules)"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert "delivery.cli.adopt" in ran.stdout.split()
    assert SLOW.intersection(ran.stdout.split()) == set()
