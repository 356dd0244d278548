import numpy as np
import pytest

from refinery.extract.forest import SURE_SCORE, Forest


def _forest(num_trees: int, depth: int, num_features: int) -> Forest:
    generator = np.random.default_rng(num_trees)
    num_nodes = 2**depth - 1
    return Forest(
        generator.integers(0, num_features, (num_trees, num_nodes)).astype(np.uint16),
        generator.normal(size=(num_trees, num_nodes)).astype(np.float32),
        generator.normal(size=(num_trees, num_nodes + 1)).astype(np.float32),
    )


def _walk(forest: Forest, row: np.ndarray, tree: int) -> float:
    node, num_nodes = 0, forest.thresholds.shape[1]
    while node < num_nodes:
        is_above = row[forest.features[tree, node]] > forest.thresholds[tree, node]
        node = 2 * node + 1 + int(is_above)
    return float(forest.leaves[tree, node - num_nodes])


@pytest.mark.parametrize("num_trees", [1, 7, 8, 9, 20])
def test_each_row_gets_the_leaves_that_a_plain_walk_reaches(num_trees: int) -> None:
    forest = _forest(num_trees, 3, 5)
    rows = np.random.default_rng(0).normal(size=(6, 5)).astype(np.float32)
    rows[1, 2] = np.nan  # is above nothing

    expected = [sum(_walk(forest, row, tree) for tree in range(num_trees)) for row in rows]

    assert forest.score(rows).tolist() == expected


def test_a_row_that_is_sure_after_the_first_trees_goes_no_further() -> None:
    steps = np.full((30, 2), 0.5, np.float32)
    forest = Forest(np.zeros((30, 1), np.uint16), np.zeros((30, 1), np.float32), steps)

    probability = forest.predict(np.zeros((1, 1), np.float32))

    assert SURE_SCORE < 24 * 0.5
    np.testing.assert_allclose(probability, [1 / (1 + np.exp(-12.0))])


def test_rows_that_lack_a_feature_are_refused() -> None:
    with pytest.raises(ValueError, match=r"feature 4, the rows have 3"):
        Forest(
            np.array([[4]], np.uint16), np.zeros((1, 1), np.float32), np.zeros((1, 2), np.float32)
        ).score(np.zeros((2, 3), np.float32))
