# SPDX-License-Identifier: Apache-2.0
"""A real Chromium without a window, driven over two pipes by its own protocol: what tests of a page need of one."""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
import tempfile
from base64 import b64decode
from importlib.resources import files
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from harness.cross import debian

PIPED = ["--remote-debugging-pipe", "about:blank"]
OFFLINE = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
    # Whatever a page asked for, it would not get it, unless it is served by a test.
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
]


class Browser:
    """One page of Chromium. Every message of its console and every request that it makes is kept.

    Attributes:
        console: what the page or the browser complained about.
        requests: the addresses that the page asked for, itself included.
    """

    def __init__(self) -> None:
        self._loaded = False
        self.console: list[str] = []
        self.requests: list[str] = []
        self._profile = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        theirs_in, ours_out = os.pipe()
        ours_in, theirs_out = os.pipe()
        # Chromium reads commands from descriptor 3 and writes to 4, each message ended by a zero byte.
        high = [fcntl.fcntl(fd, fcntl.F_DUPFD, 64) for fd in (theirs_in, theirs_out)]
        self._process = subprocess.Popen(
            [str(debian.tool("chromium")), *OFFLINE, f"--user-data-dir={self._profile.name}", *PIPED],
            preexec_fn=lambda: [os.dup2(fd, number) for number, fd in enumerate(high, 3)] and None,
            pass_fds=(3, 4),
            stderr=subprocess.DEVNULL,
        )
        for fd in (theirs_in, theirs_out, *high):
            os.close(fd)
        self._out, self._in = os.fdopen(ours_out, "wb", 0), os.fdopen(ours_in, "rb")
        self._buffer, self._count, self._session = b"", 0, ""
        target = next(t for t in self.call("Target.getTargets")["targetInfos"] if t["type"] == "page")
        self._session = self.call("Target.attachToTarget", targetId=target["targetId"], flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **params: Any) -> Any:
        """One command of the protocol and its answer; what happens meanwhile is noted."""
        self._count += 1
        message = {"id": self._count, "method": method, "params": params}
        if self._session:
            message["sessionId"] = self._session
        self._out.write(json.dumps(message).encode() + b"\0")
        while True:
            answer = self._receive()
            if answer.get("id") == self._count:
                assert "error" not in answer, answer
                return answer["result"]

    def open(self, page: Path | str, width: int = 1280, dark: bool = False) -> None:
        """Opens a file or an address at a width and in a theme, and waits until it is there."""
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=False)
        theme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", features=[theme])
        self._loaded = False
        self.call("Page.navigate", url=page if isinstance(page, str) else page.resolve().as_uri())
        self.wait()

    def wait(self) -> None:
        """Waits for the page that is on its way."""
        while not self._loaded:
            self._receive()
        self._loaded = False

    def eval(self, script: str) -> Any:
        """The value of an expression in the page; a promise is waited for."""
        done = self.call("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in done, done["exceptionDetails"]
        return done["result"].get("value")

    def click(self, script: str) -> None:
        """Clicks on the element that an expression finds, and waits for the page that follows."""
        self._loaded = False
        self.eval(f"{script}.click()")
        self.wait()

    def complaints(self) -> list[str]:
        """What axe finds in the page that is serious: a rule and the first place that breaks it.

        Axe is a script that a page's policy would refuse, so the policy has to be bypassed before the page is opened.
        """
        self.eval((files("axe_core_python") / "axe.min.js").read_text("utf-8") + "; 0")
        found = json.loads(self.eval("axe.run().then(r => JSON.stringify(r.violations))"))
        return [f"{v['id']}: {v['nodes'][0]['html']}" for v in found if v["impact"] in ("serious", "critical")]

    def shot(self, top: int = 0, height: int | None = None) -> bytes:
        """A picture (PNG) of the page from `top` on, as high as the page where no height is given."""
        width, whole = self.eval("[document.documentElement.clientWidth, document.documentElement.scrollHeight]")
        clip = {"x": 0, "y": top, "width": width, "height": height or whole - top, "scale": 1}
        return b64decode(self.call("Page.captureScreenshot", clip=clip, captureBeyondViewport=True)["data"])

    def pdf(self) -> bytes:
        return b64decode(self.call("Page.printToPDF")["data"])

    def _receive(self) -> dict[str, Any]:
        while b"\0" not in self._buffer:
            data = os.read(self._in.fileno(), 1 << 16)
            assert data, "Chromium ended"
            self._buffer += data
        raw, self._buffer = self._buffer.split(b"\0", 1)
        message: dict[str, Any] = json.loads(raw)
        self._note(message.get("method", ""), message.get("params", {}))
        return message

    def _note(self, method: str, params: dict[str, Any]) -> None:
        if method == "Page.loadEventFired":
            self._loaded = True
        elif method == "Network.requestWillBeSent":
            self.requests.append(params["request"]["url"])
        elif method == "Log.entryAdded":
            self.console.append(params["entry"]["text"])
        elif method == "Runtime.exceptionThrown":
            self.console.append(params["exceptionDetails"]["text"])
        elif method == "Runtime.consoleAPICalled" and params["type"] in ("error", "warning"):
            self.console.append(str(params["args"]))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._process.terminate()
        self._process.wait()
        self._out.close()
        self._in.close()
        self._profile.cleanup()
