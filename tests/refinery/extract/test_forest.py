import numpy as np
import pytest

from refinery.extract.classifier import load_forests, weights_sha256
from refinery.extract.cut import choose_cut, propose_cuts
from refinery.extract.forest import Forest


def test_a_value_at_the_threshold_goes_left() -> None:
    forest = Forest(
        np.array([[1]], np.int32), np.array([[0.5]], np.float32), np.array([[-9, 9]], np.float32)
    )

    probability = forest.predict(np.array([[0, 0.5], [0, 0.6]], np.float32))

    assert np.round(probability).tolist() == [0, 1]


def test_exported_trees_score_as_lightgbm_does() -> None:
    lightgbm = pytest.importorskip("lightgbm", reason="the extra `extraction-training` is absent")
    from tools.train_blocks import DEPTH, export

    generator = np.random.default_rng(1)
    rows = generator.normal(size=(3000, 12)).astype(np.float32)
    rows[:, 3] = np.round(rows[:, 3])  # values that fall on thresholds
    labels = (rows[:, 0] * rows[:, 1] + rows[:, 3] > 0).astype(float)
    parameters = {
        "objective": "cross_entropy", "max_depth": DEPTH, "num_leaves": 40, "verbose": -1,
        "num_threads": 1, "seed": 0,
    }  # fmt: skip
    booster = lightgbm.train(parameters, lightgbm.Dataset(rows, labels), num_boost_round=30)

    score = export(booster, DEPTH).score(rows)

    np.testing.assert_allclose(score, booster.predict(rows, raw_score=True), atol=1e-5)


def test_the_cut_keeps_what_raises_expected_f1() -> None:
    probability = np.array([0.9, 0.1, 0.8, 0.05], np.float32)
    words = np.array([10, 10, 10, 500], np.float32)

    # Of k = 1..4 blocks by probability: F1 .34, .54, .49, .15 (by hand, W = 43).
    assert choose_cut(probability, words, (), None).tolist() == [True, False, True, False]


def test_a_judge_may_cut_elsewhere() -> None:
    probability = np.array([0.9, 0.1, 0.8, 0.05], np.float32)
    words = np.array([10, 10, 10, 500], np.float32)
    cuts = propose_cuts(probability, words, ())
    share_kept = cuts.rows.shape[1] - 6
    # One tree of one split: a cut that keeps over half of the page's words gains most.
    judge = Forest(
        np.array([[share_kept]], np.int32),
        np.array([[0.5]], np.float32),
        np.array([[0, 1]], np.float32),
    )

    assert choose_cut(probability, words, (), judge).tolist() == [True, True, True, True]


def test_the_weights_are_those_that_their_card_names() -> None:
    import importlib.resources
    import json

    card = importlib.resources.files("refinery.extract.weights").joinpath("blocks.json")

    card_facts = json.loads(card.read_text())

    assert card_facts["weights_sha256"] == weights_sha256()
    assert [len(forest.leaves) for forest in load_forests()] == [
        card_facts["num_trees"],
        card_facts["num_cut_trees"],
    ]
