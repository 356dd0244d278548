"""Size of a report's page and how long a browser takes to open it.

    python -m benchmarks.refinery.report_page OUTPUT [OUTPUT ...]

OUTPUT is the `runtime.output` of a finished run. The page is loaded in headless Chromium several
times, each time in a process of its own without a profile, and timed by the browser itself: from the
start of the navigation until the page is loaded and laid out. A copy carries the script that reads
the time, which the policy of the page itself would not allow.
"""

from __future__ import annotations

import json
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from html import unescape
from pathlib import Path
from typing import Any

from benchmarks.record import argument_parser, record
from refinery.report.write import PAGE, read_report

MAX_BYTES, MAX_SECONDS = 6_000_000, 2.0
# Reading the height makes the browser lay the page out before it looks at the clock.
_PROBE = """<script>addEventListener("load", () => {
const height = document.documentElement.scrollHeight;
document.body.dataset.times = JSON.stringify({load: performance.now(), height: height,
nodes: document.getElementsByTagName("*").length, wide: document.documentElement.scrollWidth > innerWidth});
})</script>"""


def chromium() -> str:
    """The browser.

    Raises:
        SystemExit: There is none.
    """
    for name in ("chromium", "chromium-browser", "google-chrome"):
        found = shutil.which(name)
        if found is not None:
            return found
    raise SystemExit("no Chromium on this machine (Debian: apt install chromium)")


def open_once(page: Path, *, width: int) -> dict[str, Any]:
    """Time in milliseconds, elements, and whether the page is wider than the window."""
    # The policy of the page forbids scripts; the copy does without it.
    markup = re.sub(r"<meta http-equiv[^>]*>", "", page.read_text("utf-8"), count=1)
    with tempfile.TemporaryDirectory() as scratch:
        copy = Path(scratch) / "page.html"
        copy.write_text(markup.replace("</head>", f"{_PROBE}</head>", 1), "utf-8")
        started = time.perf_counter()
        done = subprocess.run(
            [chromium(), "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run",
             "--disable-background-networking", f"--window-size={width},900",
             f"--user-data-dir={scratch}/profile", "--dump-dom",
             copy.as_uri()],
            capture_output=True, text=True, timeout=120, check=True,
        )  # fmt: skip
        seconds = time.perf_counter() - started
    found = re.search(r'data-times="([^"]*)"', done.stdout)
    if found is None:
        raise SystemExit(f"{page}: the browser gave no times: {done.stderr[-300:]}")
    return {**json.loads(unescape(found[1])), "process_seconds": round(seconds, 2)}


def measure(output: Path, times: int) -> dict[str, Any]:
    """One run's page."""
    page = output / "report" / PAGE
    report = read_report(output / "report" / "report.json")
    wide = [open_once(page, width=1200) for _ in range(times)]
    phone = open_once(page, width=500)  # the narrowest window that Chromium gives
    return {
        "name": report.name,
        "documents": report.total("documents"),
        "bytes": page.stat().st_size,
        "elements": wide[0]["nodes"],
        "load_seconds": round(statistics.median(t["load"] for t in wide) / 1000, 3),
        "slowest_load_seconds": round(max(t["load"] for t in wide) / 1000, 3),
        "process_seconds": statistics.median(t["process_seconds"] for t in wide),
        "scrolls_sideways": wide[0]["wide"] or phone["wide"],
    }


def main() -> int:
    """Print one JSON object; exit 1 where a page is too large, too slow or too wide."""
    parser = argument_parser(__doc__)
    parser.add_argument("outputs", nargs="+", type=Path)
    parser.add_argument("--times", type=int, default=5)
    args = parser.parse_args()
    pages = [measure(output, args.times) for output in args.outputs]
    version = subprocess.run([chromium(), "--version"], capture_output=True, text=True, check=True)
    facts = {
        "browser": version.stdout.strip(),
        "times": args.times,
        "pages": pages,
    }
    record("report_page", facts)
    fits = all(
        page["bytes"] < MAX_BYTES
        and page["slowest_load_seconds"] <= MAX_SECONDS
        and not page["scrolls_sideways"]
        for page in pages
    )
    return 0 if fits else 1


if __name__ == "__main__":
    sys.exit(main())
