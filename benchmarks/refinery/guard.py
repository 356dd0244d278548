"""What the poison guard does with hostile pages, and what it costs on ordinary ones.

    python -m benchmarks.refinery.guard [DATA_FOLDER]

Prints a table of hostile pages with their fate and CPU seconds, guard on; with DATA_FOLDER
(wcxb-dev.parquet), also the overhead: CPU of this process and of the child against the same pages
in this process, alternating by groups.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pyarrow.parquet as pq

from benchmarks.record import argument_parser, record
from refinery.clean.guard import Guard
from refinery.clean.guarded_child import Failed, Killed, Limits
from refinery.extract.config import ExtractConfig
from refinery.extract.limits import PageRejected
from refinery.extract.page import extract_page

GROUP = 50


def hostile_pages() -> dict[str, bytes]:
    """Pages that take some parser seconds or gigabytes."""
    return {
        "200,000 nested div": b"<div>" * 200_000,
        "1,900 nested div": b"<div>" * 1_900 + b"x",
        "50,000 attributes": b"<p " + b" ".join(b"a%d=1" % i for i in range(50_000)) + b">x",
        "9,900 attributes": b"<p " + b" ".join(b"a%d=1" % i for i in range(9_900)) + b">x",
        "500,000 p": b"<p>x" * 500_000,
        "190,000 p": b"<p>x" * 190_000,
        "190,000 li in ol": b"<ol>" + b"<li>x" * 190_000,
        "50 MB attribute": b"<p a='" + b"x" * 50_000_000 + b"'>x",
        "200 MB of text": b"x" * 200_000_000,
        "9 MB without a space": b"<p>" + b"x" * 9_000_000,
        "1.9 MB without a space": b"<p>" + b"x" * 1_900_000,
        "1.9 MB of digits": b"<p>" + b"7" * 1_900_000,
        "1,900 nested tables": b"<table><tr><td>" * 1_900 + b"x",
        "60,000 links with 60,000 classes": b"".join(
            b"<a class=c%d href=/%d>x</a>" % (i, i) for i in range(60_000)
        ),
        "9 MB of emoji": "\U0001f602 ".encode() * 1_800_000,
        "9 MB of blanks between letters": b"<p>" + b"x" + b" " * 8_999_000 + b"x",
        "PDF without NUL as HTML": b"%PDF-1.4\n" + b"BT (Hello) Tj ET\n" * 50_000,
        "JSON as HTML": b"[" + b'{"a": "text"}, ' * 50_000 + b"0]",
        "9 MB of NUL": b"\0" * 9_000_000,
        "9 MB of random bytes as HTML": os.urandom(9_000_000),
        "unclosed comment": b"<!--" + b"<p>x" * 190_000,
        "misnested b and p": b"<b><p>" * 1_900 + b"x",
    }


def extract(page: bytes, *, config: ExtractConfig) -> str:
    """Length of the text, or the reason of a reject."""
    try:
        return (
            f"{len(extract_page(page, mime='text/html', charset=None, config=config).text)} chars"
        )
    except PageRejected as error:
        return error.reason


def _limits(config: ExtractConfig) -> Limits:
    return Limits(cpu_seconds=config.guard.cpu_seconds, address_bytes=config.guard.memory_bytes)


def fates(config: ExtractConfig) -> Iterator[tuple[str, str, float]]:
    """Name, fate and CPU seconds of each hostile page."""
    with Guard(partial(extract, config=config), _limits(config)) as guard:
        for name, page in hostile_pages().items():
            before = _cpu(guard)
            (outcome,) = guard.map([page])
            fate = outcome.reason if isinstance(outcome, Killed | Failed) else outcome
            yield name, fate, round(_cpu(guard) - before, 2)


def _cpu(guard: Guard[bytes, str] | None = None) -> float:
    """CPU seconds of this process and of its children; a running child's are read from /proc."""
    times = os.times()
    total = times.user + times.system + times.children_user + times.children_system
    child = guard._child if guard is not None else None
    if child is not None and child.pid is not None:
        fields = Path(f"/proc/{child.pid}/stat").read_text().rsplit(")", 1)[1].split()
        total += (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return total


def overhead(pages: list[bytes], config: ExtractConfig) -> dict[str, float]:
    """CPU seconds of the same pages with and without the guard, group by group."""
    run = partial(extract, config=config)
    plain = guarded = 0.0
    with Guard(run, _limits(config)) as guard:
        list(guard.map(pages[:2]))
        for page in pages[:2]:
            run(page)
        for start in range(0, len(pages), GROUP):
            group = pages[start : start + GROUP]
            before = time.process_time()
            for page in group:
                run(page)
            plain += time.process_time() - before
            before = _cpu(guard)
            list(guard.map(group))
            guarded += _cpu(guard) - before
    return {
        "pages": len(pages), "plain_seconds": round(plain, 2), "guarded_seconds": round(guarded, 2),
        "overhead": round(guarded / plain - 1, 3),
    }  # fmt: skip


def main() -> None:
    parser = argument_parser(__doc__)
    parser.add_argument("data", type=Path, nargs="?", default=None)
    options = parser.parse_args()
    config = ExtractConfig()
    result: dict[str, object] = {"hostile": []}
    table = []
    for name, fate, seconds in fates(config):
        print(f"{name:32} {fate:20} {seconds:6.2f} s", flush=True)
        table.append({"page": name, "fate": fate, "cpu_seconds": seconds})
    result["hostile"] = table
    if options.data is not None:
        rows = pq.read_table(options.data / "wcxb-dev.parquet", columns=["html"]).to_pylist()[::5]
        result["overhead"] = overhead([row["html"] for row in rows], config)
        print(result["overhead"])
    record("guard", result)


if __name__ == "__main__":
    main()
