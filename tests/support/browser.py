"""A page in headless Chromium, waited for until it says that it is ready, however slow the machine is."""

from __future__ import annotations

import json
import os
import select
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

CHROMIUM = (
    shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
)
needs_chromium = pytest.mark.skipif(
    CHROMIUM is None, reason="no Chromium on this machine (Debian: apt install chromium)"
)
# Chromium speaks its protocol over the descriptors 3 and 4, which are not free in this process.
_START = 'from=$1 to=$2; shift 2; exec "$@" 3<"/dev/fd/$from" 4>"/dev/fd/$to"'
_FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run",
    "--remote-debugging-pipe",
)  # fmt: skip
_MOST_SECONDS = 120


class Tab:
    """One page of a browser; https://chromedevtools.github.io/devtools-protocol/ is its language."""

    def __init__(self, commands: int, answers: int) -> None:
        self._commands, self._answers = commands, answers
        self._sent, self._rest = 0, b""
        self._session: dict[str, str] = {}
        target = self.ask("Target.createTarget", url="about:blank")["targetId"]
        session = self.ask("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        self._session = {"sessionId": session}

    def ask(self, method: str, **parameters: Any) -> dict[str, Any]:
        """The answer to one command; events in between are passed over."""
        self._sent += 1
        command = {"id": self._sent, "method": method, "params": parameters, **self._session}
        os.write(self._commands, json.dumps(command).encode() + b"\0")
        while True:
            answer = json.loads(self._read())
            if answer.get("id") == self._sent:
                assert "error" not in answer, f"{method}: {answer['error']}"
                result: dict[str, Any] = answer["result"]
                return result

    def _read(self) -> bytes:
        while b"\0" not in self._rest:
            ready, _, _ = select.select([self._answers], [], [], _MOST_SECONDS)
            got = os.read(self._answers, 1 << 16) if ready else b""
            assert got, "the browser has ended, or says nothing"
            self._rest += got
        message, _, self._rest = self._rest.partition(b"\0")
        return message

    def value(self, script: str) -> Any:
        """What an expression gives in the page, whose policy does not bind it."""
        answer = self.ask("Runtime.evaluate", expression=script, returnByValue=True)
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def wait_for(self, script: str) -> None:
        """Until the expression is true.

        Raises:
            AssertionError: It has not become true, with what the page shows.
        """
        end = time.monotonic() + _MOST_SECONDS
        while not self.value(script):
            assert time.monotonic() < end, f"{script} is not true of: {self.elements()[-2000:]}"
            time.sleep(0.05)

    def elements(self) -> str:
        """The page's elements as they are now."""
        elements: str = self.value("document.documentElement.outerHTML")
        return elements


@contextmanager
def opened(page: Path, *, height: int = 3000, dark: bool = False) -> Iterator[Tab]:
    """A page, loaded, in a window of 1,200 pixels by `height`."""
    assert CHROMIUM is not None
    own_commands, commands = os.pipe()
    answers, own_answers = os.pipe()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        process = subprocess.Popen(
            ["bash", "-c", _START, "bash", str(own_commands), str(own_answers), CHROMIUM, *_FLAGS,
             f"--user-data-dir={profile}"],
            pass_fds=(own_commands, own_answers), stderr=subprocess.DEVNULL,
        )  # fmt: skip
        os.close(own_commands)
        os.close(own_answers)
        try:
            tab = Tab(commands, answers)
            tab.ask(
                "Emulation.setDeviceMetricsOverride",
                width=1200, height=height, deviceScaleFactor=1, mobile=False,
            )  # fmt: skip
            scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
            tab.ask("Emulation.setEmulatedMedia", features=[scheme])
            tab.ask("Page.navigate", url=page.as_uri())
            tab.wait_for(f"document.readyState == 'complete' && location.href == {json.dumps(page.as_uri())}")  # fmt: skip
            yield tab
        finally:
            process.kill()
            process.wait()
            os.close(commands)
            os.close(answers)
