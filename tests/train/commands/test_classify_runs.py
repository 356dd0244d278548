"""`classify` as whole runs, from each form of weights: fine-tuned, evaluated, exported, the same in transformers."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers
from torch import Tensor

from schemas.errors import SettingsError
from schemas.manifest import SpecialIds
from tests.support.datasets import DatasetShape
from tests.support.extended import BASE_SIZE, write_two_datasets
from train.__main__ import main
from train.data.config import LoaderConfig
from train.data.loader import open_split, shard_files
from train.data.packed import PackedRows
from train.data.remote import open_manifest

CLS, SEP = 3, 4
SPECIAL = SpecialIds(pad=0, eos=1, cls=CLS, sep=SEP, mask=5)
SEQUENCES = DatasetShape(special=SPECIAL)
CLASSES = DatasetShape(
    layout="pairs", columns=("target_start", "class_label", "token_labels"), special=SPECIAL
)
SIZES = {"preset": "bert-test", "width": 32, "num_heads": 2, "num_layers": 2, "mlp_width": 64}
FORMS = ["run", "checkpoint", "export", "published"]


def recipe(folder: Path, data: Path, name: str, **changes: Any) -> Path:
    path = folder / f"{name}.yaml"
    plain = {
        "manifest": str(data), "output": str(folder / name), "stop": {"steps": 3}, "threads": 1,
        "batch": {"sequences": 8, "microbatch": 4}, "schedule": {"peak_lr": 0.003}, "seed": 5,
        "metrics": {"tensorboard": False, "peak_flops": 1e12}, "precision": {"compute": "fp32"},
    }  # fmt: skip
    path.write_text(json.dumps({**plain, **changes}))
    return path


@pytest.fixture(scope="module")
def pretrained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A BERT of ours after some steps of masked tokens, and one as transformers publishes them."""
    folder = tmp_path_factory.mktemp("classify")
    data = write_two_datasets(folder / "texts", SEQUENCES).base
    write_two_datasets(folder / "labelled", CLASSES)
    words = replace(CLASSES, columns=("target_start", "token_labels"))
    (folder / "words").symlink_to(write_two_datasets(folder / "tagged", words).base)
    main(
        [
            "pretrain",
            "--recipe",
            str(recipe(folder, data, "bert", model=SIZES, objective={"name": "masked"})),
        ]
    )
    torch.manual_seed(0)
    config = transformers.BertConfig(
        vocab_size=BASE_SIZE, hidden_size=32, num_hidden_layers=2, num_attention_heads=2,
        intermediate_size=64, max_position_embeddings=32,
    )  # fmt: skip
    transformers.BertForPreTraining(config).save_pretrained(folder / "published")
    return folder


def source_of(folder: Path, form: str) -> Path:
    run = folder / "bert"
    return {
        "run": run,
        "checkpoint": run / "checkpoints" / "step-00000003",
        "export": run / "export",
        "published": folder / "published",
    }[form]


def heldout_rows(data: Path) -> PackedRows:
    files = shard_files(str(data), LoaderConfig())
    split = open_split(files, open_manifest(files), LoaderConfig(), split="heldout", seed=0)
    return split.read(np.arange(CLASSES.heldout_rows))


def inputs_of(rows: PackedRows) -> tuple[Tensor, Tensor]:
    """[CLS] input [SEP], written down by hand, and which tokens are real."""
    ends = rows.extra["target_start"]
    ids = torch.zeros(len(ends), int(ends.max()) + 1, dtype=torch.long)
    real = torch.zeros_like(ids)
    for row, end in enumerate(ends):
        ids[row, : end + 1] = torch.tensor([CLS, *rows.input_ids[row, : end - 1], SEP])
        real[row, : end + 1] = 1
    return ids, real


@pytest.mark.parametrize("form", FORMS)
def test_a_classifier_is_fine_tuned_evaluated_and_exported_from(
    form: str, pretrained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data, source = pretrained / "labelled" / "base", source_of(pretrained, form)
    path = recipe(tmp_path, data, "tuned", objective={"name": "classify"})
    begin = ["--from", str(source), "--set", "model.num_classes=3"]

    assert main(["pretrain", "--recipe", str(path), *begin]) == 0
    assert main(["evaluate", "--model", str(tmp_path / "tuned"), "--manifest", str(data)]) == 0

    shown = capsys.readouterr().out
    theirs = transformers.BertForSequenceClassification.from_pretrained(
        tmp_path / "tuned" / "export"
    ).eval()
    rows = heldout_rows(data)
    ids, real = inputs_of(rows)
    with torch.no_grad():
        logits = theirs(input_ids=ids, attention_mask=real).logits
    labels = torch.from_numpy(rows.extra["class_label"].astype(np.int64))
    expected = float(torch.nn.functional.cross_entropy(logits.double(), labels))
    assert json.loads((tmp_path / "tuned" / "evaluation.json").read_text())["heldout"][
        "loss"
    ] == pytest.approx(expected, rel=1e-5)
    assert f"{expected:.4f}" in shown
    assert theirs.config.num_labels == 3
    # The folder alone says that it has classes.
    export = ["--model", str(tmp_path / "tuned" / "export"), "--output", str(tmp_path / "e.json")]
    assert main(["evaluate", *export, "--manifest", str(data)]) == 0
    again = json.loads((tmp_path / "e.json").read_text())
    assert (again["objective"], again["heldout"]["loss"]) == (
        "classify",
        pytest.approx(expected, rel=1e-5),
    )


def test_classes_of_words_are_evaluated_from_the_export_too(
    pretrained: Path, tmp_path: Path
) -> None:
    data = pretrained / "words"
    path = recipe(tmp_path, data, "tagged", objective={"name": "classify", "at": "tokens"})
    begin = ["--from", str(pretrained / "published"), "--set", "model.num_classes=3"]

    assert main(["pretrain", "--recipe", str(path), *begin]) == 0
    for name, model in (("run", "tagged"), ("export", "tagged/export")):
        asked = ["--model", str(tmp_path / model), "--output", str(tmp_path / f"{name}.json")]
        assert main(["evaluate", *asked, "--manifest", str(data)]) == 0

    run, export = (
        json.loads((tmp_path / f"{name}.json").read_text()) for name in ("run", "export")
    )
    assert export["heldout"]["labels"] == run["heldout"]["labels"] > 12
    assert export["heldout"]["loss"] == pytest.approx(run["heldout"]["loss"], rel=1e-6)
    _, loading = transformers.BertForTokenClassification.from_pretrained(
        tmp_path / "tagged" / "export", output_loading_info=True
    )
    assert not loading["missing_keys"]


def test_questions_are_not_put_to_an_encoder_unless_it_is_said_how(
    pretrained: Path, tmp_path: Path
) -> None:
    questions = tmp_path / "questions.jsonl"
    questions.write_text('{"question": "t10 t11", "choices": ["t12", "t13"], "answer": 0}\n')
    asked = ["evaluate", "--model", str(pretrained / "bert"), "--tasks", str(questions)]
    asked += ["--output", str(tmp_path / "result.json")]

    with pytest.raises(SettingsError, match="give --read pll_word_l2r or pseudo"):
        main(asked)
    with pytest.raises(SettingsError, match="--read pseudo: the tokenizer has no cls token"):
        main([*asked, "--read", "pseudo"])
