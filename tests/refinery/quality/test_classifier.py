from __future__ import annotations

import json
from pathlib import Path

import pytest

from refinery.clean.cleaner import Cleaner
from refinery.clean.config import CleanConfig
from refinery.clean.pages import CleanDocument, Payload
from refinery.quality.classifier import (
    ModelFiles,
    balance_documents,
    evaluate,
    head_reasons,
    load_classifier,
    quality_reasons,
    train,
)
from refinery.quality.config import HeadConfig, QualityConfig, QualityTrainingConfig
from refinery.text.edits import apply_edits
from schemas.errors import ContractError, SettingsError
from schemas.fingerprints import sha256_hex

CONFIG = QualityTrainingConfig(
    positive=("wiki",), negative=("spam",), dim=8, bucket=1000, epochs=20
)


def rows(number: int = 120) -> list[tuple[str, str, str]]:
    good = [f"the history of the town number {i} is long and 历史悠久" for i in range(number)]
    noisy = [f"buy now cheap {i} click here 便宜 快买" for i in range(number)]
    return [
        (sha256_hex(text.encode())[:32], source, text)
        for source, texts in (("wiki", good), ("spam", noisy))
        for text in texts
    ]


def test_rows_in_another_order_give_the_same_examples() -> None:
    assert balance_documents(rows(), CONFIG) == balance_documents(reversed(rows()), CONFIG)


def test_equal_texts_count_once_and_classes_are_balanced() -> None:
    examples = balance_documents([*rows(10), *rows(10), *rows(40)[:40]], CONFIG)

    labels = [example.label for example in examples]
    assert labels.count("__label__good") == labels.count("__label__noisy") == 10


def test_the_model_tells_the_classes_apart_on_documents_it_has_not_seen(tmp_path: Path) -> None:
    train(balance_documents(rows(), CONFIG), CONFIG, tmp_path)

    card = json.loads((tmp_path / "quality.json").read_text())
    scorer = load_classifier(_files(tmp_path))
    good, noisy = scorer.score(["the history of the old town 历史", "click here buy cheap 便宜"])

    assert card["auc"] == 1.0
    assert card["test_documents"] > 0
    assert good > 0.5 > noisy


def test_a_model_of_another_normaliser_is_refused(tmp_path: Path) -> None:
    (tmp_path / "quality.json").write_text(json.dumps({"normalizer_version": -1}))

    with pytest.raises(ContractError, match="train it again"):
        load_classifier(_files(tmp_path))


def _files(folder: Path) -> ModelFiles:
    return ModelFiles(str(folder / "quality.bin"), str(folder / "quality.json"))


def test_a_head_marks_masks_or_drops(tmp_path: Path) -> None:
    train(balance_documents(rows(), CONFIG), CONFIG, tmp_path, "harm")
    files = {"harm": ModelFiles(str(tmp_path / "harm.bin"), str(tmp_path / "harm.json"))}
    good = "the history of the town is long, the history of the town is old"
    noisy = "buy now cheap click here buy now cheap click here buy cheap"
    page = f"{good}\n{noisy}\nclick here"

    def cleaned(action: str, text: str = page) -> CleanDocument:
        heads = {"harm": {"min_score": 0.5, "action": action, "mask": "[x]"}}
        rules = {"language": {"min_score": None}, "rules": {"enabled": False}}
        config = CleanConfig.model_validate({**rules, "heads": heads})
        with Cleaner(config, files) as cleaner:
            (document,) = cleaner.clean([Payload(text.encode(), "text/plain", None)])
        assert isinstance(document, CleanDocument)
        return document

    dropped, marked, masked = cleaned("drop", noisy), cleaned("mark", noisy), cleaned("mask")

    assert (dropped.reasons, dropped.page.counters) == (["head:harm"], {})
    assert (marked.reasons, marked.page.counters) == ([], {"head:harm": 1})
    assert (masked.reasons, masked.page.counters) == ([], {"head:harm": 1})
    edited = apply_edits(masked.page.text, [one.edit for one in masked.edits])
    assert edited == f"{good}\n[x]\nclick here"  # two words are too few to judge
    assert cleaned("mark", good).page.counters == {}


def test_heads_say_what_is_outside_of_their_bounds() -> None:
    heads = {
        "like": HeadConfig(min_score=0.3),
        "harm": HeadConfig(max_score=0.5),
        "n": HeadConfig(),
    }

    assert head_reasons({"like": 0.3, "harm": 0.5, "n": 0.0}, heads) == []
    assert head_reasons({"like": 0.2, "harm": 0.6, "n": 1.0}, heads) == ["head:like", "head:harm"]


def test_a_class_without_documents_is_named() -> None:
    with pytest.raises(SettingsError, match="each class needs two documents"):
        balance_documents(rows()[:50], CONFIG)


def test_area_under_the_curve_counts_ties_half() -> None:
    assert evaluate([0.9, 0.5, 0.5, 0.1], [True, True, False, False])["auc"] == 0.875


def test_a_threshold_is_inclusive() -> None:
    assert quality_reasons(0.5, QualityConfig(min_score=0.5)) == []
    assert quality_reasons(0.49, QualityConfig(min_score=0.5)) == ["quality:score"]
    assert quality_reasons(0.0, QualityConfig()) == []
