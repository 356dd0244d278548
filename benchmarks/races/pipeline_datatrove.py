"""datatrove from WARC to tokens, with its own virtual environment's Python; see pipeline.py.

Extraction by trafilatura, the filters of Gopher (repetition, quality), C4 and FineWeb, MinHash with
FineWeb's settings, tokenisation. Prints one JSON line: seconds by step, documents kept.
"""

from __future__ import annotations

import argparse
import json
import resource
import shutil
import time
from pathlib import Path
from typing import Any

from datatrove.executor.local import LocalPipelineExecutor
from datatrove.pipeline.dedup.minhash import (
    MinhashConfig,
    MinhashDedupBuckets,
    MinhashDedupCluster,
    MinhashDedupFilter,
    MinhashDedupSignature,
)
from datatrove.pipeline.extractors import Trafilatura
from datatrove.pipeline.filters import (
    C4QualityFilter,
    FineWebQualityFilter,
    GopherQualityFilter,
    GopherRepetitionFilter,
)
from datatrove.pipeline.readers import JsonlReader, WarcReader
from datatrove.pipeline.tokens import DocumentTokenizer
from datatrove.pipeline.writers import JsonlWriter
from datatrove.utils.hashing import HashConfig


def steps(
    folder: str, out: Path, tokenizer: str, language: str
) -> dict[str, tuple[list[Any], bool]]:
    """Pipelines in their order, and whether a pipeline has a task for each input file."""
    config = MinhashConfig(hash_config=HashConfig(hash_fc="xxhash", precision=64))
    texts, kept = str(out / "texts"), str(out / "kept")
    sigs, buckets, remove = (str(out / name) for name in ("sigs", "buckets", "remove"))
    filters = [
        GopherRepetitionFilter(language=language),
        GopherQualityFilter(language=language),
        C4QualityFilter(filter_no_terminal_punct=False, language=language),
        FineWebQualityFilter(language=language),
    ]
    return {
        "extract_filter": (
            [WarcReader(folder), Trafilatura(timeout=20), *filters, JsonlWriter(texts)],
            True,
        ),
        "signatures": ([JsonlReader(texts), MinhashDedupSignature(sigs, config=config)], True),
        "buckets": ([MinhashDedupBuckets(sigs, buckets, config=config)], False),
        "cluster": ([MinhashDedupCluster(buckets, remove, config=config)], False),
        "remove": ([JsonlReader(texts), MinhashDedupFilter(remove), JsonlWriter(kept)], True),
        "tokenise": (
            [JsonlReader(kept), DocumentTokenizer(str(out / "tokens"), tokenizer)],
            True,
        ),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("output", type=Path)
    parser.add_argument("tokenizer", help="tokenizer.json")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--language", default="eng_Latn")
    args = parser.parse_args()
    shutil.rmtree(args.output, ignore_errors=True)
    files = len(list(args.folder.glob("*.warc.gz")))
    num_buckets = MinhashConfig().num_buckets
    seconds, counts = {}, {}
    for name, (pipeline, by_file) in steps(
        str(args.folder), args.output, args.tokenizer, args.language
    ).items():
        tasks = files if by_file else num_buckets if name == "buckets" else 1
        started = time.monotonic()
        stats = LocalPipelineExecutor(
            pipeline=pipeline,
            tasks=tasks,
            workers=min(args.workers, tasks),
            logging_dir=str(args.output / "logs" / name),
            start_method="fork",
        ).run()
        seconds[name] = round(time.monotonic() - started, 1)
        counts[name] = [
            int(step.stats["documents"].total) for step in stats.stats if "documents" in step.stats
        ]
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    cpu = sum(u.ru_utime + u.ru_stime for u in used)
    print(json.dumps({"steps": seconds, "documents": counts, "cpu_seconds": round(cpu, 1)}))


if __name__ == "__main__":
    main()
