"""The verb `rules`: the shipped table, and the one of a recipe."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import pytest

from jobs.command import rules
from jobs.command.main import main

RECIPE = """
recipe:
  name: x
  sources: [{name: a, uri: ., format: text}]
  clean:
    rules:
      disabled: ["gopher:hash_ratio"]
      bounds: {"gopher:words": {minimum: 7}, zh: {"gopher:words": {maximum: 700}}}
runtime: {output: out}
"""


def rows_of(capsys: pytest.CaptureFixture[str], *arguments: str) -> list[dict[str, object]]:
    assert main(["rules", *arguments, "--json"]) == 0
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_every_language_and_rule_is_there_for_machines(capsys: pytest.CaptureFixture[str]) -> None:
    found = rows_of(capsys)

    assert {"default", "en", "zh", "th", "lo", "km", "my"} <= {row["language"] for row in found}
    (words,) = (r for r in found if (r["rule"], r["language"]) == ("gopher:words", "en"))
    assert (words["minimum"], words["maximum"]) == (50, 100_000)
    assert words["source"] == "Rae et al. 2021, appendix A.1.1"
    assert "words of the document" in str(words["meaning"])


def test_a_recipe_shows_what_runs_with_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "r.yaml").write_text(RECIPE)

    found = rows_of(capsys, str(tmp_path / "r.yaml"), "--lang", "zh", "--lang", "en")

    bounds = {
        row["language"]: (row["minimum"], row["maximum"])
        for row in found
        if row["rule"] == "gopher:words"
    }
    assert bounds == {"zh": (7, 700), "en": (7, 100_000)}
    assert "gopher:hash_ratio" not in {row["rule"] for row in found}
    assert "c4:sentences" not in {row["rule"] for row in found}


def test_people_read_a_table(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["rules", "--lang", "lo"]) == 0

    printed = capsys.readouterr().out
    assert "borrowed from km" in printed
    assert "gopher:words" in printed


def test_languages_may_be_repeated() -> None:
    parser = argparse.ArgumentParser()
    rules.add_arguments(parser)

    assert parser.parse_args(["--lang", "zh", "--lang", "en"]).languages == ["zh", "en"]
