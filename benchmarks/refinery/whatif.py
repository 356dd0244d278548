"""Seconds from process start to answer of `refinery whatif` on ledgers of growing size.

    python -m benchmarks.refinery.whatif [--rows 1000000 10000000]

The ledger repeats real verdicts with shuffled values; written once into a temporary folder. The smallest
one is also asked in SQL: the bounds of all rules as conditions on the map of values, by DuckDB, for one
count by source. `whatif` answers more (first reasons, bytes, languages, ranks) in about that CPU time.
"""

from __future__ import annotations

import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.record import argument_parser, record
from refinery.filters.config import RulesConfig
from refinery.filters.rules import rules_for
from refinery.filters.shipped_rules import checked_in_rules
from refinery.tables import arrow_schema
from schemas.tables import LEDGER

GROUP_ROWS = 100_000
FILE_ROWS = 500_000
HUNDRED_MILLION = 100_000_000


def write_ledger(path: Path, rows: int) -> None:
    """Values around their bounds, so that many verdicts change."""
    schema = arrow_schema({column.name: column.type for column in LEDGER.columns})
    rules = checked_in_rules()["en"]
    names = list(dict.fromkeys(rule.value for rule in rules))
    random = np.random.default_rng(0)
    with pq.ParquetWriter(path, schema, compression="zstd") as writer:
        for start in range(0, rows, GROUP_ROWS):
            size = min(GROUP_ROWS, rows - start)
            writer.write_table(_group(size, names, random, schema))


def _group(size: int, names: list[str], random: np.random.Generator, schema: pa.Schema) -> pa.Table:
    offsets = np.arange(size + 1, dtype=np.int32) * len(names)
    values = random.gamma(1.0, 0.05, (size, len(names)))
    values[:, names.index("words")] = random.integers(10, 2000, size)
    maps = pa.MapArray.from_arrays(offsets, pa.array(names * size), pa.array(values.ravel()))
    columns = {field.name: pa.nulls(size, field.type) for field in schema}
    columns.update(
        source=pa.array(random.choice(["web", "books", "zh"], size)),
        lang=pa.array(random.choice(["en", "zh", "de"], size)),
        lang_score=pa.array(random.uniform(0.4, 1, size).astype(np.float32)),
        num_bytes=pa.array(random.integers(100, 10_000, size)),
        values=maps,
        reasons=pa.array([["gopher:words"] if x else [] for x in random.random(size) < 0.2]),
    )
    return pa.table([columns[field.name].cast(field.type) for field in schema], schema=schema)


def sql_seconds(ledger: Path) -> dict[str, float]:
    """Wall and CPU seconds of DuckDB for the verdicts of all rules, by source."""
    by_language = {name: _conditions(name) for name in ("en", "zh", "default")}
    verdict = (
        f"CASE lang WHEN 'en' THEN {by_language['en']} WHEN 'zh' THEN {by_language['zh']} "
        f"ELSE {by_language['default']} END"
    )
    sql = (
        f"SELECT source, count(*) FILTER (WHERE {verdict}) FROM read_parquet('{ledger}/*.parquet') "
        "GROUP BY source"
    )
    start, before = time.monotonic(), time.process_time()
    duckdb.connect().execute(sql).fetchall()
    return {
        "sql_wall_seconds": round(time.monotonic() - start, 2),
        "sql_cpu_seconds": round(time.process_time() - before, 2),
    }


def _conditions(language: str) -> str:
    """A SQL condition that holds for a document that any rule drops."""
    sides = (
        (rule.value, sign, bound)
        for rule in rules_for(language, RulesConfig())
        for sign, bound in (("<", rule.bounds.minimum), (">", rule.bounds.maximum))
    )
    return (
        "(" + " OR ".join(f"\"values\"['{v}'] {s} {b}" for v, s, b in sides if b is not None) + ")"
    )


def answer(rows: int, *, compare_sql: bool) -> dict[str, float]:
    """Write a ledger and ask it; seconds from process start to answer."""
    with tempfile.TemporaryDirectory() as folder:
        ledger = Path(folder)
        for part in range(0, rows, FILE_ROWS):
            write_ledger(ledger / f"part-{part}.parquet", min(FILE_ROWS, rows - part))
        megabytes = sum(path.stat().st_size for path in ledger.iterdir()) / 1e6
        program = "from jobs.command.main import entry; entry()"
        command = [sys.executable, "-c", program, "whatif", str(ledger), "--json"]
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        start = time.monotonic()
        subprocess.run(
            [*command, "--set", "rules.bounds={'gopher:words': {minimum: 100}}"],
            check=True,
            stdout=subprocess.DEVNULL,
        )
        seconds = time.monotonic() - start
        in_sql = sql_seconds(ledger) if compare_sql else {}
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = usage.ru_utime + usage.ru_stime - before.ru_utime - before.ru_stime
    return {
        "rows": rows,
        "ledger_megabytes": round(megabytes),
        "wall_seconds": round(seconds, 2),
        "cpu_seconds": round(cpu, 2),
        "peak_megabytes": usage.ru_maxrss // 1024,
        **in_sql,
    }


def main() -> None:
    parser = argument_parser(__doc__)
    parser.add_argument("--rows", type=int, nargs="+", default=[1_000_000, 10_000_000])
    args = parser.parse_args()
    runs = [answer(rows, compare_sql=not n) for n, rows in enumerate(sorted(args.rows))]
    result: dict[str, object] = {"runs": runs}
    if len(runs) > 1:
        small, large = runs[0], runs[-1]
        # Rows are streamed, so time is linear in them; not measured at this size.
        for clock in ("wall", "cpu"):
            seconds = f"{clock}_seconds"
            slope = (large[seconds] - small[seconds]) / (large["rows"] - small["rows"])
            guess = small[seconds] + slope * (HUNDRED_MILLION - small["rows"])
            result[f"extrapolated_{seconds}_100_million_rows"] = round(guess, 1)
    record("whatif", result)


if __name__ == "__main__":
    main()
