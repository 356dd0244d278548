import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from refinery.clean.guard import Guard
from refinery.clean.guarded_child import Failed, Killed, Limits
from refinery.extract.config import ExtractConfig
from refinery.extract.page import extract_page

LIMITS = Limits(cpu_seconds=0.5, address_bytes=300_000_000)


class Panic(BaseException):
    """As pyo3 raises it for a panic in Rust."""


def _add(text: str, number: object) -> str:
    return text + number  # type: ignore[operator]


def work(job: str) -> str:
    if job == "spin":
        while True:
            pass
    if job == "grow":
        return str(len(bytearray(1_000_000_000)))
    if job == "die":
        os._exit(3)
    if job.startswith("killed:"):
        return _killed(Path(job.removeprefix("killed:")))
    if job == "recurse":
        return work(job)
    if job == "raise":
        return _add("a", 1)
    if job == "panic":
        raise Panic("index out of bounds")
    if job == "pid":
        return str(os.getpid())
    return job.upper()


def _killed(left: Path) -> str:
    """As the kernel ends a process of a machine out of memory, as often as the file says."""
    times = int(left.read_text())
    if times:
        left.write_text(str(times - 1))
        os.kill(os.getpid(), signal.SIGKILL)
    return "SURVIVED"


def outcomes(*jobs: str) -> list[str]:
    with Guard(work, LIMITS) as guard:
        return [r.reason if isinstance(r, Killed) else r for r in guard.map(jobs)]


def test_results_keep_their_order_around_fatal_documents() -> None:
    found = outcomes("a", "spin", "b", "grow", "c", "die", "d", "recurse", "e")

    assert found == [
        "A", "guard:timeout", "B", "guard:memory", "C", "guard:crash", "D", "guard:recursion", "E",
    ]  # fmt: skip


def test_one_child_serves_many_documents() -> None:
    pids = outcomes(*["pid"] * 50)

    assert len(set(pids)) == 1
    assert pids[0] != str(os.getpid())


def test_closing_leaves_no_child() -> None:
    guard = Guard(work, LIMITS)
    (pid,) = guard.map(["pid"])
    guard.close()
    time.sleep(0.1)

    assert not os.path.exists(f"/proc/{pid}")


def test_a_child_killed_from_outside_costs_no_document(tmp_path: Path) -> None:
    (tmp_path / "once").write_text("1")
    (tmp_path / "again").write_text("2")

    found = outcomes("a", f"killed:{tmp_path / 'once'}", "b", f"killed:{tmp_path / 'again'}", "c")

    assert found == ["A", "SURVIVED", "B", "guard:memory", "C"]


def test_a_killed_worker_leaves_no_child() -> None:
    program = (
        "import os, time\n"
        "from refinery.clean.guard import Guard\n"
        "from refinery.clean.guarded_child import Limits\n"
        "guard = Guard(lambda job: os.getpid(), Limits(cpu_seconds=30))\n"
        "print(*guard.map(['pid']), flush=True)\n"
        "time.sleep(600)\n"
    )
    root = Path(__file__).resolve().parents[3]
    with subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, cwd=root
    ) as worker:
        assert worker.stdout is not None
        pid = int(worker.stdout.readline())
        assert os.path.exists(f"/proc/{pid}")

        worker.kill()
        worker.wait()

        deadline = time.monotonic() + 20
        while is_running(pid) and time.monotonic() < deadline:
            time.sleep(0.05)
        assert not is_running(pid)


def is_running(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except OSError:
        return False
    return state != "Z"  # a zombie waits for init to collect it


def test_nothing_of_one_document_reaches_the_next() -> None:
    config = ExtractConfig(engine="blocks")
    pages = [b"<p>" + word * 40 for word in (b"one two three. ", b"four five six. ")]

    def read(page: bytes) -> str:
        return extract_page(page, mime="text/html", charset=None, config=config).text

    with Guard(read, Limits(cpu_seconds=30)) as guard:
        together = list(guard.map([*pages, *pages]))
        alone = [next(guard.map([page])) for page in reversed(pages)]

    assert together == [*reversed(alone), *reversed(alone)]


def test_an_exception_is_a_result_that_names_type_message_and_place(
    capfd: pytest.CaptureFixture[str],
) -> None:
    with Guard(work, LIMITS) as guard:
        first, failed, last = guard.map(["pid", "raise", "pid"])

    assert isinstance(failed, Failed)
    assert failed.reason == "guard:exception"
    assert re.fullmatch(
        r'TypeError: can only concatenate str \(not "int"\) to str '
        r"\(clean/test_guard\.py:\d+ in _add\)",
        failed.message,
    )
    assert first == last  # the same child went on
    assert capfd.readouterr().err == ""


def test_a_panic_that_is_no_exception_is_a_result_too() -> None:
    with Guard(work, LIMITS) as guard:
        (failed,) = guard.map(["panic"])

    assert isinstance(failed, Failed)
    assert failed.message.startswith("Panic: index out of bounds")


def test_code_in_the_child_prints_to_where_output_is_captured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def say(word: str) -> str:
        print(word, file=sys.stderr, flush=True)
        return word

    with (tmp_path / "captured").open("w") as captured, Guard(say, LIMITS) as guard:
        monkeypatch.setattr(sys, "stderr", captured)
        assert list(guard.map(["heard"])) == ["heard"]

    assert (tmp_path / "captured").read_text() == "heard\n"
