"""Heads that mark a document or mask paragraphs of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from refinery.quality.actions import MIN_PARAGRAPH_CHARS, head_marks, head_masks
from refinery.quality.classifier import Classifier
from refinery.quality.config import HeadConfig
from refinery.quality.reasons import head_reason

LONG = "x" * MIN_PARAGRAPH_CHARS


class ByFirstLetter:
    """Scores a text that begins with `b` as bad."""

    def score(self, texts: Sequence[str]) -> list[float]:
        return [0.9 if text.startswith("b") else 0.1 for text in texts]


def head(action: str) -> HeadConfig:
    return HeadConfig.model_validate({"action": action, "max_score": 0.5, "mask": "[gone]"})


def test_a_mark_is_a_counter_where_the_score_is_outside() -> None:
    configs = {"harm": head("mark"), "calm": head("mark"), "other": head("drop")}

    marks = head_marks({"harm": 0.6, "calm": 0.5, "other": 0.9}, configs)

    assert marks == {head_reason("harm"): 1}


def test_only_long_paragraphs_outside_the_bounds_are_masked() -> None:
    text = f"bad\nb{LONG}\ngood {LONG}\n\nb{LONG}!"
    classifiers = {"harm": cast("Classifier", ByFirstLetter())}

    masks = head_masks(text, {"harm": head("mask"), "no": head("drop")}, classifiers)

    assert [text[mask.edit.start : mask.edit.end] for mask in masks] == [f"b{LONG}", f"b{LONG}!"]
    assert {(mask.edit.replacement, mask.reason) for mask in masks} == {
        ("[gone]", head_reason("harm"))
    }
