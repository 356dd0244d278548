"""What a 5-gram counted from the training shards scores on minimal pairs: grammar, or frequency?

    python -m benchmarks.train.ngram_control [--data FOLDER] [--work FOLDER] [--bytes 5000000]

English books and Chinese texts are packed into a dataset with a byte-level BPE of 8,192 tokens trained on
them; `train.evaluation.ngram` counts its shards and scores BLiMP (67 paradigms of 1,000 pairs) and ZhoBLiMP
(118 of 300). A pair is right where the grammatical sentence is likelier; equal scores count half. Intervals are
clustered by paradigm.
"""

from __future__ import annotations

import gzip
import json
import os
import resource
import shutil
import tempfile
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

import numpy as np

from benchmarks.corpora.packed_text import write_dataset
from benchmarks.corpora.text_files import DATA, FILES_BY_LANGUAGE, read_documents
from benchmarks.record import argument_parser, record
from refinery.tokenizers.identity import load_tokenizer
from refinery.vocabulary.config import VocabularyConfig
from refinery.vocabulary.train.byte_level_bpe import train_bpe, write_tokenizer
from schemas.manifest import MANIFEST_NAME
from train.data.config import LoaderConfig
from train.data.loader import open_split, shard_files
from train.data.remote import open_manifest
from train.evaluation.ngram import NgramModel, count_ngrams, training_runs
from train.statistics.intervals import mean_interval

VOCABULARY, SEQ_LEN, HELDOUT_DOCUMENTS = 8_192, 256, 20


def main() -> None:
    """Count, score both languages, write the result."""
    parser = argument_parser(__doc__)
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--work", type=Path)
    parser.add_argument("--bytes", type=int, default=5_000_000, help="of text of each language")
    args = parser.parse_args()
    work = args.work or Path(tempfile.mkdtemp(prefix="ngram-control-"))
    dataset = _dataset(args.data, work, args.bytes)
    started = time.process_time()
    files = shard_files(str(dataset / MANIFEST_NAME), LoaderConfig())
    manifest = open_manifest(files)
    split = open_split(files, manifest, LoaderConfig(), split="train", seed=0)
    model = count_ngrams(training_runs(split), vocab_size=manifest.tokenizer.vocab_size)
    result = {
        "bytes_of_each_language": args.bytes,
        "tokens": model.tokens,
        "vocabulary": manifest.tokenizer.vocab_size,
        "ngrams": [len(order.keys) for order in model.orders],
        "cpu_seconds_to_count": round(time.process_time() - started, 1),
    }
    for name in ("blimp", "zhoblimp"):
        pairs = _pairs(args.data / "benchmarks" / "minimal_pairs" / f"{name}.jsonl.gz")
        result[name] = _score(model, pairs, load_tokenizer(dataset / "tokenizer"))
    result["peak_memory_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    record("ngram_control", result)
    if args.work is None:
        shutil.rmtree(work)


def _dataset(data: Path, work: Path, num_bytes: int) -> Path:
    dataset, tokenizer = work / "dataset", work / "tokenizer"
    texts = [
        text
        for names in FILES_BY_LANGUAGE.values()
        for text in read_documents(data / "text", names, num_bytes)
    ]
    if not tokenizer.is_dir():
        config = VocabularyConfig(size=VOCABULARY, sentinels=0)
        write_tokenizer(train_bpe(texts, config), tokenizer, 0)
    write_dataset(
        dataset,
        name="books and manuals",
        train=texts[HELDOUT_DOCUMENTS:],
        heldout=texts[:HELDOUT_DOCUMENTS],
        tokenizer=tokenizer,
        seq_len=SEQ_LEN,
    )
    return dataset


def _pairs(path: Path) -> list[dict[str, Any]]:
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def _score(model: NgramModel, pairs: list[dict[str, Any]], tokenizer: Any) -> dict[str, Any]:
    started = time.process_time()
    texts = [pair[side] for pair in pairs for side in ("good", "bad")]
    ids = [
        encoding.ids for encoding in tokenizer.encode_batch_fast(texts, add_special_tokens=False)
    ]
    scores = model.log_likelihoods(ids).reshape(-1, 2)
    lengths = np.array([len(one) for one in ids]).reshape(-1, 2)
    seconds = time.process_time() - started
    paradigms = [pair["uid"] for pair in pairs]
    equal = lengths[:, 0] == lengths[:, 1]
    earned = {
        "sum": _earned(scores),
        "mean": _earned(scores / lengths),
        "slln": _earned(scores / np.sqrt(lengths)),
    }
    by_term = defaultdict(list)
    for pair, value in zip(pairs, earned["sum"].tolist(), strict=True):
        by_term[pair["term"]].append(value)
    return {
        "pairs": len(pairs),
        "accuracy": {name: _figures(values, paradigms) for name, values in earned.items()},
        "equal_length": {
            "pairs": int(equal.sum()),
            **_figures(earned["sum"][equal], [p for p, same in zip(paradigms, equal, strict=True) if same]),
        },
        "ties": round(float((earned["sum"] == 0.5).mean()), 4),
        "by_term": {name: round(float(np.mean(values)), 3) for name, values in sorted(by_term.items())},
        "cpu_seconds_to_score": round(seconds, 1),
    }  # fmt: skip


def _earned(scores: Any) -> Any:
    """One where the first is likelier, one half where the two are equal up to rounding."""
    change = scores[:, 0] - scores[:, 1]
    return np.where(np.abs(change) < 1e-9 * np.abs(scores).max(1), 0.5, (change > 0).astype(float))


def _figures(values: Any, paradigms: list[str]) -> dict[str, Any]:
    found = mean_interval(values, clusters=paradigms)
    return {
        "value": round(found.value, 4),
        "interval": [round(found.low, 4), round(found.high, 4)],
        "standard_error": round(found.standard_error, 4),
    }


if __name__ == "__main__":
    main()
