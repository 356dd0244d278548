"""Supervised tables to rows; values of T5's paper and code are the reference."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import BertForSequenceClassification, BertForTokenClassification

from refinery.datasets.verify import verify_dataset
from refinery.supervised.pack import pack_pairs
from refinery.supervised.tasks import (
    PairsRecipe,
    TaskConfig,
    TaskMixing,
    copies_of,
    epochs_of_tasks,
    mixing_rates,
    score_text,
    task_examples,
)
from refinery.tokenizers.identity import load_tokenizer
from refinery.vocabulary.config import VocabularyConfig
from refinery.vocabulary.train.byte_level_bpe import train_bpe, write_tokenizer
from schemas.errors import ContractError, SettingsError
from schemas.manifest import Manifest
from train.batch.batch import Batch
from train.data.config import LoaderConfig
from train.data.loader import open_split, shard_files
from train.exchange.folder import export_folder
from train.model.config import ModelConfig
from train.model.encoder import Encoder
from train.model.transformer import build_model
from train.objectives.build import build_for_manifest
from train.objectives.config import parse_objective


def test_scores_from_one_to_five_are_21_strings() -> None:
    strings = {score_text(score) for score in np.linspace(1, 5, 5001)}

    assert sorted(strings) == [f"{number / 5:.1f}" for number in range(5, 26)]
    assert len(strings) == 21
    # The example of the paper's appendix D.4 and those of t5's stsb preprocessor.
    assert [score_text(x) for x in (3.25, 2.57, 0.0, 4.99)] == ["3.2", "2.6", "0.0", "5.0"]


def test_mixing_by_size_with_cap_and_temperature() -> None:
    sizes = [1_000, 9_000, 90_000]

    assert mixing_rates(sizes, TaskMixing(cap=None)) == pytest.approx([0.01, 0.09, 0.9])
    assert mixing_rates(sizes, TaskMixing(cap=10_000)) == pytest.approx([0.05, 0.45, 0.5])
    # Square roots of 1,000, 9,000, 16,000 are as 1, 3, 4.
    rates = mixing_rates(sizes, TaskMixing(cap=16_000, temperature=2))
    assert rates == pytest.approx([1 / 8, 3 / 8, 4 / 8])
    assert mixing_rates(sizes, TaskMixing(temperature=1e9)) == pytest.approx([1 / 3] * 3)


def test_epochs_give_each_task_its_share() -> None:
    epochs = epochs_of_tasks([100, 300], TaskMixing(temperature=1e9, examples=600))

    assert epochs == pytest.approx([3.0, 1.0])
    copies = [copies_of(str(number), 1.25, 0) for number in range(4000)]
    assert sum(copies) / 4000 == pytest.approx(1.25, abs=0.02)
    more = [copies_of(str(number), 1.5, 0) for number in range(4000)]
    assert all(a <= b for a, b in zip(copies, more, strict=True))


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Manifest, PairsRecipe]:
    folder = tmp_path_factory.mktemp("pairs")
    rows = [
        {"s1": f"the cat {n} sat", "s2": f"一只猫{n}坐着", "score": n % 26 / 5} for n in range(60)
    ]
    rows.append({"s1": "long " * 80, "s2": "b", "score": 1})
    (folder / "sts.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    lines = ["premise\thypothesis\tlabel", *(f'"a{n} b\tc{n}\t{n % 2}' for n in range(40))]
    (folder / "rte.tsv").write_text("\n".join(lines), encoding="utf-8")
    config = VocabularyConfig(size=420)
    texts = [row["s1"] for row in rows]
    write_tokenizer(train_bpe(texts, config), folder / "tok", config.sentinels)  # type: ignore[arg-type]
    recipe = PairsRecipe(
        name="glue",
        output=str(folder / "out"),
        tokenizer=str(folder / "tok"),
        seq_len=128,
        target_tokens=16,
        heldout_fraction=0.1,
        tasks=(
            TaskConfig(
                name="stsb",
                files=(str(folder / "sts.jsonl"),),
                input="stsb sentence1: {s1} sentence2: {s2}",
                target="{score}",
                target_kind="score",
            ),
            TaskConfig(
                name="rte",
                files=(str(folder / "rte.tsv"),),
                input="rte premise: {premise} hypothesis: {hypothesis}",
                target="{label}",
                labels={"0": "entailment", "1": "not_entailment"},
            ),
        ),
    )
    return folder, pack_pairs(recipe), recipe


def test_the_dataset_verifies_and_its_account_adds_up(
    dataset: tuple[Path, Manifest, PairsRecipe],
) -> None:
    folder, manifest, recipe = dataset

    assert verify_dataset(folder / "out").differences == ()
    assert manifest.train.rows + manifest.heldout.rows == 101
    account = manifest.train.account
    assert account.tokens_in == account.packed + account.dropped
    assert pack_pairs(recipe) == manifest  # a second run finds it
    with pytest.raises(ContractError, match="another recipe"):
        pack_pairs(recipe.model_copy(update={"seed": 1}))


def test_a_t5_reads_the_prefix_and_writes_the_label(
    dataset: tuple[Path, Manifest, PairsRecipe],
) -> None:
    folder, manifest, _ = dataset
    config = LoaderConfig()
    files = shard_files(str(folder / "out" / "manifest.json"), config)
    data = open_split(files, manifest, config, split="train", seed=0)
    objective = build_for_manifest(
        parse_objective({"name": "text_to_text"}),
        manifest,
        family="t5",
        vocab_size=manifest.tokenizer.vocab_size,
        max_positions=None,
    )

    rows = data.read(np.arange(manifest.train.rows))
    batch = objective.build(rows, seed=0)

    tokenizer = load_tokenizer(folder / "tok")
    found = set()
    for ids, labels in zip(batch.input_ids.tolist(), batch.labels.tolist(), strict=True):
        target = tokenizer.decode([token for token in labels if token >= 0])
        found.add((tokenizer.decode(ids).split()[0], target))
    assert {target for task, target in found if task == "rte"} == {"entailment", "not_entailment"}
    assert {target for task, target in found if task == "stsb"} <= {
        f"{n / 5:.1f}" for n in range(26)
    }
    assert max(map(len, batch.input_ids.tolist())) <= 128


def test_rows_of_pairs_are_refused_by_other_objectives(
    dataset: tuple[Path, Manifest, PairsRecipe],
) -> None:
    _, manifest, _ = dataset

    with pytest.raises(SettingsError, match="supervised rows"):
        build_for_manifest(
            parse_objective({"name": "causal"}),
            manifest,
            family="gpt2",
            vocab_size=420,
            max_positions=None,
        )


def test_a_field_that_is_not_there_is_named_with_the_nearest(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"sentence": "x", "label": 1}\n')
    task = TaskConfig(
        name="a", files=(str(tmp_path / "a.jsonl"),), input="{sentense}", target="{label}"
    )

    with pytest.raises(SettingsError, match=r"row 1: no field 'sentense'.*'sentence'"):
        list(task_examples(task))


@pytest.fixture(scope="module")
def labelled(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Manifest]:
    """Sentences with a class and with tags of their words."""
    folder = tmp_path_factory.mktemp("labelled")
    rows = [
        {"words": ["Ann", "met", f"Bob{n}", "here"], "tags": ["P", "O", "P", "O"], "kind": n % 2}
        for n in range(30)
    ]
    (folder / "ner.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    config = VocabularyConfig(size=400)
    texts = ["met here Ann Bob tag: no yes"]
    write_tokenizer(train_bpe(texts, config), folder / "tok", config.sentinels)
    recipe = PairsRecipe(
        name="ner",
        output=str(folder / "out"),
        tokenizer=str(folder / "tok"),
        seq_len=64,
        target_tokens=8,
        heldout_fraction=0,
        tasks=(
            TaskConfig(
                name="ner",
                files=(str(folder / "ner.jsonl"),),
                input="tag: {words}",
                target="{kind}",
                labels={"0": "no", "1": "yes"},
                words="words",
                tags="tags",
                tag_names=("O", "P"),
            ),
        ),
    )
    return folder, pack_pairs(recipe)


@pytest.mark.parametrize("at", ["cls", "tokens"])
def test_bert_has_heads_on_cls_and_on_tokens(labelled: tuple[Path, Manifest], at: str) -> None:
    folder, manifest = labelled
    files = shard_files(str(folder / "out" / "manifest.json"), LoaderConfig())
    data = open_split(files, manifest, LoaderConfig(), split="train", seed=0)
    vocab_size = manifest.tokenizer.vocab_size
    objective = build_for_manifest(
        parse_objective({"name": "classify", "at": at}),
        manifest,
        family="bert",
        vocab_size=vocab_size,
        max_positions=64,
    )
    batch = objective.build(data.read(np.arange(30)), seed=0)
    tokenizer = load_tokenizer(folder / "tok")

    assert verify_dataset(folder / "out").differences == ()
    for ids, labels in zip(batch.input_ids.tolist(), batch.labels.tolist(), strict=True):
        text = tokenizer.decode(ids, skip_special_tokens=True)
        assert text.startswith("tag: Ann met Bob")
        found = {place: label for place, label in enumerate(labels) if label >= 0}
        if at == "cls":
            number = int(text.split("Bob")[1].split()[0])
            assert found == {0: number % 2}
        else:
            assert [*found.values()] == [1, 0, 1, 0]
            firsts = [tokenizer.decode([ids[place]]).strip() for place in found]
            words = ["Ann", "met", "Bob", "here"]
            assert all(word.startswith(first) for word, first in zip(words, firsts, strict=True))
    config = ModelConfig(
        family="bert", vocab_size=vocab_size, width=16, max_positions=64, num_classes=2
    )
    model = build_model(config, seed=0)
    sums = model(batch)
    sums.loss.backward()
    assert isinstance(model, Encoder)
    assert model.class_head is not None
    assert model.class_head.weight.grad is not None
    counted = sum(parameter.numel() for parameter in model.parameters())
    assert config.num_parameters() == counted
    mean = float(sums.loss.detach()) / float(sums.labels_by_source.sum())
    assert mean == pytest.approx(np.log(2), abs=0.1)


@pytest.mark.parametrize("at", ["cls", "tokens"])
def test_the_heads_of_classes_load_in_transformers_with_equal_logits(
    labelled: tuple[Path, Manifest], at: str, tmp_path: Path
) -> None:
    _, manifest = labelled
    config = ModelConfig(
        family="bert",
        vocab_size=manifest.tokenizer.vocab_size,
        width=16,
        max_positions=64,
        num_classes=3,
        activation="gelu",
        norm_eps=1e-12,
    )
    model = build_model(config, seed=0)
    assert isinstance(model, Encoder)
    export_folder(tmp_path, model.state_dict(), config, manifest.tokenizer.special_ids, None)
    kind = BertForSequenceClassification if at == "cls" else BertForTokenClassification
    theirs = kind.from_pretrained(tmp_path).eval()
    ids = torch.randint(5, config.vocab_size, (2, 12))
    ones = torch.ones_like(ids)
    batch = Batch(
        input_ids=ids,
        labels=ones,
        document=ones,
        positions=torch.arange(12).expand(2, 12),
        segment=ones - 1,
        segment_source=torch.zeros(1, dtype=torch.long),
        num_sources=1,
        is_whole=True,
        classes_at=at,
    )

    with torch.no_grad():
        ours, expected = model.class_logits(batch), theirs(input_ids=ids).logits

    assert torch.allclose(ours, expected, atol=1e-6)
