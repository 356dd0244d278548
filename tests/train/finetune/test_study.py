"""A whole study on a task that two words decide: trained, chosen, asked, drawn, resumed."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from refinery.supervised.pack import pack_pairs
from refinery.supervised.tasks import PairsRecipe, TaskConfig
from refinery.vocabulary.config import VocabularyConfig
from refinery.vocabulary.train.byte_level_bpe import train_bpe, write_tokenizer
from schemas.errors import ContractError
from schemas.settings import parse_settings
from tests.support.stopping import StopAfter
from train.__main__ import main
from train.commands.finetune import add_arguments
from train.data.config import LoaderConfig
from train.data.loader import SplitReader, open_split, shard_files
from train.data.remote import open_manifest
from train.finetune.bag_of_words import bag_of_words
from train.finetune.page import PAGE_NAME
from train.finetune.predictions import read_targets, with_target
from train.finetune.settings import FinetuneSettings
from train.finetune.study import RESULT_NAME, run_study
from train.loop.run import pretrain
from train.settings import TrainSettings
from train.studies.claims import AskedToStopError

WORDS = ("calm", "river", "stone", "green", "paper", "north", "seven", "glass")
MODEL = {
    "preset": "bert-base", "width": 32, "num_layers": 1, "num_heads": 2, "mlp_width": 64,
    "max_positions": 32, "num_classes": 2, "dropout": 0.0,
}  # fmt: skip


def _texts(seed: int, count: int) -> list[dict[str, Any]]:
    """Three of four are good: the majority is known."""
    draw = np.random.default_rng(seed)
    rows = []
    for number in range(count):
        label = 0 if number % 4 else 1
        words = [("good", "bad")[label], *draw.choice(WORDS, 2).tolist()]
        rows.append({"text": f"{' '.join(words)} {seed}{number}", "label": label})
    return rows


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("study")
    tables = {"train": _texts(1, 200), "dev": _texts(2, 60), "test": _texts(3, 80)}
    lines = [row["text"] for row in tables["train"]]
    tokenizer = train_bpe([*lines, "good bad 0 1"], VocabularyConfig(size=400))
    write_tokenizer(tokenizer, folder / "tokenizer", 0)
    for name, rows in tables.items():
        (folder / f"{name}.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    for name, count in (("train", 40), ("train", 160), ("dev", None), ("test", None)):
        _pack(folder, name, count)
    return folder


def _pack(folder: Path, name: str, count: int | None) -> None:
    task = TaskConfig(
        name="mood", files=(str(folder / f"{name}.jsonl"),), input="{text}", target="{label}",
        labels={"0": "good", "1": "bad"},
    )  # fmt: skip
    pack_pairs(
        PairsRecipe(
            name="mood", output=str(folder / f"{name}-{count}"), tokenizer=str(folder / "tokenizer"),
            tasks=(task,), seq_len=32, target_tokens=8, heldout_fraction=0.0, max_examples=count,
            lanes=1,
        )
    )  # fmt: skip


def _study(data: Path, output: Path, **changes: Any) -> FinetuneSettings:
    study = {
        "output": str(output),
        "source": None,
        "protocol": "bert",
        "rates": [5e-3, 1e-7],
        "train": {40: str(data / "train-40"), 160: str(data / "train-160")},
        "select_at": 160,
        "seeds": 1,
        "dev": str(data / "dev-None"),
        "test": str(data / "test-None"),
        "recipe": {
            "model": MODEL,
            "stop": {"epochs": 12},
            "batch": {"sequences": 16},
            "threads": 1,
        },
    }
    return parse_settings(FinetuneSettings, {**study, **changes}, where="study")


def _opened(path: Path) -> SplitReader:
    files = shard_files(str(path), LoaderConfig())
    return open_split(files, open_manifest(files), LoaderConfig(), split="train", seed=0)


@pytest.mark.slow
def test_a_study_chooses_the_rate_that_learns_and_resumes(data: Path, tmp_path: Path) -> None:
    study = _study(data, tmp_path / "study", train={160: str(data / "train-160")})
    trained = []

    def counted(settings: TrainSettings) -> int:
        trained.append(Path(settings.output).name)
        return pretrain(settings)

    found = run_study(study, train=counted)

    assert found.rate == 5e-3  # the other one moves nothing
    assert found.majority == 0.75
    assert found.rows[0].labels == 160
    assert found.rows[0].accuracy.value > 0.9
    assert trained[2:] == ["labels-160-rate-0.005-seed-1"]
    result = json.loads((tmp_path / "study" / RESULT_NAME).read_text())
    assert [one["rate"] for one in result["tried"]] == [5e-3, 1e-7]
    page = (tmp_path / "study" / PAGE_NAME).read_text()
    assert "Rates that were tried" in page
    assert found.rows[0].bag_of_words > 0.95
    assert "bag of words" in page
    assert not list(
        (tmp_path / "study" / "runs").iterdir()
    )  # weights of dozens of runs do not stay
    # Once more, from its files: nothing is trained.
    again = run_study(study, train=lambda settings: pytest.fail(settings.output))
    assert again.rate == found.rate
    assert again.rows[0].by_seed == found.rows[0].by_seed


@pytest.mark.slow
def test_a_run_that_is_asked_to_stop_is_not_measured_and_goes_on(
    data: Path, tmp_path: Path
) -> None:
    study = _study(
        data, tmp_path / "stopped", rates=[5e-3], train={40: str(data / "train-40")}, select_at=40
    )

    def stopped(settings: TrainSettings) -> int:
        return pretrain(settings, stop_flag=partial(StopAfter, 2))

    with pytest.raises(AskedToStopError, match=r"labels-40-rate-0\.005-seed-1: asked to stop"):
        run_study(study, train=stopped)
    assert not list((tmp_path / "stopped").glob("cells/*.json"))

    whole = run_study(
        _study(data, tmp_path / "whole", rates=[5e-3], train=study.train, select_at=40)
    )
    assert run_study(study).rows[0].by_seed == whole.rows[0].by_seed


def test_smaller_datasets_are_parts_of_larger_ones(data: Path) -> None:
    few, more = (_opened(data / name) for name in ("train-40", "train-160"))

    def inputs(split: SplitReader) -> set[bytes]:
        rows = split.read(np.arange(split.num_rows))
        return {row.tobytes() for row in rows.input_ids}

    assert (few.num_rows, more.num_rows) == (40, 160)
    assert inputs(few) < inputs(more)


def test_a_bag_of_words_learns_what_one_word_decides(data: Path) -> None:
    train, dev, test = (_opened(data / name) for name in ("train-160", "dev-None", "test-None"))
    targets = read_targets(train)

    answers = bag_of_words(train, dev, test, targets)
    again = bag_of_words(train, dev, test, targets)

    assert sum(answers.correct) / len(answers.correct) > 0.95
    assert answers.given.tolist() == again.given.tolist()
    assert sorted(set(answers.right.tolist())) == [0, 1]


def test_numbers_that_are_not_true_are_refused(data: Path, tmp_path: Path) -> None:
    wrong = _study(data, tmp_path, train={50: str(data / "train-40")})
    shared = _study(data, tmp_path, test=str(data / "train-40"))

    with pytest.raises(ContractError, match="40 training rows; the study says 50 labels"):
        run_study(wrong)
    with pytest.raises(ContractError, match=r"test: 40 rows of .* are training rows"):
        run_study(shared)


def test_targets_are_counted_and_put_behind_other_inputs(data: Path) -> None:
    split = _opened(data / "train-160")
    rows = split.read(np.arange(4))

    targets = read_targets(split)
    changed = with_target(rows, (7, 8, 9))

    assert len(targets.texts) == 2
    assert sum(targets.counts) == 160
    assert targets.counts[0] > targets.counts[1]
    for row in range(4):
        start = int(rows.extra["target_start"][row])
        assert changed.input_ids[row, :start].tolist() == rows.input_ids[row, :start].tolist()
        assert changed.input_ids[row, start : start + 3].tolist() == [7, 8, 9]
        assert changed.segment_length[row] == start + 3


@pytest.mark.slow
def test_an_encoder_decoder_is_asked_for_the_likeliest_target(data: Path, tmp_path: Path) -> None:
    model = {
        "preset": "t5-tiny", "width": 32, "mlp_width": 64, "num_heads": 2, "head_width": 16,
        "num_layers": 1, "dropout": 0.0,
    }  # fmt: skip
    study = _study(
        data, tmp_path / "t5", objective={"name": "text_to_text"}, rates=[5e-3], seeds=1,
        train={160: str(data / "train-160")},
        recipe={"model": model, "stop": {"epochs": 12}, "batch": {"sequences": 16}, "threads": 1},
    )  # fmt: skip

    found = run_study(study)

    assert found.rows[0].accuracy.value > 0.9


def test_a_study_that_is_not_there_is_told(tmp_path: Path) -> None:
    assert add_arguments.__module__ == "train.commands.finetune"
    with pytest.raises(SystemExit) as stopped:
        main(["finetune", str(tmp_path / "none.yaml")])
    assert stopped.value.code == 2
