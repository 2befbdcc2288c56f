"""A real Chromium, driven by its DevTools protocol: a person's keys, screen and settings, and what they get."""

import base64
import contextlib
import json
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import websocket

from tests.system.conftest import program

SECONDS = 60.0
# Without these it looks up its maker's hosts at every start; root needs the first.
QUIET = (
    "--no-sandbox",
    "--headless",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost",
)
_KEYS = {
    "Tab": (9, ""),
    "Enter": (13, "\r"),
    "Escape": (27, ""),
    " ": (32, " "),
}
_SHIFT = 8


class NotSeen(AssertionError):
    """What was waited for did not come."""


class Tab:
    """One page of the browser. Raises NotSeen where something does not come within SECONDS."""

    def __init__(self, url: str) -> None:
        self._socket = websocket.create_connection(url, timeout=SECONDS, suppress_origin=True)
        self._number = 0
        self.failures: list[str] = []
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.send(f"{domain}.enable")

    def close(self) -> None:
        self._socket.close()

    def send(self, method: str, **params: Any) -> dict[str, Any]:
        """The result of a command of the protocol. What the page complains of meanwhile is kept in `failures`."""
        self._number += 1
        self._socket.send(json.dumps({"id": self._number, "method": method, "params": params}))
        while True:
            said = json.loads(self._socket.recv())
            if said.get("id") == self._number:
                if "error" in said:
                    raise RuntimeError(f"{method}: {said['error']}")
                result: dict[str, Any] = said["result"]
                return result
            self._heard(said)

    def _heard(self, said: dict[str, Any]) -> None:
        match said.get("method"):
            case "Runtime.exceptionThrown":
                self.failures.append(json.dumps(said["params"]["exceptionDetails"]))
            case "Log.entryAdded" if said["params"]["entry"]["level"] == "error":
                self.failures.append(json.dumps(said["params"]["entry"]))

    def open(self, url: str) -> None:
        self.send("Page.navigate", url=url)
        self.wait(f"document.readyState === 'complete' && location.href !== 'about:blank' /* {url} */")

    def run(self, script: str) -> Any:
        """The value of an expression in the page, of a promise too."""
        answer = self.send("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in answer:
            raise RuntimeError(f"{script}: {answer['exceptionDetails']}")
        return answer["result"].get("value")

    def wait(self, condition: str) -> None:
        """Until an expression is true, over loads of the page too."""
        end = time.monotonic() + SECONDS
        while time.monotonic() < end:
            with contextlib.suppress(RuntimeError):  # between two pages there is nothing to ask
                if self.run(f"Boolean({condition})"):
                    return
            time.sleep(0.02)
        raise NotSeen(f"{condition}\n{self.text()}")

    def see(self, text: str) -> None:
        """Until the page shows a text."""
        self.wait(f"document.body && document.body.innerText.includes({json.dumps(text)})")

    def text(self) -> str:
        return str(self.run("document.body ? document.body.innerText : ''"))

    def press(self, key: str, *, shift: bool = False) -> None:
        """A key of the keyboard, down and up."""
        code, text = _KEYS[key]
        common = {"key": key, "code": "Space" if key == " " else key, "windowsVirtualKeyCode": code}
        modifiers = _SHIFT if shift else 0
        down = "keyDown" if text else "rawKeyDown"
        self.send("Input.dispatchKeyEvent", type=down, text=text, modifiers=modifiers, **common)
        self.send("Input.dispatchKeyEvent", type="keyUp", modifiers=modifiers, **common)

    def type(self, text: str) -> None:
        self.send("Input.insertText", text=text)

    def screen(self, width: int, height: int = 800) -> None:
        """A phone below 600 pixels."""
        self.send(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 600
        )

    def prefers(self, **features: str) -> None:
        """Settings of the person, such as color_scheme="dark", reduced_motion="reduce"."""
        wanted = [{"name": f"prefers-{name.replace('_', '-')}", "value": value} for name, value in features.items()]
        self.send("Emulation.setEmulatedMedia", features=wanted)

    def trust_everybody(self) -> None:
        """Certificates of whomever count."""
        self.send("Security.setIgnoreCertificateErrors", ignore=True)

    def cookies(self) -> dict[str, dict[str, Any]]:
        """What the browser keeps, by name."""
        return {one["name"]: one for one in self.send("Network.getAllCookies")["cookies"]}

    def without_scripts(self) -> None:
        self.send("Emulation.setScriptExecutionDisabled", value=True)

    def tree(self) -> list[dict[str, Any]]:
        """What assistive technology is told: the nodes that are not ignored."""
        nodes: list[dict[str, Any]] = self.send("Accessibility.getFullAXTree")["nodes"]
        return [node for node in nodes if not node.get("ignored")]

    def picture(self, path: Path) -> None:
        """The whole page as a PNG."""
        size = self.send("Page.getLayoutMetrics")["cssContentSize"]
        clip = {"x": 0, "y": 0, "width": size["width"], "height": size["height"], "scale": 1}
        shot = self.send("Page.captureScreenshot", format="png", captureBeyondViewport=True, clip=clip)
        path.write_bytes(base64.b64decode(shot["data"]))


@contextlib.contextmanager
def chromium(profile: Path) -> Iterator[Tab]:
    """A tab of a browser of its own, for as long as the block lasts."""
    arguments = [*QUIET, "--remote-debugging-port=0", f"--user-data-dir={profile}", "about:blank"]
    running = subprocess.Popen(
        [program("chromium", "chromium"), *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        port = _port(running, profile / "DevToolsActivePort")
        found = httpx.put(f"http://127.0.0.1:{port}/json/new?about:blank", timeout=SECONDS).json()
        with contextlib.closing(Tab(found["webSocketDebuggerUrl"])) as tab:
            yield tab
    finally:
        running.terminate()
        running.wait(SECONDS)


def _port(running: subprocess.Popen[bytes], told: Path) -> int:
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        if running.poll() is not None:
            raise NotSeen(f"Chromium ended with {running.returncode}")
        with contextlib.suppress(OSError, IndexError, ValueError):
            return int(told.read_text().splitlines()[0])
        time.sleep(0.02)
    raise NotSeen("Chromium opened no port")
