"""The order of rows belongs to the weights: a new row must not move others without training anew."""

import importlib.resources
import json
from enum import IntEnum

import numpy as np
import pytest

from refinery.extract.classifier import load_forests, weights_sha256
from refinery.extract.cut import propose_cuts
from refinery.extract.feature_layout import FEATURES_VERSION, NUM_FEATURES, feature_names
from refinery.extract.feature_rows import (
    ContainerRow,
    CutPageRow,
    CutRow,
    LandmarkRow,
    OwnRow,
    PositionRow,
    SiblingRow,
    SumRow,
    TextRow,
)
from refinery.extract.hints import NUM_HINTS
from schemas.fingerprints import sha256_hex

NAMES_SHA256 = "560e71aaf09aef5a51f185ae926ff33a48644a8a00c0839dee27710248817cb2"
WEIGHTS_SHA256 = "3a1cd4f2eb56a8f1ded2b9cdd3eeb3e69b4c8e2b2b290f48e1ae6f38db17ba52"


def test_the_order_of_features_is_that_of_the_shipped_weights() -> None:
    names = feature_names()

    assert sha256_hex("\n".join(names).encode()) == NAMES_SHA256, (
        "features moved: train anew (docs/extraction.md), raise FEATURES_VERSION, then note both here"
    )
    assert weights_sha256() == WEIGHTS_SHA256
    card = importlib.resources.files("refinery.extract.weights").joinpath("blocks.json")
    assert json.loads(card.read_text())["features_version"] == FEATURES_VERSION == 7


@pytest.mark.parametrize(
    ("row", "name"),
    [
        (0, "text.LOG_CHARS"), (2, "text.LINKED_FRACTION"), (22, "text.NUM_CONTROLS"),
        (23, "own.TAG"), (29, "own.IS_IN_ARTICLE"), (50, "own.COMMENT_ABOVE"),
        (66, "own.IS_HIDDEN_FROM_ALL"), (69, "own.COMMENT_NEAR"), (85, "position.INDEX_FRACTION"), (95, "position.HINT_0"),
        (105, "shift_-2.text.LOG_CHARS"), (115, "shift_-2.own.PARENT_TAG"),
        (149, "window_3_before.WORDS"), (161, "window_3_behind.WORDS"),
        (197, "level_0.WORDS_PER_BLOCK"), (214, "level_0.LINKED_FRACTION"),
        (220, "level_1.WORDS_PER_BLOCK"), (335, "siblings_of_element.LOG_BLOCKS"),
        (344, "siblings_of_parent.WORD_FRACTION"), (345, "landmark.SINCE_COMMENTS"),
        (361, "level_0.FIRST_MARK"),
    ],
)  # fmt: skip
def test_a_row_has_the_name_that_the_weights_were_trained_with(row: int, name: str) -> None:
    assert feature_names()[row] == name


def test_every_feature_has_one_name() -> None:
    names = feature_names()

    assert len(names) == len(set(names)) == NUM_FEATURES == 365


@pytest.mark.parametrize(
    ("rows", "num"),
    [
        (TextRow, 23), (OwnRow, 6), (PositionRow, 10), (SumRow, 12), (ContainerRow, 6),
        (LandmarkRow, 16),
        (SiblingRow, 5), (CutPageRow, 9), (CutRow, 10),
    ],
)  # fmt: skip
def test_rows_are_counted_without_gaps(rows: type[IntEnum], num: int) -> None:
    assert [row.value for row in rows] == list(range(num))


def test_the_forests_ask_for_rows_that_exist() -> None:
    blocks, cuts = load_forests()
    facts = (0.0,) * (1 + NUM_HINTS)
    rows = propose_cuts(np.ones(3, np.float32), np.ones(3, np.float32), facts).rows

    assert blocks.features.max() < NUM_FEATURES
    assert rows.shape[1] == 30
    assert cuts.features.max() < rows.shape[1]
