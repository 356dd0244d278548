"""The mixture of tasks packs, trains a tiny T5, and its task files ask what the rows asked."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
import yaml

from refinery.supervised.pack import pack_pairs
from refinery.supervised.tasks import PairsRecipe, task_examples
from refinery.vocabulary.config import VocabularyConfig
from refinery.vocabulary.train.byte_level_bpe import train_bpe, write_tokenizer
from schemas.settings import parse_settings
from train.evaluation.load import load_task
from train.evaluation.task import read_task

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "t5_mixture"
ROWS = [
    {
        "source": f"Open file {n}", "target": f"打开文件 {n}", "review": f"好吃 {n}", "sentence1": f"a plane {n}",
        "sentence2": "a bird", "score": f"{1 + n % 5}.0", "question": f"何處 {n}？", "context": f"河在東 {n}",
        "answer": "東", "article": f"{n}",
    }
    for n in range(12)
]  # fmt: skip
LABELS = {"reviews": ("0", "1"), "ocnli": ("entailment", "neutral", "contradiction")}


@pytest.fixture
def recipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> PairsRecipe:
    """The example's recipe over tiny tables in the working directory."""
    monkeypatch.chdir(tmp_path)
    data = yaml.safe_load((EXAMPLE / "pack.yaml").read_text("utf-8"))
    names = [name for task in data["tasks"] for name in task["files"]]
    tested = ["pairs/test.jsonl", "questions/test.jsonl", "reviews-test.csv", "stsb-test.tsv", "ocnli-test.jsonl"]  # fmt: skip
    for name in (*names, *tested):
        _write(Path(name))
    write_tokenizer(
        train_bpe([json.dumps(ROWS)], VocabularyConfig(size=500)), Path("tokenizer"), 100
    )
    data |= {"tokenizer": "tokenizer", "output": "dataset", "seq_len": 128}
    return parse_settings(PairsRecipe, data, where="pack.yaml")


def _write(path: Path) -> None:
    path.parent.mkdir(exist_ok=True)
    labels = next((one for name, one in LABELS.items() if path.name.startswith(name)), ("",))
    rows = [{**row, "label": labels[n % len(labels)], "id": str(n)} for n, row in enumerate(ROWS)]
    with path.open("w", encoding="utf-8", newline="") as file:
        if path.suffix == ".jsonl":
            file.writelines(json.dumps(row) + "\n" for row in rows)
            return
        writer = csv.DictWriter(
            file, list(rows[0]), delimiter="\t" if path.suffix == ".tsv" else ","
        )
        writer.writeheader()
        writer.writerows(rows)


def test_five_kinds_of_tasks_are_one_dataset(recipe: PairsRecipe) -> None:
    manifest = pack_pairs(recipe)

    assert set(manifest.train.sources) == {task.name for task in recipe.tasks}


def test_the_task_files_ask_as_the_rows_did(recipe: PairsRecipe) -> None:
    files = {"translate", "sentiment", "stsb", "inference", "questions"}
    assert {path.stem for path in (EXAMPLE / "tasks").glob("*.yaml")} == files
    for task in recipe.tasks:
        loaded = load_task(read_task(EXAMPLE / "tasks" / f"{task.name}.yaml"), Path())
        asked = {item.candidates[0].context for item in loaded.items}
        right = {item.candidates[item.gold[0]].text for item in loaded.items}

        examples = list(task_examples(task))
        assert asked == {one.source for one in examples}
        assert right == {one.target for one in examples}
