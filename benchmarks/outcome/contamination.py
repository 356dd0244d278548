"""Dose and response: what copies of benchmark items in the training text do to the scores on these items.

    python -m benchmarks.outcome.contamination [--plan | --table] --work WORK

600 questions of ARC-Easy, each planted 0, 1, 2, 4 or 8 times with its right answer into pieces of English books; five pairs of
runs, through which every question gets every dose once. Questions of dose 0 in the same run are the baseline: the form
alone, seen 1,800 times, buys half a bit per byte. The other run of a pair reads the same text after our search cut what it
found, 200 characters around it included. One pass each by a GPT of a million parameters. Finished runs are lines of
results/contamination.jsonl and are never trained twice.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
os.environ.setdefault("OMP_NUM_THREADS", "1")

from benchmarks.corpora.packed_text import write_dataset
from benchmarks.corpora.text_files import DATA, read_texts
from benchmarks.outcome.studies import LARGER, OutcomeStudy, plan_over
from benchmarks.record import RESULTS, argument_parser
from benchmarks.train.run_records import (
    RecordedExecutor,
    Records,
    read_records,
    run_key,
    take_recorded,
)
from refinery.decontaminate.benchmarks import Item
from refinery.decontaminate.config import BenchmarkConfig, DecontaminateConfig
from refinery.decontaminate.index import BenchmarkIndex
from refinery.text.utf8 import Texts
from refinery.vocabulary.config import VocabularyConfig
from refinery.vocabulary.train.byte_level_bpe import train_bpe, write_tokenizer
from schemas.errors import PipelineError
from schemas.manifest import read_manifest
from schemas.yaml_files import dump_yaml
from train.evaluation.items import ItemScore
from train.statistics.intervals import Estimate, mean_interval
from train.studies.claims import AskedToStopError
from train.studies.execute import Executor
from train.studies.folder import enter, identity_of
from train.studies.runs import StudyRun
from train.studies.work import work_through

RECORD = RESULTS / "contamination.jsonl"
PLANTED, CUT = "planted", "decontaminated"
DOSES, PAIRS, ITEMS = (0, 1, 2, 4, 8), 5, 600
HOST_CHARS, HELD_OUT_HOSTS = 3000, 40
CUT_CHARS = DecontaminateConfig.model_fields["cut_chars"].default
VOCABULARY, SEQ_LEN = 4096, 256
FIGURES = {"bits": "gold bits per byte", "chance": "gold probability", "right": "accuracy"}
TASK = "planted-items"


@dataclass(frozen=True, kw_only=True)
class Question:
    """A question with its choices, of which `gold` is right."""

    query: str
    choices: tuple[str, ...]
    gold: int

    @property
    def planted(self) -> str:
        """As it is planted: what the evaluation scores, with the right answer."""
        return f"{self.query}\nAnswer: {self.choices[self.gold]}"


def read_questions(path: Path, count: int = ITEMS) -> list[Question]:
    """Some questions of a file, by the hash of their text."""
    with path.open(encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines]
    found = {row["query"]: row for row in rows}.values()
    chosen = sorted(found, key=lambda row: _number(row["query"]))[:count]
    return [
        Question(query=row["query"], choices=tuple(row["choices"]), gold=row["gold"])
        for row in chosen
    ]


def doses(questions: Sequence[Question], pair: int) -> list[int]:
    """Copies of each question in a pair of runs; five pairs give each question every dose once."""
    return [DOSES[(number + pair) % len(DOSES)] for number in range(len(questions))]


def planted_texts(hosts: Sequence[str], questions: Sequence[Question], pair: int) -> list[str]:
    """The hosts, some of them with a question at the end of a paragraph; each copy has a host of its own.

    Raises:
        ValueError: There are fewer hosts than copies.
    """
    copies = [
        (question, copy)
        for question, dose in zip(questions, doses(questions, pair), strict=True)
        for copy in range(dose)
    ]
    if len(copies) > len(hosts):
        raise ValueError(f"{len(copies)} copies need as many hosts, got {len(hosts)}")
    copies.sort(key=lambda one: _number(f"{pair}\x1f{one[1]}\x1f{one[0].query}"))
    texts = list(hosts)
    for number, (question, _) in enumerate(copies):
        host = texts[number]
        middle = host.find("\n", len(host) // 2)
        middle = len(host) if middle < 0 else middle
        texts[number] = f"{host[:middle]}\n{question.planted}\n{host[middle:]}"
    return texts


def cut_texts(texts: Sequence[str], questions: Sequence[Question]) -> tuple[list[str], int]:
    """Texts without what our search finds of the questions and 200 characters around it; and how many texts it found any in."""
    benchmark = BenchmarkConfig(name="planted", path="unused", fields=("query",))
    items = [Item("planted", str(n), one.planted) for n, one in enumerate(questions)]
    index = BenchmarkIndex.build(items, DecontaminateConfig(benchmarks=(benchmark,)))
    spans: dict[int, list[tuple[int, int]]] = {}
    for start in range(0, len(texts), 200):
        for match in index.scan(Texts.of(texts[start : start + 200])):
            spans.setdefault(start + match.text, []).append((match.start, match.end))
    return [_without(text, spans.get(number, [])) for number, text in enumerate(texts)], len(spans)


def _without(text: str, spans: Sequence[tuple[int, int]]) -> str:
    kept, at = [], 0
    for start, end in sorted(spans):
        kept.append(text[at : max(at, start - CUT_CHARS)])
        at = max(at, end + CUT_CHARS)
    return "".join([*kept, text[at:]])


def item_figures(scores: Sequence[ItemScore]) -> dict[str, float]:
    """Each figure by dose, `bits:4`: means over the items of a dose, which the task has as its group."""
    by_dose: dict[str, list[tuple[float, float, float]]] = {}
    for one in scores:
        (gold,) = one.gold
        logs = one.log_likelihoods
        highest = max(logs)
        chances = [math.exp(log - highest) for log in logs]
        found = (
            -logs[gold] / math.log(2) / one.bytes[gold],
            chances[gold] / sum(chances),
            float(logs.index(highest) == gold),
        )
        by_dose.setdefault(str(one.group), []).append(found)
    return {
        f"{name}:{dose}": fmean(row[column] for row in rows)
        for dose, rows in by_dose.items()
        for column, name in enumerate(FIGURES)
    }


def responses(records: Records, arm: str) -> dict[str, dict[int, Estimate]]:
    """By figure and dose: dose minus none, in the same run, over the pairs that are recorded."""
    runs = [
        run
        for pair in range(1, PAIRS + 1)
        for run in records.of_study(_name(pair))
        if run.arm == arm and run.state == "done"
    ]
    if not runs:
        return {}
    return {
        figure: {
            dose: mean_interval([run.figures[f"{figure}:{dose}"] - run.figures[f"{figure}:0"] for run in runs])
            for dose in DOSES[1:]
        }
        for figure in FIGURES
    }  # fmt: skip


def _name(pair: int) -> str:
    return f"dose-{pair}"


def _number(text: str) -> int:
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big")


def write_pair(
    folder: Path, pair: int, *, texts: Path, questions: Sequence[Question]
) -> dict[str, Path]:
    """The datasets of a pair, unless they are there; the tokenizer is that of the books, for all pairs."""
    pieces = [
        text[start : start + HOST_CHARS]
        for text in read_texts(texts / "books-en.jsonl.gz")
        for start in range(0, len(text) - HOST_CHARS, HOST_CHARS)
    ]
    pieces.sort(key=_number)
    held, hosts = pieces[:HELD_OUT_HOSTS], pieces[HELD_OUT_HOSTS:]
    copies = sum(doses(questions, pair))
    tokenizer = folder / "tokenizer"
    if not tokenizer.is_dir():
        write_tokenizer(
            train_bpe(hosts[:copies], VocabularyConfig(size=VOCABULARY, sentinels=0)), tokenizer, 0
        )
    planted = planted_texts(hosts[:copies], questions, pair)
    cut, found = cut_texts(planted, questions)
    arms = {}
    for arm, train in ((PLANTED, planted), (CUT, cut)):
        arms[arm] = folder / f"pair-{pair}" / arm
        write_dataset(
            arms[arm], name=arm, train=train, heldout=held, tokenizer=tokenizer, seq_len=SEQ_LEN
        )
    print(f"pair {pair}: {copies} copies, our search found {found} of their texts", flush=True)
    return arms  # fmt: skip


def write_task(folder: Path, pair: int, questions: Sequence[Question]) -> Path:
    """A task file of the questions, grouped by their dose in this pair."""
    target = folder / f"pair-{pair}"
    target.mkdir(parents=True, exist_ok=True)
    rows = [
        {"query": q.query, "choices": list(q.choices), "gold": q.gold, "dose": str(dose)}
        for q, dose in zip(questions, doses(questions, pair), strict=True)
    ]
    (target / "items.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    task = {
        "name": TASK, "kind": "multiple_choice", "language": "en", "source": "as arc-easy", "data": {"path": "items.jsonl"},
        "prompt": "{query}\nAnswer:", "choices": "choices", "answer": "gold", "group": "{dose}",
    }  # fmt: skip
    path = target / f"{TASK}.yaml"
    path.write_text(dump_yaml(task))
    return path


def _scorer(task: Path) -> Callable[[StudyRun], dict[str, float]]:
    def score(run: StudyRun) -> dict[str, float]:
        from train.__main__ import main as train_main

        output = Path(run.settings.output)
        train_main(["evaluate", "--model", str(output), "--tasks", str(task), "--data", str(task.parent)])  # fmt: skip
        (found,) = json.loads((output / "evaluation.json").read_text("utf-8"))["tasks"]
        lines = (output / "evaluation" / found["items_file"]).read_text("utf-8").splitlines()
        return item_figures([_score(json.loads(line)) for line in lines])

    return score


def _score(row: Mapping[str, Any]) -> ItemScore:
    return ItemScore(
        id=row["id"], gold=tuple(row["gold"]), log_likelihoods=tuple(row["log_likelihoods"]), tokens=tuple(row["tokens"]),
        chars=tuple(row["chars"]), bytes=tuple(row["bytes"]), greedy=tuple(row["greedy"]), group=row["group"],
    )  # fmt: skip


def run_pair(
    pair: int,
    folder: Path,
    *,
    texts: Path,
    questions: Sequence[Question],
    path: Path = RECORD,
    recipe: Mapping[str, Any] = LARGER,
    most_runs: int | None = None,
) -> int | None:
    """Train and score both runs of a pair, unless they are recorded; how many of `most_runs` are left.

    Raises:
        AskedToStopError: So many runs are done, or SIGTERM.
    """
    arms = write_pair(folder, pair, texts=texts, questions=questions)
    passes = [read_manifest(arm).train.account.packed for arm in arms.values()]
    step = SEQ_LEN * recipe["batch"]["sequences"]
    study = OutcomeStudy(
        name=_name(pair),
        title="Doses",
        question="What do copies of a benchmark's items buy?",
        arms=(PLANTED, CUT),
        recipe=recipe,
        tokens=min(passes) // step * step,
        seeds=1,
    )
    planned = plan_over(study, arms, evaluation=arms[PLANTED], folder=folder / "studies")
    keys = {
        run.name: run_key(
            base=planned.base.data,
            measure=planned.measure,
            budget={"tokens": study.tokens},
            changes={},
            seed=run.seed,
            beside={"pair": pair, "items": len(questions)},
            roots=[read_manifest(arms[run.arm]).root],
        )
        for run in planned.runs
    }
    enter(planned.folder, identity_of(planned))
    take_recorded(planned.runs, planned.folder, keys, read_records(path), study.name)
    executor = RecordedExecutor(
        study=study.name,
        keys=keys,
        path=path,
        inner=Executor(planned.measure),
        beside=_scorer(write_task(folder, pair, questions)),
        left=most_runs,
    )
    work_through(planned.runs, planned.folder, executor)
    return executor.left


def table_text(records: Records) -> str:
    """Dose minus none by figure, with intervals over pairs, for both arms."""
    lines = []
    for arm in (PLANTED, CUT):
        found = responses(records, arm)
        pairs = sum(
            run.arm == arm for pair in range(1, PAIRS + 1) for run in records.of_study(_name(pair))
        )
        lines.append(f"{arm}: {pairs} of {PAIRS} runs")
        for figure, by_dose in found.items():
            for dose, one in by_dose.items():
                span = (
                    f"{one.low:+.4f} to {one.high:+.4f}"
                    if math.isfinite(one.low)
                    else "one pair: not known"
                )
                lines.append(f"  {FIGURES[figure]:<20}{dose} copies  {one.value:+.4f}  ({span})")
    return "\n".join(lines)


def main(argv: Sequence[str] | None = None) -> int:
    """Do what the arguments say; the exit code."""
    parser = argument_parser(__doc__)
    parser.add_argument("--work", type=Path, default=Path("runs/contamination"))
    parser.add_argument("--texts", type=Path, default=DATA / "text")
    parser.add_argument("--items", type=Path, default=DATA / "benchmarks/mixed/arc_easy.jsonl")
    parser.add_argument("--table", action="store_true", help="what is recorded; train nothing")
    parser.add_argument("--plan", action="store_true", help="what is left; train nothing")
    parser.add_argument("--most-runs", type=int, help="end after so many; default: all")
    args = parser.parse_args(argv)
    records = read_records(RECORD)
    if args.table:
        print(table_text(records))
        return 0
    if args.plan:
        done = sum(len(records.of_study(_name(pair))) for pair in range(1, PAIRS + 1))
        print(
            f"{done} of {2 * PAIRS} runs are recorded; a run is one pass over 1.5 M tokens, about 200 CPU seconds"
        )
        return 0
    questions, left = read_questions(args.items), args.most_runs
    try:
        for pair in range(1, PAIRS + 1):
            left = run_pair(pair, args.work, texts=args.texts, questions=questions, most_runs=left)
    except AskedToStopError as error:
        print(f"{error}; the same command goes on")
        return PipelineError.exit_code
    print(table_text(read_records(RECORD)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
