"""Debian's Prometheus for tests: started with what it is to scrape, asked in PromQL, ended."""

import json
import shutil
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from delivery.sandbox.ports import HOST, free_port
from tests.cluster.testbed.process import CannotRun, Process

START_SECONDS = 30.0
INTERVAL = "1s"

Labels = frozenset[tuple[str, str]]


class Prometheus:
    """`jobs` are scrape configurations as Prometheus reads them; each is scraped every INTERVAL.

    `users` are asked for: bcrypt hashes of passwords by name, which `lets_in` changes. Made in a thread that lives as
    long as the server is to live.
    """

    def __init__(self, folder: Path, jobs: Sequence[dict[str, Any]], users: Mapping[str, str] | None = None) -> None:
        self._folder = folder
        self._access = folder / "web.yml" if users is not None else None
        self.lets_in(users or {})
        self._jobs = jobs
        self.port = free_port()
        self.url = f"http://{HOST}:{self.port}"
        self.process: Process | None = None

    def start(self) -> None:
        """Returns when it answers. Raises CannotRun."""
        program = shutil.which("prometheus")
        if program is None:
            raise CannotRun(
                "there is no prometheus; on Debian or Ubuntu: apt-get install --no-install-recommends prometheus"
            )
        config = self._folder / "prometheus.yml"
        # Every YAML reader reads JSON.
        config.write_text(json.dumps({"global": {"scrape_interval": INTERVAL}, "scrape_configs": [*self._jobs]}))
        command = [program, f"--config.file={config}", f"--storage.tsdb.path={self._folder / 'prometheus'}"]
        command += [f"--web.listen-address={HOST}:{self.port}", "--log.level=warn"]
        command += [f"--web.config.file={self._access}"] if self._access is not None else []
        self.process = Process("prometheus", command, self._folder / "prometheus.log")
        self.process.wait(self._is_ready, START_SECONDS)

    def lets_in(self, users: Mapping[str, str]) -> None:
        """It reads this again for every request."""
        if self._access is not None:
            new = self._access.with_suffix(".new")
            new.write_text(json.dumps({"basic_auth_users": dict(users)}))
            new.rename(self._access)

    def stop(self) -> None:
        """Idempotent; `start` may follow, on the same port and data."""
        if self.process is not None:
            self.process.stop()
            self.process = None

    def query(self, expression: str) -> dict[Labels, float]:
        """An instant vector, by labels; a scalar has none. Raises OSError where it does not answer or understand."""
        result = self._get("/api/v1/query", query=expression)["data"]
        if result["resultType"] == "scalar":
            return {frozenset(): float(result["result"][1])}
        return {frozenset(one["metric"].items()): float(one["value"][1]) for one in result["result"]}

    def total(self, expression: str) -> float:
        """The sum of what a query gives; 0 where it gives nothing."""
        return sum(self.query(expression).values())

    def up(self, job: str) -> int:
        """How many targets of a job it scrapes with success."""
        return int(self.total(f'up{{job="{job}"}}'))

    def _is_ready(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/-/ready", timeout=2) as answer:
                return bool(answer.status == 200)
        except urllib.error.HTTPError as error:
            return error.code == 401 and self._access is not None
        except OSError:
            return False

    def _get(self, path: str, **query: str) -> Any:
        address = f"{self.url}{path}?{urllib.parse.urlencode(query)}"
        with urllib.request.urlopen(address, timeout=5) as answer:
            return json.load(answer)
