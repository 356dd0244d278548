"""What a stage cost: CPU time of the JVM and of Python, shuffle and spill, from Spark's own books."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from pyspark.sql import SparkSession

from refinery.publish.records import StageCost

NANO = 1e-9
_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass
class Meter:
    """Holds the cost of a metered block once it has ended."""

    costs: list[StageCost] = field(default_factory=list)

    @property
    def cost(self) -> StageCost:
        return self.costs[0]


@contextmanager
def metered(session: SparkSession) -> Iterator[Meter]:
    """Measure what Spark does in the block; nothing of it enters a result."""
    context = session.sparkContext
    first = _next_stage(session)
    # On a cluster the workers are other machines' processes: only Spark's books can be read there.
    is_local = context.master.startswith("local[") or context.master == "local"
    python = _python_seconds(_jvm_pid(session)) if is_local else None
    meter = Meter()
    is_interrupted = False
    try:
        yield meter
    except KeyboardInterrupt:
        # There may be no JVM left to ask.
        is_interrupted = True
        raise
    finally:
        if not is_interrupted:
            meter.costs.append(_cost(session, first, python))


def _cost(session: SparkSession, first: int, python: float | None) -> StageCost:
    cost = _spark_cost(session, first)
    if python is None:
        return cost
    spent = _python_seconds(_jvm_pid(session)) - python
    return cost.model_copy(update={"python_cpu_seconds": round(max(0.0, spent), 2)})


def _stage_list(session: SparkSession) -> list[object]:
    context = session.sparkContext
    jvm, gateway = context._jvm, context._gateway
    empty = jvm.java.util.ArrayList()
    store = context._jsc.sc().statusStore()
    stages = store.stageList(empty, False, False, gateway.new_array(jvm.double, 0), empty)
    return [stages.apply(index) for index in range(stages.size())]


def _next_stage(session: SparkSession) -> int:
    return 1 + max((stage.stageId() for stage in _stage_list(session)), default=-1)  # type: ignore[attr-defined]


def _spark_cost(session: SparkSession, first: int) -> StageCost:
    """Sums over the Spark stages from number `first` on."""
    cpu = run = shuffle = spill = written = 0
    for stage in _stage_list(session):
        if stage.stageId() >= first:  # type: ignore[attr-defined]
            cpu += stage.executorCpuTime()  # type: ignore[attr-defined]
            run += stage.executorRunTime()  # type: ignore[attr-defined]
            shuffle += stage.shuffleWriteBytes()  # type: ignore[attr-defined]
            spill += stage.diskBytesSpilled()  # type: ignore[attr-defined]
            written += stage.outputBytes()  # type: ignore[attr-defined]
    return StageCost(
        jvm_cpu_seconds=round(cpu * NANO, 2),
        task_seconds=round(run / 1000, 2),
        shuffle_bytes=shuffle,
        spilled_bytes=spill,
        written_bytes=written,
    )


def _jvm_pid(session: SparkSession) -> int:
    jvm = session.sparkContext._jvm
    return int(jvm.java.lang.ProcessHandle.current().pid())


def _python_seconds(jvm: int) -> float:
    """CPU time of the Python workers below a local JVM, the ended ones included."""
    stats = _process_stats()
    workers = {pid for pid, (parent, _) in stats.items() if parent == jvm and _is_daemon(pid)}
    while more := {p for p, (parent, _) in stats.items() if parent in workers} - workers:
        workers |= more
    return sum(stats[pid][1] for pid in workers)


def _is_daemon(pid: int) -> bool:
    """Whether this process forks Spark's Python workers: `spark.python.daemon.module` names others."""
    try:
        return b"pyspark.worker" in (Path("/proc") / str(pid) / "cmdline").read_bytes()
    except OSError:
        return False


def _process_stats() -> dict[int, tuple[int, float]]:
    """Parent, and CPU seconds with those of reaped children, of every process."""
    stats = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_bytes().rsplit(b")", 1)[-1].split()
        except OSError:  # it ended meanwhile
            continue
        stats[int(path.parent.name)] = int(fields[1]), sum(map(int, fields[11:15])) / _TICKS
    return stats
