"""Comparisons of evaluations: what is paired, what decides, what is refused."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from schemas.errors import ContractError, SettingsError
from tests.support.evaluations import pair, write_evaluation
from train.comparison.compare import BETTER, ONE_SEED, WORSE, compare
from train.comparison.recipes import read_recipes
from train.comparison.results import BITS, read_evaluation
from train.statistics.paired import NOT_TOLD_APART


def _model(folder: Path, right: Sequence[int], *, each: int = 1, **more: float) -> Path:
    """An evaluation of as many pairs as `right` has, `each` of them to a cluster."""
    scores = [
        pair(f"{number:03}", right=bool(is_right), cluster=f"c{number // each}" if each > 1 else None, **more)
        for number, is_right in enumerate(right)
    ]  # fmt: skip
    return write_evaluation(folder, scores)


def test_independent_pairs_are_compared_by_their_discordant_ones(tmp_path: Path) -> None:
    first = _model(tmp_path / "first", [1] * 30 + [0] * 10)
    other = _model(tmp_path / "other", [1] * 30 + [1] * 9 + [0])

    right, bits = compare(read_recipes([[first], [other]]))

    assert right.values == (0.75, pytest.approx(39 / 40))
    assert right.p_value == pytest.approx(2 / 2**9)
    assert right.test == "McNemar, exact"
    assert right.adjusted == pytest.approx(4 / 2**9)  # two rows
    assert right.verdict == BETTER
    assert right.warnings == (ONE_SEED,)
    assert (bits.figure, bits.verdict) == (BITS, NOT_TOLD_APART)


def test_clusters_are_the_units_where_there_are_some(tmp_path: Path) -> None:
    first = _model(tmp_path / "first", [1, 0, 0, 0] * 6, each=4)
    other = _model(tmp_path / "other", [1, 1, 0, 0, 1, 0, 0, 0] * 3, each=4)

    row = compare(read_recipes([[first], [other]]))[0]

    changes = np.array([0.25, 0, 0.25, 0, 0.25, 0])  # means of the six clusters
    error = changes.std(ddof=1) / math.sqrt(6)
    assert row.difference.standard_error == pytest.approx(error)
    assert row.test == "t on 6 clusters"
    # 2.5706 of t(5) and .8416 of the normal distribution.
    assert row.smallest == pytest.approx((2.5706 + 0.8416) * error, rel=1e-4)
    assert "6 clusters, below 30" in row.warnings[0]


def test_fewer_bits_are_better(tmp_path: Path) -> None:
    draw = np.random.default_rng(0)
    sides = []
    for name, bits in (("first", 20.0), ("other", 19.0)):
        scores = [pair(f"{n}", bits=bits + float(draw.normal(0, 0.2))) for n in range(40)]
        sides.append([write_evaluation(tmp_path / name, scores)])

    row = compare(read_recipes(sides))[1]

    assert row.figure == BITS
    assert row.difference.value == pytest.approx(-0.1, abs=0.01)  # of 10 bytes
    assert row.verdict == BETTER
    assert compare(read_recipes(sides[::-1]))[1].verdict == WORSE


def test_seeds_decide_by_their_means(tmp_path: Path) -> None:
    """Items that always agree say nothing of the seeds, which do not."""
    first = [_model(tmp_path / f"a-{n}", [1] * (20 + 4 * n) + [0] * (20 - 4 * n)) for n in range(3)]
    other = [_model(tmp_path / f"b-{n}", [1] * (22 + 4 * n) + [0] * (18 - 4 * n)) for n in range(3)]

    row = compare(read_recipes([first, other]))[0]

    # Means .5 .6 .7 and .55 .65 .75: pooled variance .01, so t = .05 / .0816.
    assert row.difference.standard_error == pytest.approx(0.1 * math.sqrt(2 / 3))
    assert row.test == "t on 3 and 3 seeds"
    assert row.verdict == NOT_TOLD_APART
    assert row.bootstrap is not None
    assert ONE_SEED not in row.warnings
    assert (row.first, row.other) == ("a (3 seeds)", "b (3 seeds)")


def test_common_items_alone_are_compared(tmp_path: Path) -> None:
    first = _model(tmp_path / "first", [1, 0, 1, 0])
    other = _model(tmp_path / "other", [1, 1, 1, 1, 0, 0])

    row = compare(read_recipes([[first], [other]]))[0]

    assert row.items == 4
    assert row.values == (0.5, 1.0)
    assert "4 items in common" in row.warnings[-1]


def test_other_ways_of_reading_are_told(tmp_path: Path) -> None:
    first = _model(tmp_path / "first", [1, 0])
    other = write_evaluation(tmp_path / "other", [pair("000"), pair("001")], form="masked")

    row = compare(read_recipes([[first], [other]]))[0]

    assert row.warnings[-1] == "read in different ways: from left to right; masked"


def test_an_item_that_is_another_question_is_refused(tmp_path: Path) -> None:
    first = _model(tmp_path / "first", [1, 0])
    other = write_evaluation(tmp_path / "other", [pair("000"), pair("001", bytes=(9, 12))])

    with pytest.raises(ContractError, match="item 001 has other answers"):
        compare(read_recipes([[first], [other]]))


def test_two_items_of_one_id_are_refused(tmp_path: Path) -> None:
    sides = [[write_evaluation(tmp_path / name, [pair("1"), pair("1")])] for name in ("a", "b")]

    with pytest.raises(ContractError, match="two items of pairs have one id"):
        compare(read_recipes(sides))


def test_nothing_in_common_is_no_comparison(tmp_path: Path) -> None:
    first = _model(tmp_path / "first", [1, 0])
    elsewhere = write_evaluation(tmp_path / "elsewhere", [pair("000")], task="other-task")
    others = write_evaluation(tmp_path / "others", [pair("x")])

    with pytest.raises(ContractError, match=r"no task in common.*pairs and other-task"):
        compare(read_recipes([[first], [elsewhere]]))
    with pytest.raises(ContractError, match="no item in common"):
        compare(read_recipes([[first], [others]]))


def test_shots_are_another_task(tmp_path: Path) -> None:
    first = _model(tmp_path / "first", [1, 0])
    other = write_evaluation(tmp_path / "other", [pair("000")], shots=5)

    assert list(read_evaluation(other, "other").tasks) == ["pairs, 5 shots"]
    with pytest.raises(ContractError, match="no task in common"):
        compare(read_recipes([[first], [other]]))


def test_names_tell_models_apart(tmp_path: Path) -> None:
    folders = [_model(tmp_path / part / "run", [1]) for part in ("a", "b")]

    recipes = read_recipes([[folders[0]], [folders[1] / "evaluation.json"]])

    assert [recipe.name for recipe in recipes] == ["a/run", "b/run"]


def test_a_model_named_twice_or_not_at_all_is_refused(tmp_path: Path) -> None:
    folder = _model(tmp_path / "run", [1])

    with pytest.raises(SettingsError, match="named twice"):
        read_recipes([[folder], [folder]])
    with pytest.raises(SettingsError, match="empty"):
        read_recipes([[folder], []])


def test_what_is_no_evaluation_says_what_to_run(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(ContractError, match=r"run `python -m train evaluate --model .*empty"):
        read_evaluation(tmp_path / "empty", "empty")
    for text, words in [("{", "no JSON"), ("[]", "no evaluation of tasks")]:
        (tmp_path / "evaluation.json").write_text(text)
        with pytest.raises(ContractError, match=words):
            read_evaluation(tmp_path, "x")


def test_an_old_result_and_lost_items_say_to_evaluate_again(tmp_path: Path) -> None:
    old = {"asked": {}, "tasks": [{"name": "t", "accuracy": 0.5, "shots": 0}]}
    (tmp_path / "evaluation.json").write_text(json.dumps(old))
    with pytest.raises(ContractError, match="older version"):
        read_evaluation(tmp_path, "x")

    folder = _model(tmp_path / "run", [1, 0])
    items = folder / "evaluation" / "pairs.jsonl"
    items.write_text(items.read_text()[:-20])
    with pytest.raises(ContractError, match="a line is no JSON"):
        _ = read_evaluation(folder, "run").tasks["pairs"].scores
    items.unlink()
    with pytest.raises(ContractError, match="no such file"):
        _ = read_evaluation(folder, "run").tasks["pairs"].scores


def test_a_result_leads_nowhere_out_of_its_folder(tmp_path: Path) -> None:
    (tmp_path / "secret.jsonl").write_text("{}")
    folder = write_evaluation(tmp_path / "run", [pair("1")], items_file="../../secret.jsonl")

    path = read_evaluation(folder, "run").tasks["pairs"].items_path

    assert path == folder / "evaluation" / "secret.jsonl"


def test_a_run_is_compared_by_what_it_scored_at_its_end(tmp_path: Path) -> None:
    folder = _model(tmp_path / "run", [1, 0, 1])
    tasks = json.loads((folder / "evaluation.json").read_text())["tasks"]
    lines = [{"step": 10, "tasks": []}, {"step": 20, "tasks": tasks}]
    (folder / "tasks.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    (folder / "evaluation.json").write_text('{"heldout": {"loss": 2.0, "sources": {}}}')

    found = read_evaluation(folder, "run")

    assert found.tasks["pairs"].earned("acc") == [1.0, 0.0, 1.0]
    assert found.heldout is not None
