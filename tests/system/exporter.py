"""What a Prometheus scrapes where a test says itself what was counted."""

from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler
from pathlib import Path

from delivery.adapters.clock.system import SystemClock
from delivery.adapters.metrics.prometheus.configured import Options, connect
from delivery.adapters.metrics.prometheus.server import Access
from delivery.model.place import Place
from tests.cluster.testbed.process import wait_until
from tests.prometheus import Prometheus
from tests.serving import serving

INTERVAL = "200ms"
LIMIT = 20.0


class Exporter:
    """`says` is the exposition text, or None where it does not answer."""

    def __init__(self) -> None:
        self.says: str | None = ""

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                text = exporter.says
                self.send_response(503 if text is None else 200)
                body = (text or "").encode()
                self.send_header("content-type", "text/plain; version=0.0.4")
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *args: object) -> None:
                pass

        exporter = self
        self._stack = ExitStack()
        self.address = f"127.0.0.1:{self._stack.enter_context(serving(Handler))}"

    def close(self) -> None:
        self._stack.close()


class Scraped:
    """Two exporters and the Prometheus that scrapes them; `twice`: another job scrapes the first one again."""

    def __init__(self, directory: Path, twice: bool = False) -> None:
        self.exporters = [Exporter(), Exporter()]
        jobs = [self._job("pods", [one.address for one in self.exporters])]
        if twice:
            jobs.append(self._job("again", [self.exporters[0].address]))
        self.prometheus = Prometheus(directory, jobs)
        self.prometheus.start()
        self._marks, self._twice = 0, twice

    @staticmethod
    def _job(name: str, targets: list[str]) -> dict[str, object]:
        return {
            "job_name": name,
            "honor_labels": True,
            "scrape_interval": INTERVAL,
            "scrape_timeout": INTERVAL,
            "static_configs": [{"targets": targets}],
        }

    def say(self, *texts: str | None) -> None:
        """Returns when Prometheus has it, or knows that an exporter is away."""
        self._marks += 1
        for exporter, text in zip(self.exporters, texts, strict=True):
            exporter.says = None if text is None else f"{text}\nmark {self._marks}\n"
        scrapes = sum(text is not None for text in texts) + (self._twice and texts[0] is not None)

        def scraped() -> bool:
            return list(self.prometheus.query("mark").values()) == [float(self._marks)] * scrapes

        wait_until("a scrape", scraped, LIMIT)

    def metrics(self, place: Place | None = None, **options: object):
        """The adapter as the server's configuration makes it."""

        def locate(target: object) -> Place:
            assert place is not None, f"nobody needs a place of {target}"
            return place

        return connect(self.prometheus.url, Access(), Options(**options), SystemClock(), locate)  # type: ignore[arg-type]

    def close(self) -> None:
        self.prometheus.stop()
        for exporter in self.exporters:
            exporter.close()
