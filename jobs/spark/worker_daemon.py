"""Spark's Python daemon with what every worker needs, read once: workers are forked from it.

A worker of Spark's own daemon reads modules, compiled kernels and the tables of characters for itself: two CPU
seconds, and a copy of them in memory. `spark.python.daemon.module` names this module where the packages
are installed on every machine; code that comes by `--py-files` is read by workers alone.
"""

from __future__ import annotations

import argparse
import contextlib
import gc
import importlib
import os
import sys

from schemas.errors import run_main

MODULE = "jobs.spark.worker_daemon"
# What the stages have Python do.
MODULES = (
    "refinery.sources.reading",
    "refinery.clean.rows",
    "refinery.dedup.signing",
    "refinery.dedup.marking",
    "refinery.dedup.solving",
    "refinery.decontaminate.marking",
    "refinery.tokenizers.tokenise",
    "refinery.packing.write_shards",
)
# Forks and threads do not mix: jemalloc, which pyarrow brings along and does not use, would start one.
WITHOUT_THREADS = {"JE_ARROW_MALLOC_CONF": "background_thread:false"}


def prepare() -> None:
    """Read all that, in one thread, and leave it where counting references in a worker copies little of it."""
    os.environ.update(WITHOUT_THREADS)
    from refinery.compiled import compile_loaded
    from refinery.text.batch import character_table

    for name in MODULES:
        importlib.import_module(name)
    compile_loaded("refinery")
    character_table()
    gc.collect()
    gc.freeze()


def main(argv: list[str]) -> None:
    """Get ready, and fork workers until Spark has no use for them."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("worker", help="module of Spark's workers; Spark names it")
    parser.parse_args(argv)
    with contextlib.redirect_stdout(sys.stderr):  # Spark reads the daemon's port from its output
        prepare()
    from pyspark import daemon

    daemon.manager()


if __name__ == "__main__":
    run_main(main)
