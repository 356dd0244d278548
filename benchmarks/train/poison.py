"""One poison document among 100,000: the run stops at it twice, triage names it, and the next dataset is without it.

    python -m benchmarks.train.poison WORK [--documents 100000]

The refinery packs made-up prose with one document of random letters, which fills several rows and so comes at several steps: a detector judges
from step 32 on, and a model that has learned nothing finds all text as strange, so a document of one row may come too early to be told.
A supervised run whose `stability.action` is `stop` ends after exactly two attempts, the second of which confirms the step. `train triage`
replays it from an earlier checkpoint and against its neighbours, and writes `quarantine.jsonl`; a second recipe of the refinery takes that as
`exclude.documents`, and a run on its dataset passes the same number of steps. What a folder holds is not done again.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from benchmarks.record import ROOT, argument_parser, record
from jobs.spark.java import find_java
from schemas.manifest import read_manifest
from train.report.events import read_events

SEQ_LEN, ROWS, STEPS_BACK, CHECKPOINT_STEPS, MORE_STEPS = 32, 32, 50, 25, 50
# The worst row of an ordinary step was at most 6.7 deviations above its median, in the 2,365 judged steps of a run over 76,734 rows.
ROW_DEVIATIONS = 10
POISON_ADDRESS = "https://poison.example.org/"
_SYLLABLES = [a + b for a in "bdfgklmnprst" for b in "aeiou"]


def prose(generator: random.Random, words: list[str], weights: list[float]) -> str:
    """Two sentences of made-up words, the frequent ones as frequent as in a language."""
    drawn = generator.choices(words, cum_weights=weights, k=18)
    return f"{' '.join(drawn[:9]).capitalize()}. {' '.join(drawn[9:]).capitalize()}."


def random_letters() -> str:
    """Eight words of characters that the prose has not: about 200 tokens."""
    generator = random.Random(13)
    return " ".join("".join(generator.choices("qxzjvwQXZJVW#%&", k=25)) for _ in range(8))


def documents(count: int) -> Iterator[dict[str, str]]:
    """All documents; the poison is one of them."""
    generator = random.Random(7)
    words = sorted({"".join(generator.choices(_SYLLABLES, k=1 + n % 3)) for n in range(3000)})
    generator.shuffle(words)
    weights, total = [], 0.0
    for rank in range(len(words)):
        total += 1 / (rank + 3)
        weights.append(total)
    poisoned = count * 3 // 5
    for number in range(count):
        if number == poisoned:
            yield {"url": POISON_ADDRESS, "text": random_letters()}
        else:
            text = prose(generator, words, weights)
            yield {"url": f"https://a.example.org/{number}", "text": text}


def refine(work: Path, name: str, **changes: Any) -> Path:
    """Pack the documents with the refinery, unless that is done; the dataset's folder."""
    output = work / name
    if not (output / "dataset" / "manifest.json").is_file():
        recipe = {
            "recipe": {
                "name": name,
                "seed": 5,
                "sources": [{"name": "prose", "uri": str(work / "documents"), "format": "jsonl"}],
                "clean": {"language": {"min_score": None}, "rules": {"enabled": False}},
                "vocabulary": {"size": 2000},
                "split": {"heldout_fraction": 0.001},
                "packing": {"seq_len": SEQ_LEN, "shard_tokens": 400_000},
                **changes,
            },
            "runtime": {"output": str(output), "partitions": 4},
        }
        path = work / f"{name}.yaml"
        path.write_text(json.dumps(recipe), encoding="utf-8")
        environment = {"JAVA_HOME": str(find_java().home), "SPARK_LOCAL_IP": "127.0.0.1"}
        call([sys.executable, "-m", "jobs.refine", "--recipe", str(path)], environment=environment)
    return output / "dataset"


def call(
    command: list[str], *, expected: int = 0, environment: Mapping[str, str] | None = None
) -> str:
    """Run a program to its end; what it printed."""
    done = subprocess.run(
        command,
        cwd=ROOT,
        env={
            "OMP_NUM_THREADS": "1",
            **os.environ,
            **(environment or {}),
            "PYTHONPATH": str(ROOT),
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == expected, (done.returncode, done.stdout[-2000:], done.stderr[-4000:])
    return done.stdout


def train(work: Path, name: str, data: Path, steps: int, *, expected: int) -> Path:
    """A supervised run; returns its folder."""
    output, path = work / name, work / f"{name}.yaml"
    recipe = {
        "manifest": str(data),
        "output": str(output),
        "threads": 1,
        "model": {"preset": "gpt2-test", "dropout": 0.0},
        "batch": {"sequences": ROWS, "microbatch": ROWS},
        "stop": {"steps": steps},
        "schedule": {"peak_lr": 0.003, "lr_scheduler_type": "constant", "warmup": 20},
        "stability": {
            "detectors": [{"kind": "mad", "signal": "row_loss", "k": ROW_DEVIATIONS}],
            "action": {"kind": "stop"},
        },
        "evaluation": None,
        "checkpoint": {
            "every_steps": CHECKPOINT_STEPS, "keep_last": 2, "export": False,
            "keep_every_steps": CHECKPOINT_STEPS,
        },
        "metrics": {"tensorboard": False, "peak_flops": 1e12},
    }  # fmt: skip
    path.write_text(json.dumps(recipe), encoding="utf-8")
    command = [sys.executable, "-m", "train", "supervise", "--recipe", str(path), "--ranks", "1"]
    call(command, expected=expected)
    return output


def rows_with(dataset: Path, doc_id: str) -> int:
    """Number of rows of a dataset that hold any of a document."""
    manifest, found = read_manifest(dataset), 0
    for shard in [*manifest.train.shards, *manifest.heldout.shards]:
        segments = pq.read_table(dataset / shard.path, columns=["segments"])["segments"]
        found += sum(any(one["doc_id"] == doc_id for one in row) for row in segments.to_pylist())
    return found


def poisoned_document(work: Path) -> str:
    """The id of the poison, from the refinery's own table."""
    folder = work / "first" / "tables" / "clean"
    for path in folder.rglob("*.parquet"):
        names = pq.read_schema(path).names
        if "url" in names and "doc_id" in names:
            table = pq.read_table(path, columns=["doc_id", "url"])
            for row in table.to_pylist():
                if row["url"] == POISON_ADDRESS:
                    return str(row["doc_id"])
    raise AssertionError("the poison is in no table of the clean stage")


def main() -> None:
    """Plant, stop, name, take out, go on."""
    parser = argument_parser(__doc__)
    parser.add_argument("work", type=Path)
    parser.add_argument("--documents", type=int, default=100_000)
    args = parser.parse_args()
    work, started = args.work, time.monotonic()
    source = work / "documents" / "documents.jsonl"
    if not source.is_file():
        source.parent.mkdir(parents=True)
        lines = (json.dumps(one) + "\n" for one in documents(args.documents))
        source.write_text("".join(lines), encoding="utf-8")
    first = refine(work, "first")
    manifest, poison = read_manifest(first), poisoned_document(work)
    steps = manifest.train.rows // ROWS
    run = work / "run"
    if not (run / "quarantine.jsonl").is_file():
        train(work, "run", first, steps, expected=93)
    ends = [event for event in read_events(run / "events.jsonl") if event["kind"] == "attempt_end"]
    spiked = int(ends[-1]["entity"].removeprefix("step "))
    command = [sys.executable, "-m", "train", "triage", "--recipe", str(work / "run.yaml")]
    said = call([*command, "--step", str(spiked), "--steps-back", str(STEPS_BACK)])
    verdict, worst, *_ = map(json.loads, said.splitlines()[:2])
    lines = (run / "quarantine.jsonl").read_text(encoding="utf-8").splitlines()
    exclude = {"documents": [str(run / "quarantine.jsonl")]}
    second = refine(work, "second", exclude=exclude)
    after = train(work, "run-after", second, min(spiked + MORE_STEPS, steps), expected=0)
    attempts = [
        event for event in read_events(after / "events.jsonl") if event["kind"] == "attempt"
    ]
    record(
        "poison",
        {
            "documents": args.documents,
            "rows": manifest.train.rows,
            "attempts": len(ends),
            "causes": [end["cause"] for end in ends],
            "rules": [end["rule"] for end in ends],
            "exit_code": ends[-1]["exit_code"],
            "step": spiked,
            "verdict": verdict["verdict"],
            "spiked_now": verdict["spiked_now"],
            "spiked_before": verdict["spiked_before"],
            "others_now": verdict["others_now"],
            "others_before": verdict["others_before"],
            "worst_segment": worst,
            "poison_doc_id": poison,
            "is_named": [json.loads(line)["doc_id"] for line in lines] == [poison],
            "rows_in_first": rows_with(first, poison),
            "rows_in_second": rows_with(second, poison),
            "is_in_second": rows_with(second, poison) > 0,
            "attempts_after": len(attempts),
            "seconds": round(time.monotonic() - started, 1),
        },
    )


if __name__ == "__main__":
    main()
