"""A headless Chromium, driven over a pipe in its DevTools protocol, which needs no other package."""

import base64
import json
import os
import select
import shutil
import subprocess
import tempfile
from pathlib import Path
from time import monotonic

_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
EXECUTABLE = next(filter(None, map(shutil.which, _NAMES)), None)
_FLAGS = (
    "--headless", "--remote-debugging-pipe", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
    "--no-first-run", "--hide-scrollbars", "--disable-background-networking",
)  # fmt: skip
_WAIT_S = 60.0


class Browser:
    """One page of one browser; a context manager.

    errors: what scripts raised and what the console complained of; requests: addresses that were asked
    for, but for the page itself; both since the last `open`.
    """

    def __init__(self):
        self._profile = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        ours, theirs = os.pipe(), os.pipe()  # the browser reads the first at 3 and writes the second at 4
        self._out, self._in = ours[1], theirs[0]

        def place():
            os.dup2(ours[0], 103)
            os.dup2(theirs[1], 104)
            os.dup2(103, 3)
            os.dup2(104, 4)

        self._process = subprocess.Popen(
            [EXECUTABLE, *_FLAGS, f"--user-data-dir={self._profile.name}"],
            preexec_fn=place, close_fds=False,
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        os.close(ours[0])
        os.close(theirs[1])
        self._number, self._rest, self._session = 0, b"", None
        self.errors, self.requests = [], []
        target = self._call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self._call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Network", "Log"):
            self._call(f"{domain}.enable")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._process.terminate()
        self._process.wait()
        os.close(self._out)
        os.close(self._in)
        self._profile.cleanup()

    def open(self, page: Path, width=1400, height=900, dark=False):
        """Load a page in a window of this size."""
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self._call("Emulation.setEmulatedMedia", features=[scheme])
        self._call(
            "Emulation.setDeviceMetricsOverride",
            width=width, height=height, deviceScaleFactor=1, mobile=width < 600,
        )  # fmt: skip
        self.errors, self.requests = [], []
        self._loaded = False
        self._call("Page.navigate", url=page.as_uri())
        while not self._loaded:
            self._take()
        self.requests.remove(page.as_uri())

    def run(self, body: str):
        """What the body of a function returns, as JSON has it."""
        return self.value(f"(() => {{ {body} }})()")

    def value(self, expression: str):
        """What an expression comes to, as JSON has it."""
        found = self._call("Runtime.evaluate", expression=expression, returnByValue=True)
        assert "exceptionDetails" not in found, found["exceptionDetails"]
        return found["result"].get("value")

    def press(self, key: str, text=""):
        """Press a key and let it go, as `Tab`, `Enter` or a letter."""
        codes = {"Tab": 9, "Enter": 13, "Escape": 27, " ": 32}
        given = {"key": key, "windowsVirtualKeyCode": codes.get(key, 0)}
        text = text or {"Enter": "\r", " ": " "}.get(key, "")
        self._call("Input.dispatchKeyEvent", type="keyDown", **given, text=text)
        self._call("Input.dispatchKeyEvent", type="keyUp", **given)

    def write(self, text: str):
        """Type into what has the focus."""
        self._call("Input.insertText", text=text)

    def picture(self, whole=True) -> bytes:
        """A PNG of the page, or of what the window shows of it."""
        found = self._call("Page.captureScreenshot", captureBeyondViewport=whole)
        return base64.b64decode(found["data"])

    def _call(self, method, **parameters):
        self._number += 1
        number = self._number
        message = {"id": number, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._out, json.dumps(message).encode() + b"\0")
        while True:
            found = self._take()
            if found.get("id") == number:
                assert "error" not in found, (method, found["error"])
                return found["result"]

    def _take(self):
        """The next message; an event is noted."""
        ends = monotonic() + _WAIT_S
        while b"\0" not in self._rest:
            ready, _, _ = select.select([self._in], [], [], max(0.0, ends - monotonic()))
            assert ready, f"the browser said nothing for {_WAIT_S:g} s"
            part = os.read(self._in, 1 << 20)
            assert part, "the browser has ended"
            self._rest += part
        text, self._rest = self._rest.split(b"\0", 1)
        found = json.loads(text)
        method, given = found.get("method"), found.get("params", {})
        if method == "Page.loadEventFired":
            self._loaded = True
        elif method == "Network.requestWillBeSent":
            self.requests.append(given["request"]["url"])
        elif method == "Runtime.exceptionThrown":
            self.errors.append(given["exceptionDetails"])
        elif method == "Log.entryAdded" and given["entry"]["level"] == "error":
            self.errors.append(given["entry"]["text"])
        return found
