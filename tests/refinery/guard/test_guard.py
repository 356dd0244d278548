import os
import signal
import time
from pathlib import Path

from refinery.extract.config import GuardConfig
from refinery.guard import Guard, Killed

CONFIG = GuardConfig(cpu_seconds=0.5, memory_bytes=300_000_000)


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
    with Guard(work, CONFIG) as guard:
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
    guard = Guard(work, CONFIG)
    (pid,) = guard.map(["pid"])
    guard.close()
    time.sleep(0.1)

    assert not os.path.exists(f"/proc/{pid}")


def test_a_child_killed_from_outside_costs_no_document(tmp_path: Path) -> None:
    (tmp_path / "once").write_text("1")
    (tmp_path / "again").write_text("2")

    found = outcomes("a", f"killed:{tmp_path / 'once'}", "b", f"killed:{tmp_path / 'again'}", "c")

    assert found == ["A", "SURVIVED", "B", "guard:memory", "C"]
