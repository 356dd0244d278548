"""The Spark session: settings that change results are set here and nowhere else.

Master, memory and cores belong to spark-submit.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from typing import Any

import pyarrow as pa
from pyspark import SparkContext
from pyspark.sql import SparkSession

from jobs.spark.job_names import job_description
from refinery.recipe import Runtime

# One thread per worker for every native library: workers x threads would oversubscribe the cores.
SINGLE_THREADED = {
    "TOKENIZERS_PARALLELISM": "false",
    "RAYON_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
}

# Tables of a stage's input, as they are stored, up to which queries are planned once.
SMALL_BYTES = 64 << 20
# With more of them adaptive execution pays: it puts small ones together.
FEW_PARTITIONS = 64

RESULT_SETTINGS = {
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.ansi.enabled": "true",
    "spark.sql.parquet.compression.codec": "zstd",
    # Pages are large: 4,096 rows a batch would be a gigabyte of them in a 1 GB heap.
    "spark.sql.parquet.columnarReaderBatchSize": "64",
    "spark.hadoop.parquet.block.size": str(16 << 20),
    # A batch lives three times in Python (Arrow, objects, results).
    "spark.sql.execution.arrow.maxBytesPerBatch": str(16 << 20),
    "spark.sql.execution.arrow.maxRecordsPerBatch": "1000",
    # Several tables leave one task, each into its own folder, without a sort of their payloads.
    "spark.sql.maxConcurrentOutputFileWriters": "8",
    "spark.sql.files.maxPartitionBytes": str(64 << 20),
    "spark.sql.adaptive.coalescePartitions.parallelismFirst": "false",
    "spark.python.worker.reuse": "true",
    "spark.ui.showConsoleProgress": "false",
}


def build_session(app: str, runtime: Runtime) -> SparkSession:
    """Create or get the session; where spark-submit started the JVM, its settings stay."""
    os.environ.update({key: os.environ.get(key, value) for key, value in SINGLE_THREADED.items()})
    # Workers must find the driver's packages; a cluster's own interpreter is named by its variable.
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    is_first = SparkContext._active_spark_context is None
    builder = SparkSession.builder.appName(f"refinery-{app}")
    for key, value in RESULT_SETTINGS.items():
        builder = builder.config(key, value)
    for key, value in SINGLE_THREADED.items():
        builder = builder.config(f"spark.executorEnv.{key}", value)
    builder = builder.config("spark.sql.shuffle.partitions", str(runtime.partitions))
    # Two tasks of unequal length would leave a core idle: small tables are cut finer.
    builder = builder.config("spark.sql.files.minPartitionNum", str(runtime.partitions))
    session = builder.getOrCreate()
    session.sparkContext.setLogLevel("ERROR")
    url = session.sparkContext.uiWebUrl
    if is_first and url is not None:
        print(f"Spark UI  {url}", file=sys.stderr)
    return session


def start_python(session: SparkSession) -> None:
    """Have Spark start its Python now: it gets ready while the driver reads its modules and lists files."""
    with job_description(session, "start Python"):
        session.range(1).mapInArrow(_same, "id bigint").collect()


def _same(batches: Iterable[pa.RecordBatch]) -> Iterable[pa.RecordBatch]:
    yield from batches


def plan_for(session: SparkSession, input_bytes: int | None) -> None:
    """Choose how queries over so many bytes are planned; None where nobody knows yet.

    Adaptive execution starts a job for each shuffle and each broadcast, to look at their sizes before
    it goes on. On small tables there is nothing to learn from that. No row depends on the plan.
    """
    partitions = int(session.conf.get("spark.sql.shuffle.partitions") or 0)
    is_small = (
        input_bytes is not None and input_bytes <= SMALL_BYTES and partitions <= FEW_PARTITIONS
    )
    session.conf.set("spark.sql.adaptive.enabled", str(not is_small).lower())


def end_session(session: SparkSession) -> None:
    """End the session and the JVM that it started, and wait until the memory is free."""
    gateway: Any = session.sparkContext._gateway
    session.stop()
    gateway.shutdown()
    gateway.proc.stdin.close()  # the JVM ends with its standard input
    gateway.proc.wait()
    SparkContext._gateway = SparkContext._jvm = None
