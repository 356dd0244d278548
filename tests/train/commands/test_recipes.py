"""The recipes of the package: found by name, and each trained at a tiny size."""

from __future__ import annotations

import json
import logging
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from schemas.errors import SettingsError
from schemas.manifest import SpecialIds
from tests.support.datasets import DatasetShape, write_dataset
from tests.support.extended import TwoDatasets, write_two_datasets
from train.__main__ import main
from train.commands import recipes as command
from train.recipe_files import find_recipe, shipped_recipes
from train.settings import load_train_settings

SEQ_LEN = 16
SHAPE = DatasetShape(
    seq_len=SEQ_LEN,
    vocab_size=111,
    special=SpecialIds(
        pad=0, eos=1, mask=2, cls=3, sep=4, bos=5, sentinels=tuple(range(110, 90, -1))
    ),
)
SENTENCES = replace(
    SHAPE, layout="next_sentence", columns=("word_starts", "segment_b_start", "is_next")
)
# What is too large for a test of seconds: batch, memory, and the lengths of run and warm-up.
TINY = [
    "batch.sequences=4", "batch.microbatch=2", "threads=1", "checkpoint.every_steps=100",
    "evaluation.every_steps=null", "schedule.unit=steps", "schedule.warmup=1", "stop={steps: 3}",
]  # fmt: skip
ALONE = ["parallel.dp_shard=1", "recompute=none"]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Datasets by what they are: plain rows, sentence pairs, tasks; and of a base and its extension."""
    folder = tmp_path_factory.mktemp("data")
    shapes = {
        "plain": SHAPE,
        "tasks": replace(SHAPE, layout="pairs", columns=("target_start",)),
        "sentences": SENTENCES,
        "long sentences": replace(SENTENCES, seq_len=2 * SEQ_LEN),
    }
    found = {name: write_dataset(folder / name, shape) for name, shape in shapes.items()}
    two: TwoDatasets = write_two_datasets(folder)
    return {**found, "base": two.base, "extended": two.extended}


def train(name: str, output: Path, *changes: str, source: Path | None = None) -> list[float]:
    """The losses of a run of a shipped recipe; of its last phase, where it has several."""
    sets = [argument for change in (*TINY, *changes) for argument in ("--set", change)]
    started = ["--from", str(source)] if source is not None else []
    arguments = ["pretrain", "--recipe", name, *started, *sets, "--set", f"output={output}"]
    logging.disable(logging.CRITICAL)
    try:
        assert main(arguments) == 0
    finally:
        logging.disable(logging.NOTSET)
    return losses(output)


def losses(run: Path) -> list[float]:
    return [json.loads(line)["loss"] for line in (run / "metrics.jsonl").open()]


@pytest.mark.parametrize("name", shipped_recipes())
def test_a_shipped_recipe_is_one_and_says_what_it_is(name: str) -> None:
    path = find_recipe(Path(name))

    load_train_settings(path)

    first = path.read_text("utf-8").splitlines()[0]
    assert first.startswith("# ")
    assert first.endswith(".")


def test_a_recipe_is_listed_and_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["recipes"]) == 0
    listed = capsys.readouterr().out.splitlines()
    assert main(["recipes", "gpt-small"]) == 0
    printed = yaml.safe_load(capsys.readouterr().out)

    assert [line.split()[0] for line in listed] == list(shipped_recipes())
    assert printed["model"]["preset"] == "gpt2-small"


def test_a_file_comes_before_a_name_and_an_unknown_name_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "bert").write_text("output: mine\n")

    (tmp_path / "gpt-small").mkdir()  # the output of a run of this recipe

    assert find_recipe(Path("bert")) == Path("bert")
    assert find_recipe(Path("gpt-small")).name == "gpt-small.yaml"
    assert command.find_recipe is find_recipe
    with pytest.raises(SettingsError, match="no recipe of the package; did you mean 'gpt-small'"):
        find_recipe(Path("gpt-smal"))
    assert find_recipe(Path("gone.yaml")) == Path("gone.yaml")  # the reader says that it is gone


def test_every_recipe_is_in_the_docs() -> None:
    page = (Path(__file__).parents[3] / "docs" / "training_recipes.md").read_text("utf-8")

    assert [name for name in shipped_recipes() if f"`{name}`" not in page] == []


@pytest.mark.parametrize("name", ["gpt-small", "gpt-1b", "t5-v1.1", "bert"])
def test_what_the_docs_set_makes_a_small_plan_of_a_recipe(
    name: str, data: dict[str, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    page = (Path(__file__).parents[3] / "docs" / "training_recipes.md").read_text("utf-8")
    said = page.partition("before it is run: `")[2].partition("` (a run")[0]
    presets = {"t5-v1.1": "t5-v1.1-test", "bert": "bert-test"}
    words = said.replace("gpt2-tiny", presets.get(name, "gpt2-tiny")).split()
    more = [] if name.startswith("gpt") else ["--set", "phases=null"]
    rows = {"t5-v1.1": "plain", "bert": "sentences"}.get(name, "plain")
    own = ["objective.input_tokens=null", f"manifest={data[rows]}"]
    sets = [word for one in own[name != "t5-v1.1" :] for word in ("--set", one)]

    assert main(["plan", "--recipe", name, *words, *more, *sets]) == 0

    assert capsys.readouterr().out.splitlines()[0].startswith("50 steps, 400 rows of 16 tokens")


@pytest.mark.parametrize("name", ["gpt-small", "gpt-1b"])
def test_gpt_trains(name: str, data: dict[str, Path], tmp_path: Path) -> None:
    found = train(
        name, tmp_path, f"manifest={data['plain']}", "model={preset: gpt2-test}", *ALONE,
        "schedule.peak_lr=0.01", "checkpoint.export=false",
    )  # fmt: skip

    assert len(found) == 3
    assert found[2] < found[0]


def test_t5_corrupts_spans_and_then_reads_tasks(data: dict[str, Path], tmp_path: Path) -> None:
    found = train(
        "t5-v1.1", tmp_path, f"manifest={data['plain']}", f"phases.1.manifest={data['tasks']}",
        "model.preset=t5-v1.1-test", "objective.input_tokens=null",
        "phases.0.stop={steps: 3}", "phases.1.stop={steps: 2}", "checkpoint.export=false",
    )  # fmt: skip

    assert len(losses(tmp_path / "phases" / "1-all")) == 3
    assert len(found) == 2
    settings = [yaml.safe_load((folder / "settings.yaml").read_text("utf-8"))
                for folder in (tmp_path / "phases" / "1-all", tmp_path)]  # fmt: skip
    assert [one["objective"]["name"] for one in settings] == ["span_corruption", "text_to_text"]
    assert [one["model"].get("dropout", 0) for one in settings] == [0, 0.1]


def test_bert_reads_short_rows_and_then_long_ones(data: dict[str, Path], tmp_path: Path) -> None:
    found = train(
        "bert", tmp_path, f"manifest={data['sentences']}",
        f"phases.1.manifest={data['long sentences']}", "model.preset=bert-test",
        "model.max_positions=32", "phases.0.stop={steps: 3}", "phases.1.stop={steps: 2}",
        "phases.1.batch.microbatch=1", "phases.1.schedule.warmup=1", "checkpoint.export=false",
    )  # fmt: skip

    assert len(found) == 2
    tokens = [json.loads(line)["tokens"] for line in (tmp_path / "metrics.jsonl").open()]
    assert tokens == [4 * 2 * SEQ_LEN, 8 * 2 * SEQ_LEN]


@pytest.fixture(scope="module")
def llama(data: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small LLaMA as a Hugging Face folder, trained on the base tokenizer."""
    output = tmp_path_factory.mktemp("llama")
    train("gpt-small", output, f"manifest={data['base']}", "model={preset: llama-test}",
          "schedule.peak_lr=0.01")  # fmt: skip
    return output / "export"


def test_a_llama_goes_on(data: dict[str, Path], llama: Path, tmp_path: Path) -> None:
    found = train("llama-continued", tmp_path, f"manifest={data['base']}", *ALONE, source=llama)

    assert len(found) == 3
    assert found[0] == pytest.approx(losses(llama.parent)[-1], abs=0.5)


def test_a_llama_learns_a_second_language(
    data: dict[str, Path], llama: Path, tmp_path: Path
) -> None:
    phases: dict[str, Any] = {"phases": [{"trainable": "new_embeddings"}, {"trainable": "all"}]}

    found = train("second_language", tmp_path, f"manifest={data['extended']}",
                  f"phases={json.dumps(phases['phases'])}", source=llama)  # fmt: skip

    assert len(losses(tmp_path / "phases" / "1-new_embeddings")) == 3
    assert len(found) == 3
