"""The page of evaluations, what is printed, and what other programs read."""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from pathlib import Path

import pytest

from schemas.errors import SettingsError
from tests.support.evaluations import pair, write_evaluation
from tests.support.figures import Figure
from train.__main__ import main
from train.commands import compare as command
from train.comparison.checkpoints import curves, signals
from train.comparison.compare import beside_control, compare
from train.comparison.examples import won_and_lost
from train.comparison.lm_eval import as_lm_eval
from train.comparison.page import as_json, render
from train.comparison.recipes import read_recipes
from train.comparison.results import read_evaluation
from train.comparison.sections import clean_subsets, phenomena, scores
from train.comparison.table import print_comparison
from train.comparison.words import amount, probability, span

HOSTILE = "<script>document.title='owned'</script>[red]"


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    texts = {
        f"{n}": {"context": HOSTILE, "candidates": [f"good {n} {HOSTILE}", f"bad {n}"]}
        for n in range(8)
    }
    first = [pair(f"{n}", right=n % 2 == 0, cluster=f"{HOSTILE}{n % 2}") for n in range(8)]
    other = [pair(f"{n}", right=n < 6, cluster=f"{HOSTILE}{n % 2}") for n in range(8)]
    group = {"items": 4, "acc": {"value": 0.5, "low": -0.2, "high": 1.2}}
    more = {
        "groups": {HOSTILE: group, "b": group},
        "clean": {"items": 5, "metrics": {"acc": {"value": 0.25, "low": 0.1, "high": 0.4}}},
        "warnings": [HOSTILE],
    }
    return (
        write_evaluation(tmp_path / "first", first, texts=texts, **more),
        write_evaluation(tmp_path / "other", other, texts=texts, **more),
    )


def test_held_out_figures_show_their_documents_and_what_a_decoder_copies(
    folders: tuple[Path, Path],
) -> None:
    file = folders[0] / "evaluation.json"
    row = {
        "loss": 2.0, "bits_per_byte": 1.5, "bits_per_byte_interval": [1.25, 1.75], "labels": 90, "documents": 7,
    }  # fmt: skip
    saved = {"value": 0.5, "low": 0.25, "high": 0.75}
    copied = {"first": {"value": 9.0}, "second": {"value": 8.5}, "saved": saved}
    found = json.loads(file.read_text("utf-8"))
    file.write_text(json.dumps({**found, "heldout": {**row, "sources": {}}, "copy": copied}))

    page = render(read_recipes([[folders[0]]]), [])

    assert "1.250 to 1.750" in page
    assert "0.250 to 0.750" in page
    assert '<section id="copying"' not in render(read_recipes([[folders[1]]]), [])


def test_the_page_shows_every_part_and_runs_no_text(folders: tuple[Path, Path]) -> None:
    recipes = read_recipes([[folder] for folder in folders])

    page = render(recipes, compare(recipes))

    for key in ("verdicts", "scores", "phenomena", "clean", "answers"):
        assert f'<section id="{key}"' in page
    assert 'id="checkpoints"' not in page  # no run's metrics lie beside them
    assert "<script>document" not in page
    assert "3 won by other" in page  # 1, 3, 5; 6 is lost


def test_examples_are_those_that_one_model_alone_gets_right(folders: tuple[Path, Path]) -> None:
    first, other = (read_evaluation(folder, folder.name).tasks["pairs"] for folder in folders)

    won, lost, num_won, num_lost = won_and_lost(first, other)

    assert [one.id for one in won] == ["1", "3", "5"]
    assert [one.id for one in lost] == ["6"]
    assert (num_won, num_lost) == (3, 1)
    assert won[0].chosen == ("bad 1", f"good 1 {HOSTILE}")


def test_scores_stand_against_chance_and_the_control(tmp_path: Path) -> None:
    folder = write_evaluation(tmp_path / "run", [pair("1"), pair("2")])
    found = json.loads((folder / "evaluation.json").read_text())
    control = {**found["tasks"][0], "metrics": {"acc": {"value": 0.51, "low": 0.4, "high": 0.6}}}
    (folder / "evaluation.json").write_text(json.dumps({**found, "control": {"tasks": [control]}}))

    body = scores([read_evaluation(folder, "run")])

    figure = Figure(body[: body.index("</figure>") + len("</figure>")])
    assert figure.data["marks"] == [["chance", [0.5]], ["5-gram control", [0.51]]]
    assert figure.data["dots"] == [{"name": "run", "x": [0.5], "low": [0.4], "high": [0.6]}]
    assert "51.0 %" in body


def test_a_model_is_told_from_its_control_or_not(tmp_path: Path) -> None:
    """The control answers 2 of 12 pairs; one model 12, the other 3."""
    write_evaluation(tmp_path / "control", [pair(f"{n}", right=n < 2) for n in range(12)])
    for name, right in (("grammar", 12), ("frequency", 3)):
        folder = write_evaluation(
            tmp_path / name, [pair(f"{n}", right=n < right) for n in range(12)]
        )
        model, control = (read_evaluation(tmp_path / one, one) for one in (name, "control"))

        (row, _) = beside_control(replace(model, control=control.tasks))

        assert folder == model.path.parent
        assert (row.first, row.other) == ("5-gram control", name)
        # All discordant pairs are won, 10 and 1 of them; the other of two rows has p = 1.
        assert row.adjusted == pytest.approx(4 / 2**10 if name == "grammar" else 1.0)
        assert row.verdict == ("better" if name == "grammar" else "not told apart")
    assert beside_control(control) == []


def test_intervals_of_phenomena_end_at_all_and_nothing(folders: tuple[Path, Path]) -> None:
    figure = Figure(phenomena([read_evaluation(folders[0], "first")]))

    assert figure.data["dots"][0]["low"] == [0, 0]
    assert figure.data["dots"][0]["high"] == [1, 1]


def test_clean_items_stand_beside_the_whole(folders: tuple[Path, Path]) -> None:
    body = clean_subsets([read_evaluation(folders[0], "first")])

    assert "50.0 %" in body
    assert "25.0 %" in body
    assert "10.0 to 40.0 %" in body


def _with_metrics(folder: Path, values: list[float]) -> None:
    records = [
        {
            "step": n, "tokens": 64 * n, "loss": 2.0, "seconds": 1.0, "wait_share": 0.0, "lr": 0.1,
            "grad_norm": 1.0, "tokens_per_second": 64.0, "loss_by_source": {},
            "tokens_by_source": {}, "labels_by_source": {},
            "tasks": {"pairs": {"acc": value, "bits_per_byte": None}},
        }
        for n, value in enumerate(values)
    ]  # fmt: skip
    (folder / "metrics.jsonl").write_text("".join(json.dumps(r) + "\n" for r in records))


def test_checkpoints_give_a_curve_and_tell_noise_from_signal(folders: tuple[Path, Path]) -> None:
    for folder, values in zip(folders, ([0.5, 0.56, 0.53], [0.56, 0.5, 0.54]), strict=True):
        _with_metrics(folder, values)
    models = [read_evaluation(folder, folder.name) for folder in folders]

    found = signals(models)["pairs"]
    figure = Figure(curves(models).removeprefix('<div class="charts">').removesuffix("</div>"))

    assert found is not None
    assert found.reason is not None
    assert [line["y"] for line in figure.data["series"]] == [[0.5, 0.56, 0.53], [0.56, 0.5, 0.54]]
    assert curves(models[:1]) != ""


def test_the_command_prints_and_writes_page_and_json(
    folders: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for folder in folders:
        _with_metrics(folder, [0.5])
    page, plain = tmp_path / "page.html", tmp_path / "comparison.json"

    code = main(["compare", *map(str, folders), "--out", str(page), "--json", str(plain)])

    printed = capsys.readouterr().out
    assert code == 0
    assert printed.splitlines()[-1] == str(page)
    assert "not told apart" in printed
    assert 'id="settings"' in page.read_text()  # the runs themselves are beside each other, too
    rows = json.loads(plain.read_text())["comparison"]
    assert [row["figure"] for row in rows] == ["acc", "bits_per_byte"]
    assert rows[0]["difference"] == pytest.approx(0.25)


def test_one_model_is_no_comparison(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="two models"):
        command.run(argparse.Namespace(recipes=[str(tmp_path)]))


def test_what_is_no_number_is_null_and_markup_is_text(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One cluster alone: no interval, no probability, nothing told."""
    sides = [
        [write_evaluation(tmp_path / name, [pair("1", cluster="c"), pair("2", cluster="c")], task=HOSTILE[-5:])]
        for name in ("a", "b")
    ]  # fmt: skip
    rows = compare(read_recipes(sides))

    print_comparison(rows)

    row = json.loads(as_json(rows))["comparison"][0]
    assert (row["low"], row["p_value"], row["smallest"]) == (None, None, None)
    assert row["verdict"] == "not told apart"
    printed = capsys.readouterr().out
    assert "[red]" in printed
    assert "one independent observation" in printed


def test_lm_eval_reads_our_figures_by_its_names(folders: tuple[Path, Path]) -> None:
    found = as_lm_eval(read_evaluation(folders[0], "first"))

    assert found["results"]["pairs"]["acc,none"] == 0.5
    assert found["results"]["pairs"]["acc_stderr,none"] == 0.05
    assert found["n-samples"]["pairs"] == {"original": 8, "effective": 8}
    assert found["higher_is_better"]["pairs"] == {"acc": True, "bits_per_byte": False}
    assert found["n-shot"] == {"pairs": 0}


@pytest.mark.parametrize(
    ("shown", "text"),
    [
        (amount(0.123, "acc"), "12.3 %"),
        (amount(-0.0051, "acc", sign=True), "-0.5 pp"),
        (amount(1.23456, "bits_per_byte"), "1.2346"),
        (amount(float("nan"), "acc"), ""),
        (amount(float("inf"), "acc"), "\u221e"),
        (amount(None, "acc"), ""),
        (span(0.1, 0.2, "acc"), "10.0 to 20.0 %"),
        (span(None, None, "acc"), ""),
        (probability(0.0004), "< .001"),
        (probability(0.0421), ".042"),
        (probability(1.0), "1"),
        (probability(float("nan")), ""),
    ],
)
def test_figures_are_written_for_people(shown: str, text: str) -> None:
    assert shown == text
