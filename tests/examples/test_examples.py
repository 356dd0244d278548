"""Every recipe of examples/ is one, works on a tiny corpus, and can be planned."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from jobs.demo.sample import write_sample
from jobs.pipeline.report import finish_run
from jobs.pipeline.runner import run_stages
from jobs.refine import STAGES
from refinery.recipe import RefineSettings, load_recipe
from schemas.manifest import read_manifest
from schemas.settings import parse_settings
from train.__main__ import main as train
from train.settings import load_train_settings

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
REFINERY = {
    path.relative_to(EXAMPLES).as_posix(): path
    for path in sorted(EXAMPLES.rglob("*.yaml"))
    if path.name != "train.yaml"
}
TRAINER = {path.parent.name: path for path in sorted(EXAMPLES.rglob("train.yaml"))}
# Ranks. The weights of the LLaMA are not here, so its last phase is planned with a preset's shape.
PLANS = {
    "llama_new_vocabulary": [
        "--world",
        "16",
        "--set",
        "phases=null",
        "--set",
        "warm_start.source=llama-7b",
    ],
    "t5_from_scratch": ["--world", "8"],
    "bert_sentence_pairs": ["--world", "8"],
}


@pytest.mark.parametrize("name", REFINERY)
def test_a_recipe_of_the_refinery_is_one(name: str) -> None:
    load_recipe(REFINERY[name])


@pytest.mark.parametrize("name", TRAINER)
def test_a_recipe_of_the_trainer_is_one(name: str) -> None:
    load_train_settings(TRAINER[name])


def test_the_page_names_every_recipe() -> None:
    page = (EXAMPLES / "README.md").read_text("utf-8")

    assert [
        path
        for path in EXAMPLES.rglob("*.yaml")
        if path.relative_to(EXAMPLES).as_posix() not in page
    ] == []


@pytest.mark.parametrize("name", TRAINER)
def test_a_recipe_of_the_trainer_can_be_planned(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = {"t5_from_scratch": "568", "bert_sentence_pairs": "512"}.get(name, "2048")
    sizes = ["--seq-len", rows, "--vocab-size", "32128"]

    code = train(["plan", "--recipe", str(TRAINER[name]), *sizes, *PLANS[name]])

    assert code == 0
    assert "parameters" in capsys.readouterr().out


def tiny(path: Path, folder: Path) -> RefineSettings:
    """The recipe over the sample: what is English reads pages, what is Chinese the news."""
    data: dict[str, Any] = yaml.safe_load(path.read_text("utf-8"))
    recipe = data["recipe"]
    for source in recipe["sources"]:
        is_chinese = source["name"] in ("zh", "books", "encyclopaedia")
        source["uri"] = str(folder / "texts" / ("news" if is_chinese else "pages"))
        source["format"] = "jsonl" if is_chinese else "html"
    for benchmark in recipe.get("decontaminate", {}).get("benchmarks", ()):
        file = folder / f"{benchmark['name']}.csv"
        file.write_text("{0}\n{0}\n".format(",".join(benchmark["fields"])))
        benchmark |= {"path": str(file), "format": "csv"}
        benchmark.pop("id_field", None)
    recipe["dedup"] = recipe.get("dedup", {}) | {"max_source_loss": None}
    vocabulary = recipe["vocabulary"]
    (vocabulary.get("extend") or vocabulary.get("train") or vocabulary)["size"] = 4500
    if "tokenizer" in vocabulary:
        vocabulary["tokenizer"] = str(folder / "english_web/dataset/tokenizer")
    recipe["split"] = {"heldout_fraction": 0.1}
    if "budget_tokens" in recipe.get("mixture", {}):
        recipe["mixture"]["budget_tokens"] = 200_000
    recipe["packing"] |= {"seq_len": 64, "shard_tokens": 50_000}
    name = path.stem if path.name != "refine.yaml" else path.parent.name
    data["runtime"] = {"output": str(folder / name), "partitions": 2}
    return parse_settings(RefineSettings, data, where=str(path))


@pytest.mark.slow
def test_recipes_of_the_refinery_make_datasets(spark: SparkSession, tmp_path: Path) -> None:
    write_sample(tmp_path / "texts")
    layouts = {}

    # The base of the one with new tokens is the tokenizer of the English one, which comes before it.
    for name, path in sorted(REFINERY.items(), key=lambda item: item[0] != "english_web.yaml"):
        settings = tiny(path, tmp_path)
        finish_run(run_stages(settings, STAGES))
        manifest = read_manifest(Path(settings.runtime.output) / "dataset")
        assert manifest.train.rows > 100, name
        layouts[manifest.name] = (manifest.layout, manifest.columns)

    assert layouts["bert-corpus"][0] == "next_sentence"
    assert "word_starts" in layouts["chinese-books-and-web"][1]
    extended = tmp_path / "llama_new_vocabulary/dataset/tokenizer/vocabulary.json"
    assert json.loads(extended.read_text("utf-8"))["tokens"]
    for name, steps in {"t5_from_scratch": "t5-test", "bert_sentence_pairs": "bert-test"}.items():
        losses = train_tiny(name, tmp_path, preset=steps)
        assert losses[-1] < losses[0]


def train_tiny(name: str, folder: Path, *, preset: str) -> list[float]:
    """Twelve steps of a recipe's objective on the tiny dataset, with a model for tests."""
    dataset = folder / name / "dataset"
    rows = read_manifest(dataset).seq_len
    data: dict[str, Any] = yaml.safe_load(TRAINER[name].read_text("utf-8"))
    data |= {"manifest": str(dataset), "output": str(folder / name / "model")}
    data["model"] |= {"preset": preset, "max_positions": rows}
    data["objective"].pop("input_tokens", None)
    data.pop("phases", None)
    data |= {"stop": {"steps": 12}, "batch": {"sequences": 8, "microbatch": 8}, "evaluation": None}
    data["precision"] = {"compute": "fp32"}
    data["schedule"]["warmup"] = 4
    recipe = folder / name / "train.yaml"
    recipe.write_text(yaml.safe_dump(data))
    assert train(["pretrain", "--recipe", str(recipe)]) == 0
    lines = (folder / name / "model/metrics.jsonl").read_text("utf-8").splitlines()
    return [json.loads(line)["loss"] for line in lines]
