"""Does a search find better settings than chance at the same number of trials, and what do rungs save?

    python -m benchmarks.train.search_race [--texts FOLDER] [--only NAME ...] [--trials 30] [--repeats 3] [--tokens 8192]

A GPT of one layer of 32 reads English books in rows of 64 (byte-level BPE of 512). Each search looks for rate, batch, dropout,
decay and optimizer; repeats differ in the sampler's seed. TPE, GP and chance run every trial to its end; `tpe, rungs`, with one seed, lets trials
wait at 3 rungs of factor 3. CMA-ES, which knows numbers alone, looks for rate, dropout and decay, and so does a second search by chance. Beside the best trial
of each search stands its loss with two seeds that no trial had. Repeats that the result has are not run again.
"""

from __future__ import annotations

import json
import os
import statistics
import tempfile
from pathlib import Path
from typing import Any

os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
os.environ.setdefault("OMP_NUM_THREADS", "1")

from benchmarks.corpora.packed_text import write_dataset
from benchmarks.corpora.text_files import DATA, read_pieces
from benchmarks.record import RESULTS, argument_parser, record
from refinery.vocabulary.config import VocabularyConfig
from refinery.vocabulary.train.byte_level_bpe import train_bpe, write_tokenizer
from schemas.settings import parse_settings
from schemas.yaml_files import dump_yaml
from train.studies.execute import Executor
from train.studies.found_search import FoundSearch
from train.studies.search_study import run_search
from train.studies.settings import StudySettings

NAME = "search_race"
VOCABULARY, SEQ_LEN, TEXT_BYTES, HELDOUT_PIECES = 512, 64, 400_000, 6
SPACE: dict[str, Any] = {
    "schedule.peak_lr": {"low": 1e-4, "high": 1.0, "log": True},
    "batch.sequences": [4, 8, 16, 32],
    "model.dropout": {"low": 0.0, "high": 0.4},
    "optimizer.weight_decay": {"low": 0.0, "high": 0.5},
    "optimizer.name": ["adamw", "lion"],
}
NUMBERS = {name: space for name, space in SPACE.items() if isinstance(space, dict)}
SEARCHES: dict[str, dict[str, Any]] = {
    "random": {"sampler": "random"},
    "tpe": {"sampler": "tpe"},
    "tpe, rungs": {"sampler": "tpe", "pruning": {"rungs": 3, "factor": 3}},
    "gp": {"sampler": "gp"},
    "random, three settings": {"sampler": "random", "space": NUMBERS},
    "cmaes, three settings": {"sampler": "cmaes", "space": NUMBERS},
}


def main() -> None:
    """Search in each way with each seed of the sampler."""
    parser = argument_parser(__doc__)
    parser.add_argument("--texts", type=Path, default=DATA / "text")
    parser.add_argument(
        "--only", nargs="+", choices=SEARCHES, default=list(SEARCHES), metavar="NAME",
        help=f"of {', '.join(map(repr, SEARCHES))}; all by default",
    )  # fmt: skip
    parser.add_argument("--trials", type=int, default=30)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--tokens", type=int, default=8_192, help="of a trial that goes to its end")
    args = parser.parse_args()
    by_name = _known(args.trials, args.tokens)
    with tempfile.TemporaryDirectory(prefix="search-race-") as work:
        recipe = _write_recipe(args.texts, Path(work))
        for seed in range(1, args.repeats + 1):
            for name, settings in SEARCHES.items():
                is_known = seed <= len(by_name.setdefault(name, []))
                if is_known or name not in args.only or ("pruning" in settings and seed > 1):
                    continue
                study = {
                    "question": name,
                    "recipe": str(recipe),
                    "output": str(Path(work) / f"{name}-{seed}"),
                    "seeds": [1],
                    "budget": {"tokens": args.tokens},
                    "pilot": None,
                    "search": {"space": SPACE, "trials": args.trials, "seed": seed, "confirm": 2, **settings},
                }  # fmt: skip
                parsed = parse_settings(StudySettings, study, where=name)
                found = run_search(parsed, Executor, say=lambda text: None)
                by_name[name].append(_figures(found))
                done = {name: _summary(runs) for name, runs in by_name.items() if runs}
                result = {"trials": args.trials, "tokens_of_a_trial": args.tokens, "searches": done}
                record(NAME, result)


def _known(trials: int, tokens: int) -> dict[str, list[dict[str, Any]]]:
    """The repeats that the result holds of searches as long as these, the first seeds first."""
    path = RESULTS / f"{NAME}.json"
    found = json.loads(path.read_text("utf-8")) if path.is_file() else {}
    if (found.get("trials"), found.get("tokens_of_a_trial")) != (trials, tokens):
        return {}
    return {name: list(one["repeats"]) for name, one in found["searches"].items()}


def _write_recipe(texts: Path, work: Path) -> Path:
    pieces = read_pieces(texts / "books-en.jsonl.gz", TEXT_BYTES)
    heldout = pieces[:: max(1, len(pieces) // HELDOUT_PIECES)][:HELDOUT_PIECES]
    train = [piece for piece in pieces if piece not in heldout]
    tokenizer = work / "tokenizer"
    write_tokenizer(train_bpe(train, VocabularyConfig(size=VOCABULARY, sentinels=0)), tokenizer, 0)
    write_dataset(
        work / "data", name="books", train=train, heldout=heldout, tokenizer=tokenizer,
        seq_len=SEQ_LEN,
    )  # fmt: skip
    recipe = {
        "manifest": str(work / "data"),
        "model": {
            "preset": "gpt2-tiny", "num_layers": 1, "width": 32, "num_heads": 2, "max_positions": SEQ_LEN,
        },
        "batch": {"sequences": 8, "microbatch": 32},
        "schedule": {"peak_lr": 0.003, "warmup_fraction": 0.1},
        "checkpoint": {"every_steps": 100_000},
        "metrics": {"every_steps": 50},
        "threads": 1,
    }  # fmt: skip
    path = work / "recipe.yaml"
    path.write_text(dump_yaml(recipe), encoding="utf-8")
    return path


def _figures(found: FoundSearch) -> dict[str, Any]:
    values = [one.value for one in found.trials if one.value is not None]
    best_so_far = [
        min(value for value in (one.value for one in found.trials[:count]) if value is not None)
        for count in (10, 20, len(found.trials))
        if any(one.value is not None for one in found.trials[:count])
    ]
    confirmed = found.confirmation
    rows = [] if confirmed is None else confirmed.table.rows
    return {
        "best": min(values),
        "best_after_10_20_all": best_so_far,
        "with_other_seeds": rows[1].value if len(rows) > 1 else None,
        "recipe_with_other_seeds": rows[0].value if rows else None,
        "tokens": sum(one.tokens for one in found.trials),
        "tokens_if_rungs_began_anew": sum(one.restarted_tokens for one in found.trials),
        "to_the_end": len(values),
        "settings": {} if found.best is None else found.best.settings,
    }


def _summary(runs: list[dict[str, Any]]) -> dict[str, Any]:
    best = [run["best"] for run in runs]
    return {
        "mean_of_best": round(statistics.fmean(best), 4),
        "deviation": round(statistics.stdev(best), 4) if len(best) > 1 else None,
        "mean_tokens": round(statistics.fmean(run["tokens"] for run in runs)),
        "repeats": runs,
    }


if __name__ == "__main__":
    main()
