"""`train ladder`: from a file of runs to a verdict, and what is refused."""

import json
from pathlib import Path

import pytest

from schemas.errors import ContractError, SettingsError
from tests.train.scaling.ladders import TRUE, ladder
from train.__main__ import main
from train.commands.ladder import amount
from train.scaling.points_file import read_points


@pytest.fixture
def points(tmp_path: Path) -> Path:
    made = ladder(noise=0.01)
    lines = [
        json.dumps({"parameters": n, "tokens": d, "loss": loss, "seed": 0})
        for n, d, loss in zip(made.parameters, made.tokens, made.losses, strict=True)
    ]
    path = tmp_path / "points.jsonl"
    path.write_text("\n".join(lines) + "\n\n", "utf-8")
    return path


def test_a_file_of_runs_gives_a_verdict(points: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["--target", "3e6", "3e7", "--flops", "3e14", "--resamples", "20", "--json"]

    code = main(["ladder", "--points", str(points), "--counted", "all", *arguments])

    assert code == 0
    verdict = json.loads(capsys.readouterr().out)
    answers = {one["name"]: one for one in verdict["answers"]}
    loss = answers["loss of 3e+06 parameters after 3e+07 tokens"]
    assert verdict["runs"] == 20
    assert verdict["counted"] == "all"
    assert loss["profile"]["low"] < float(TRUE.loss(3e6, 3e7)) < loss["profile"]["high"]
    best = answers["parameters for 3e+14 FLOPs"], answers["tokens for 3e+14 FLOPs"]
    assert 6 * best[0]["value"] * best[1]["value"] == pytest.approx(3e14)
    assert best[0]["profile"]["low"] < TRUE.best(3e14).parameters < best[0]["profile"]["high"]


def test_a_terminal_shows_both_fits(points: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["ladder", "--points", str(points), "--counted", "without embeddings", "--resamples", "5"])

    text = capsys.readouterr().out
    assert "20 runs, 3e+05 to 1.5e+06 parameters (counted: without embeddings)" in text
    assert "by variable projection: E 1." in text
    assert "by Huber's loss and L-BFGS: E 1." in text
    assert "90 % profile" in text


@pytest.mark.parametrize(
    "line",
    [
        '{"parameters": 1, "tokens": 2}',
        "[1, 2, 3]",
        "{",
        '{"parameters": true, "tokens": 2, "loss": 3}',
    ],
)
def test_a_line_that_is_no_run_is_named(points: Path, line: str) -> None:
    points.write_text(points.read_text("utf-8").rstrip() + "\n" + line, "utf-8")

    with pytest.raises(ContractError, match=r"points\.jsonl: line 21"):
        main(["ladder", "--points", str(points)])


def test_too_few_runs_are_refused(points: Path) -> None:
    points.write_text("\n".join(points.read_text("utf-8").splitlines()[:5]), "utf-8")

    with pytest.raises(SettingsError, match="5 numbers, the ladder 5 runs"):
        main(["ladder", "--points", str(points)])


@pytest.mark.parametrize(
    "arguments", [["--flops", "-1"], ["--flops", "nan"], ["--target", "1e6", "x"]]
)
def test_what_is_no_amount_is_refused(points: Path, arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as leaving:
        main(["ladder", "--points", str(points), *arguments])

    assert leaving.value.code == 2


def test_far_extrapolation_is_refused_and_may_be_allowed(points: Path) -> None:
    arguments = ["ladder", "--points", str(points), "--target", "5e7", "1e8", "--resamples", "5"]

    with pytest.raises(SettingsError, match="more than 8 times beyond the ladder"):
        main(arguments)
    assert main([*arguments, "--farthest", "50"]) == 0


def test_amounts_are_read_as_people_write_them() -> None:
    assert [amount(text) for text in ("6e6", "1500000")] == [6e6, 1.5e6]


def test_points_keep_the_order_of_the_file_and_what_they_count(points: Path) -> None:
    read = read_points(points, counted="all")

    assert read.counted == "all"
    assert read.parameters.tolist() == ladder().parameters.tolist()
