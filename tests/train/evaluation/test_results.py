"""From scores of items to the figures of a task."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from schemas.benchmark_files import Row
from train.evaluation.cache import store, stored, task_key
from train.evaluation.items import Candidate, Item, ItemScore
from train.evaluation.load import LoadedTask
from train.evaluation.results import TaskResult
from train.evaluation.run_task import Share, TaskChoice, evaluate_task
from train.evaluation.task import parse_task

LN2 = math.log(2)


def score(name: str, sums: Sequence[float], sizes: Sequence[int], **more: Any) -> ItemScore:
    plain = {"tokens": tuple(sizes), "chars": tuple(sizes), "bytes": tuple(sizes), **more}
    return ItemScore(
        id=name, gold=(0,), log_likelihoods=tuple(sums), greedy=(False,) * len(sums), **plain
    )


def result(scores: Sequence[ItemScore], kind: str = "multiple_choice", **more: Any) -> TaskResult:
    return TaskResult(
        name="t", kind=kind, language="en", form="f", shots=0, examples={}, scores=tuple(scores), **more
    )  # fmt: skip


def values(one: TaskResult) -> dict[str, float]:
    return {name: figure["value"] for name, figure in one.as_dict()["metrics"].items()}


def test_each_measure_has_its_own_size() -> None:
    """By sum the second, per character the first; bytes and tokens the other way again."""
    one = score("a", (-6.0, -5.0), (1, 1), chars=(6, 4), bytes=(6, 12), tokens=(2, 1))

    assert one.correct("sum") == 0
    assert one.correct("chars") == 1  # -1 against -1.25
    assert one.correct("bytes") == 0  # -1 against -.42
    assert one.correct("tokens") == 1  # -3 against -5
    assert one.values("slln") == pytest.approx((-6 / math.sqrt(2), -5.0))


def test_pmi_subtracts_what_the_candidate_has_without_a_context() -> None:
    one = score("a", (-6.0, -5.0), (1, 1), unconditional=(-9.0, -4.0))

    assert one.values("pmi") == (3.0, -1.0)
    with pytest.raises(ValueError, match="after an empty context"):
        score("b", (-1.0,), (1,)).values("pmi")


def test_a_tie_earns_what_guessing_among_the_best_would() -> None:
    assert score("a", (-1.0, -1.0, -3.0), (1, 1, 1)).correct("sum") == 0.5
    assert score("b", (-2.0, -1.0, -1.0), (1, 1, 1)).correct("sum") == 0.0


def test_figures_of_choices_have_intervals_and_chance() -> None:
    scores = [score("a", (-1.0, -2.0), (2, 2)), score("b", (-2.0, -1.0), (2, 2)),
              score("c", (-1.0, -2.0), (2, 2)), score("d", (-1.0, -2.0), (2, 2))]  # fmt: skip

    plain = result(scores).as_dict()

    assert (plain["items"], plain["chance"]) == (4, 0.5)
    assert plain["metrics"]["acc"]["value"] == 0.75
    # Wilson's interval of 3 of 4 as published tables have it.
    assert plain["metrics"]["acc"]["low"] == pytest.approx(0.3006, abs=1e-4)
    assert plain["metrics"]["acc"]["high"] == pytest.approx(0.9544, abs=1e-4)
    assert plain["metrics"]["bits_per_byte"]["value"] == pytest.approx(5 / LN2 / 8)
    assert plain["metrics"]["bits_per_byte"]["low"] < 5 / LN2 / 8
    # Per byte the right one has half a nat more, or less.
    share = 1 / (1 + math.exp(-0.5))
    assert plain["metrics"]["gold_probability"]["value"] == pytest.approx(
        (3 * share + 1 - share) / 4
    )
    assert "acc_pmi" not in plain["metrics"]
    json.dumps(plain, allow_nan=False)


def test_clusters_widen_the_interval_and_are_counted() -> None:
    scores = [score(str(n), (-1.0, -2.0) if n < 8 else (-2.0, -1.0), (1, 1), cluster="ab"[n // 8])
              for n in range(16)]  # fmt: skip

    clustered = result(scores, "minimal_pairs").as_dict()["metrics"]["acc"]

    assert clustered["clusters"] == 2
    assert (clustered["low"], clustered["high"]) == (0.0, 1.0)  # a share is no more than all
    assert "2 clusters, below 30" in clustered["warning"]


def test_clusters_that_are_all_alike_are_no_certainty() -> None:
    scores = [score(str(n), (-1.0, -2.0), (1, 1), cluster="abcd"[n % 4]) for n in range(8)]

    right = result(scores, "minimal_pairs").as_dict()["metrics"]["acc"]

    # Wilson's interval of four of four.
    assert (right["value"], right["high"]) == (1.0, 1.0)
    assert right["low"] == pytest.approx(0.5101, abs=1e-4)


def test_pairs_of_equal_length_are_counted_apart() -> None:
    scores = [score("a", (-1.0, -2.0), (3, 3)), score("b", (-2.0, -1.0), (3, 2))]

    assert values(result(scores, "minimal_pairs"))["acc"] == 0.5
    assert values(result(scores, "minimal_pairs"))["acc_equal_length"] == 1.0


def test_a_last_word_is_right_where_it_is_the_greedy_one() -> None:
    one = score("a", (-1.0,), (4,))
    other = ItemScore(**{**vars(one), "id": "b", "greedy": (True,), "log_likelihoods": (-3.0,)})

    found = values(result([one, other], "last_word"))

    assert (found["acc"], found["perplexity"]) == (0.5, pytest.approx(math.exp(2.0)))


def test_classes_have_a_majority_and_ratings_a_correlation() -> None:
    likely = [(-9.0, -1.0, -9.0), (-1.0, -9.0, -9.0), (-9.0, -9.0, -1.0)]
    scores = [
        ItemScore(
            **{**vars(score(str(n), sums, (1, 1, 1))), "gold": (gold,), "rating": float(gold)}
        )
        for n, (sums, gold) in enumerate(zip(likely, (1, 0, 2), strict=True))
    ]

    found = values(result(scores, "classification"))

    assert found["majority"] == pytest.approx(1 / 3)
    assert found["macro_f1"] == 1.0
    assert found["pearson"] == pytest.approx(1.0, abs=1e-3)
    assert found["spearman"] == pytest.approx(1.0)


@dataclass
class Letters:
    """A candidate costs a nat for each letter; keeps what stood before."""

    form: str = "letters"

    def score(
        self, items: Sequence[Item], *, before: Sequence[str] | None = None, pmi: bool = False
    ) -> list[ItemScore]:
        del pmi
        shown = before or [""] * len(items)
        return [
            ItemScore(
                id=item.id, gold=item.gold, cluster=item.cluster,
                log_likelihoods=tuple(-float(len(one.text)) for one in item.candidates),
                tokens=(1,) * len(item.candidates),
                chars=tuple(len(one.text) for one in item.candidates),
                bytes=tuple(len(one.text) for one in item.candidates),
                greedy=(False,) * len(item.candidates), cut_tokens=len(text),
            )
            for item, text in zip(items, shown, strict=True)
        ]  # fmt: skip


def task_of(count: int, splits: int = 0) -> LoadedTask:
    task = parse_task(
        {"name": "t", "kind": "minimal_pairs", "language": "en", "source": "us", "data": {"path": "x"},
         "good": "{g}", "bad": "{b}"},
        where="t",
    )  # fmt: skip

    def items(first: str, number: int) -> tuple[Item, ...]:
        return tuple(
            Item(id=f"{first}{n}", gold=(0,), candidates=(
                Candidate(context="", text=first * (n % 3 + 1)), Candidate(context="", text=f"{first}{n:02}")))
            for n in range(number)
        )  # fmt: skip

    rows = {f"i{n}": Row(item_id=f"i{n}", file="x", where="x", values={}) for n in range(count)}
    return LoadedTask(task=task, items=items("i", count), rows=rows, splits=items("e", splits))


def test_ranks_give_the_figures_of_one_process() -> None:
    loaded = task_of(11)
    alone = evaluate_task(loaded, Letters(), TaskChoice())
    # What rank 0 would be sent by the others.
    parts = [list(alone.scores)[rank::3] for rank in range(3)]

    shared = evaluate_task(
        loaded, Letters(), TaskChoice(), share=Share(rank=0, ranks=3, gather=lambda own: [own, *parts[1:]])
    )  # fmt: skip

    assert shared == alone


def test_whole_and_clean_items_have_the_same_examples() -> None:
    documents = {f"i{n}": n % 2 for n in range(9)}

    found = evaluate_task(
        task_of(10, splits=4), Letters(), TaskChoice(shots=2), documents=documents
    )
    plain = found.as_dict()

    assert plain["items"] == 10
    assert plain["clean"]["items"] == 5
    assert len(plain["examples"][""]) == 2
    assert "1 items are unknown to the refinery" in " ".join(plain["warnings"])
    assert "10 of 10 prompts lost their beginning" in " ".join(plain["warnings"])
    none = evaluate_task(task_of(10), Letters(), TaskChoice())
    assert [one.id for one in none.scores] == [one.id for one in found.scores]


def test_a_result_is_found_again_by_weights_task_and_choice(tmp_path: Path) -> None:
    loaded = task_of(3)
    key = task_key("w", loaded, TaskChoice())
    assert stored(tmp_path, key) is None

    written = store(tmp_path, key, evaluate_task(loaded, Letters(), TaskChoice()))

    assert stored(tmp_path, key) == written
    lines = (tmp_path / written["items_file"]).read_text().splitlines()
    assert [json.loads(line)["id"] for line in lines] == ["i0", "i1", "i2"]
    others = {
        key,
        task_key("v", loaded, TaskChoice()),
        task_key("w", task_of(4), TaskChoice()),
        task_key("w", loaded, TaskChoice(limit=2)),
        task_key("w", loaded, TaskChoice(), documents={"i0": 1}),
    }
    assert len(others) == 5
    (tmp_path / written["items_file"]).unlink()
    assert stored(tmp_path, key) is None
