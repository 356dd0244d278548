"""From files to items: prompts, candidates, answers, and examples from another split."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from schemas.errors import SettingsError
from train.evaluation.items import Candidate, Item
from train.evaluation.load import LoadedTask, choose_items, choose_shots, load_task
from train.evaluation.open_tasks import TaskRequest, open_tasks
from train.evaluation.task import find_task, parse_task, read_task


def lines(path: Path, records: Sequence[dict[str, Any]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(one, ensure_ascii=False) + "\n" for one in records))


def loaded(folder: Path, records: Sequence[dict[str, Any]], **fields: Any) -> LoadedTask:
    lines(folder / "t.jsonl", records)
    plain = {"name": "t", "language": "en", "source": "us", "data": {"path": "t.jsonl"}, **fields}
    return load_task(parse_task(plain, where="t.yaml"), folder)


def strings(item: Item) -> list[str]:
    return [one.context + "|" + one.delimiter + one.text for one in item.candidates]


def shipped(name: str, folder: Path) -> LoadedTask:
    return load_task(read_task(find_task(name)), folder)


def test_prompts_have_the_wording_of_lm_eval(tmp_path: Path) -> None:
    lines(
        tmp_path / "mixed/arc_easy.jsonl",
        [{"query": "Question: Why?", "choices": ["x", "y"], "gold": 1}],
    )
    lines(
        tmp_path / "piqa/piqa/data/valid.jsonl",
        [{"goal": "Open it", "sol1": "pull ", "sol2": "push"}],
    )
    (tmp_path / "piqa/piqa/data/valid-labels.lst").write_text("1\n")
    lines(
        tmp_path / "mixed/winogrande.jsonl",
        [{"context_options": ["A so A", "A so B"], "continuation": "ran.", "gold": 0}],
    )
    lines(tmp_path / "lambada/lambada_test.jsonl", [{"text": "one two\nthree four"}])
    (tmp_path / "cmmlu/data/test").mkdir(parents=True)
    (tmp_path / "cmmlu/data/dev").mkdir(parents=True)
    for split in ("test", "dev"):
        with (tmp_path / f"cmmlu/data/{split}/art.csv").open("w", newline="") as file:
            csv.writer(file).writerows(
                [
                    ["", "Question", "A", "B", "C", "D", "Answer"],
                    [0, f" {split}谁 ", "甲", "乙", "丙", "丁", "C"],
                ]
            )

    arc, piqa, winogrande, lambada, cmmlu = (
        shipped(name, tmp_path).items[0]
        for name in ("arc-easy", "piqa", "winogrande", "lambada", "cmmlu")
    )  # fmt: skip

    assert (strings(arc), arc.gold) == (
        ["Question: Why?\nAnswer:| x", "Question: Why?\nAnswer:| y"],
        (1,),
    )
    assert (strings(piqa), piqa.gold) == (
        ["Question: Open it\nAnswer:| pull ", "Question: Open it\nAnswer:| push"],
        (1,),
    )
    assert strings(winogrande) == ["A so A| ran.", "A so B| ran."]
    assert strings(lambada) == ["one two\nthree| four"]
    assert strings(cmmlu)[2] == "test谁\nA. 甲\nB. 乙\nC. 丙\nD. 丁\n答案：| C"
    assert (cmmlu.gold, cmmlu.cluster) == ((2,), "art")
    shots = choose_shots(shipped("cmmlu", tmp_path), [cmmlu], 1, seed=1)
    assert shots.before(cmmlu) == "dev谁\nA. 甲\nB. 乙\nC. 丙\nD. 丁\n答案： C\n\n"


MULTIPLE = {"kind": "multiple_choice", "prompt": "{q}", "choices": ["{a}", "{b}"], "answer": "r"}


@pytest.mark.parametrize(
    ("given", "answer_is", "index"),
    [(1, "number", 1), ("1", "number", 1), ("b", "letter", 1), ("3", "text", 1)],
)
def test_an_answer_is_what_the_task_says_it_is(
    tmp_path: Path, given: Any, answer_is: str, index: int
) -> None:
    """A choice may be the text of another choice's number."""
    made = loaded(
        tmp_path, [{"q": "1 + 2", "a": "1", "b": "3", "r": given}], **MULTIPLE, answer_is=answer_is
    )

    assert made.items[0].gold == (index,)


@pytest.mark.parametrize(
    ("given", "answer_is", "message"),
    [
        (2, "number", "answer 2 is none of 2 choices; expected a number from 0 to 1"),
        (-1, "number", "answer -1 is none of 2"),
        (True, "number", "answer True is none of 2"),
        (None, "number", "answer None is none of 2"),
        ("C", "letter", "expected a letter from A to B"),
        ("Parris", "text", "expected the text of a choice; did you mean 'Paris'"),
    ],
)
def test_an_answer_outside_of_the_choices_names_the_item(
    tmp_path: Path, given: Any, answer_is: str, message: str
) -> None:
    with pytest.raises(SettingsError, match=message) as found:
        loaded(
            tmp_path,
            [{"q": "?", "a": "Paris", "b": "Rome", "r": given}],
            **MULTIPLE,
            answer_is=answer_is,
        )

    assert "t.jsonl, item 0: field 'r'" in str(found.value)


def test_a_field_that_the_file_lacks_names_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(
        SettingsError, match=r"t.jsonl, item 0: no field 'question'.*did you mean 'quest"
    ):
        loaded(tmp_path, [{"questions": "?"}], kind="last_word", text="{question}")


def test_classes_are_words_and_ratings_go_to_the_nearest_one(tmp_path: Path) -> None:
    fields = {
        "kind": "classification",
        "prompt": "{t}",
        "answer": "s",
        "classes": {"0": "no", "5": "yes"},
    }

    rated = loaded(tmp_path, [{"t": "x", "s": "2.6"}], **fields, rating=True)
    assert (rated.items[0].gold, rated.items[0].rating) == ((1,), 2.6)
    with pytest.raises(SettingsError, match=r"'2.6' is none of the classes \['0', '5'\]"):
        loaded(tmp_path, [{"t": "x", "s": "2.6"}], **fields)


def test_only_items_of_a_value_are_taken_and_ids_stay(tmp_path: Path) -> None:
    records = [
        {"t": "a b", "state": " OK"},
        {"t": "c d", "state": "bad"},
        {"t": "e f", "state": "ok"},
    ]
    data = {"path": "t.jsonl", "only": {"state": "ok"}}

    made = loaded(tmp_path, records, kind="last_word", text="{t}", data=data)

    assert [item.id for item in made.items] == ["0", "2"]
    with pytest.raises(SettingsError, match="no item has"):
        loaded(
            tmp_path, records, kind="last_word", text="{t}", data={**data, "only": {"state": "x"}}
        )


def test_an_id_that_is_given_twice_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="item 1: the id 'x' was there before"):
        loaded(tmp_path, [{"t": "a b", "i": "x"}] * 2, kind="last_word", text="{t}",
               data={"path": "t.jsonl", "id_field": "i"})  # fmt: skip


def numbered(count: int, **fields: Any) -> tuple[Item, ...]:
    return tuple(
        Item(id=str(n), candidates=(Candidate(context=f"q{n}", text=f"a{n}"),), gold=(0,),
             cluster=str(n % 3), **fields)
        for n in range(count)
    )  # fmt: skip


def test_chosen_items_do_not_depend_on_order_and_smaller_choices_lie_in_larger() -> None:
    items = numbered(30)

    five, nine = choose_items(items, limit=5), choose_items(items, limit=9)

    assert {one.id for one in five} < {one.id for one in nine}
    assert {one.id for one in choose_items(items[::-1], limit=5)} == {one.id for one in five}
    assert [int(one.id) for one in five] == sorted(int(one.id) for one in five)
    per = choose_items(items, per_cluster=2)
    assert sorted(one.cluster or "" for one in per) == ["0", "0", "1", "1", "2", "2"]
    assert choose_items(items) == items


def task_with(splits: Sequence[Item], evaluated: Sequence[Item], folder: Path) -> LoadedTask:
    made = loaded(folder, [{"t": "a b"}], kind="last_word", text="{t}")
    return replace(made, items=tuple(evaluated), splits=tuple(splits))


def test_examples_are_fixed_by_the_seed_and_grow_by_the_number(tmp_path: Path) -> None:
    made = task_with(numbered(20), numbered(1, file="f"), tmp_path)

    one, three = (choose_shots(made, [], count, seed=7).ids[""] for count in (1, 3))

    assert one == three[:1]
    assert choose_shots(made, [], 3, seed=7).ids[""] == three
    assert choose_shots(made, [], 3, seed=8).ids[""] != three
    first = int(three[0])
    assert choose_shots(made, [], 1, seed=7).texts[""] == f"q{first} a{first}\n\n"


def test_no_evaluated_item_is_an_example(tmp_path: Path) -> None:
    items = numbered(6)
    made = task_with(items, items, tmp_path)

    chosen = choose_shots(made, items[:4], 2, seed=1).ids[""]

    assert set(chosen) == {"4", "5"}
    with pytest.raises(SettingsError, match=r"--shots 3: task t has 2 examples .*give at most 2"):
        choose_shots(made, items[:4], 3, seed=1)


def test_a_task_without_a_split_asks_for_examples(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="--shots 1: give --examples FILE"):
        choose_shots(task_with((), numbered(1), tmp_path), [], 1, seed=1)


def test_users_name_tasks_files_and_questions(tmp_path: Path) -> None:
    lines(
        tmp_path / "mixed/copa.jsonl",
        [{"query": "It rained, so", "choices": ["a.", "b."], "gold": 0}],
    )
    lines(tmp_path / "own/mine.jsonl", [{"t": "one two"}])
    own = tmp_path / "own/mine.yaml"
    own.write_text(
        "name: mine\nkind: last_word\nlanguage: en\nsource: us\ndata: {path: mine.jsonl}\ntext: '{t}'\n"
    )
    lines(tmp_path / "quiz.jsonl", [{"question": "q", "choices": ["x", "y"], "answer": 0}])
    lines(tmp_path / "items.jsonl", [{"benchmark": "copa", "item": "0", "documents": 2}])

    names = ["copa", str(own), str(tmp_path / "quiz.jsonl")]
    opened = open_tasks(
        TaskRequest(names=names, data=tmp_path, registered=tmp_path / "items.jsonl")
    )

    assert [one.task.name for one, _ in opened] == ["copa", "mine", "quiz"]
    assert [known for _, known in opened] == [{"0": 2}, None, None]
    assert strings(opened[2][0].items[0]) == ["q| x", "q| y"]


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["copaa"], "did you mean 'copa'"),
        (["copa"], "give that folder as --data"),
        (["no/such.yaml"], "no such file: no/such.yaml"),
        (["copa", "copa"], "copa was given twice"),
    ],
)
def test_a_task_that_is_not_there_says_what_to_give(names: list[str], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        open_tasks(TaskRequest(names=names))
