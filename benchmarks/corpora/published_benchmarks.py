"""Settings that read every benchmark of a folder as its authors publish it.

The folder holds one sub-folder per benchmark, as the clones of their repositories do; a recipe says
the same in YAML (docs/decontamination.md).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from refinery.decontaminate.config import BenchmarkConfig

_CHOICE = {"question": "query", "choices": ["choices"], "answer": "gold"}
_CONTEXTS = {"question": "continuation", "choices": ["context_options"], "answer": "gold"}
_PIQA = {"question": "goal", "choices": ["sol1", "sol2"]}
_CMMLU = {"question": "Question", "choices": ["A", "B", "C", "D"], "answer": "Answer"}


def _mixed(name: str) -> dict[str, Any]:
    fields = ["query", "choices"]
    return {"path": f"mixed/{name}.jsonl", "fields": fields, "multiple_choice": _CHOICE}


def _schema(name: str) -> dict[str, Any]:
    fields = ["context_options", "continuation"]
    return {"path": f"mixed/{name}.jsonl", "fields": fields, "multiple_choice": _CONTEXTS}


GSM8K = "gsm8k/grade_school_math/data"
PIQA = "piqa/piqa/data"
PUBLISHED: dict[str, dict[str, Any]] = {
    "gsm8k": {"path": f"{GSM8K}/t*[nt].jsonl", "fields": ["question", "answer"]},
    "gsm8k-socratic": {"path": f"{GSM8K}/test_socratic.jsonl", "fields": ["question", "answer"]},
    "gsm8k-solutions": {
        "path": f"{GSM8K}/example_model_solutions.jsonl",
        "fields": ["question", "ground_truth"],
    },
    "humaneval": {
        "path": "humaneval/data/HumanEval.jsonl.gz",
        "fields": ["prompt", "canonical_solution"],
        "id_field": "task_id",
    },
    "hellaswag": {
        "path": "hellaswag/*.txt.bz2",
        "format": "lines",
        "columns": ["context", "label", "a", "b", "c", "d"],
        "fields": ["context", "a", "b", "c", "d"],
        "multiple_choice": {
            "question": "context",
            "choices": ["a", "b", "c", "d"],
            "answer": "label",
        },
    },
    "lambada": {"path": "lambada/lambada_test.jsonl", "fields": ["text"]},
    "piqa": {
        "path": f"{PIQA}/valid.jsonl",
        "fields": ["goal", "sol1", "sol2"],
        "multiple_choice": {**_PIQA, "labels": f"{PIQA}/valid-labels.lst"},
    },
    "piqa-test": {
        "path": f"{PIQA}/tests.jsonl",
        "fields": ["goal", "sol1", "sol2"],
        "multiple_choice": _PIQA,
    },
    "mmlu": {
        "path": "mmlu/mmlu_redux",
        "format": "csv",
        "fields": ["question", "choices"],
        "multiple_choice": {"question": "question", "choices": ["choices"], "answer": "answer"},
    },
    "cmmlu": {
        "path": "cmmlu/data/test",
        "format": "csv",
        "fields": ["Question", "A", "B", "C", "D"],
        "multiple_choice": _CMMLU,
    },
    "cmmlu-dev": {
        "path": "cmmlu/data/dev",
        "format": "csv",
        "fields": ["Question", "A", "B", "C", "D"],
        "multiple_choice": _CMMLU,
    },
    "sst2": {
        "path": "sst2/data/SST2",
        "format": "tsv",
        "columns": ["sentence", "label"],
        "fields": ["sentence"],
    },
    "stsb": {
        "path": "stsb/data",
        "format": "csv",
        "columns": ["first", "second", "score"],
        "fields": ["first", "second"],
    },
    "ocnli": {
        "path": "ocnli/*.json",
        "fields": ["sentence1", "sentence2"],
        "id_field": "id",
    },
    "rte": {
        "path": "rte/rte.zip",
        "format": "xml",
        "members": "*.xml",
        "fields": ["t", "h"],
        "id_field": "id",
    },
    "arc-challenge": _mixed("arc_challenge"),
    "arc-easy": _mixed("arc_easy"),
    "boolq": _mixed("boolq"),
    "commonsense-qa": {**_mixed("commonsense_qa"), "fields": ["query"]},
    "copa": _mixed("copa"),
    "openbook-qa": _mixed("openbook_qa"),
    "winograd": _schema("winograd_wsc"),
    "winogrande": _schema("winogrande"),
    "arithmetic": {
        "path": "mixed/simple_arithmetic_withspaces.jsonl",
        "fields": ["context", "continuation"],
    },
}


def published(folder: Path) -> tuple[BenchmarkConfig, ...]:
    """One configuration per benchmark below `folder`."""
    configs = []
    for name, plain in PUBLISHED.items():
        chosen = {"name": name, **plain, "path": str(folder / plain["path"])}
        asked = plain.get("multiple_choice")
        if asked and "labels" in asked:
            chosen["multiple_choice"] = {**asked, "labels": str(folder / asked["labels"])}
        configs.append(BenchmarkConfig.model_validate(chosen))
    return tuple(configs)
