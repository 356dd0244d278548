"""Scores of documents by head: classifiers that the recipe trains, fastText files, functions of one's own."""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

from refinery.publish import storage
from refinery.publish.own_code import Run, WrongAnswerError, run_each
from refinery.quality.classifier import ModelFiles, load_classifier, to_line
from refinery.quality.config import GivenModelConfig, PythonScorerConfig
from schemas.errors import SettingsError
from schemas.own_code import load_own
from schemas.settings import nearest

HeadModel = ModelFiles | GivenModelConfig | PythonScorerConfig

PREFIX = "__label__"
# Labels by which published classifiers of two classes call the text that is wanted.
WANTED = ("hq", "good", "positive", "pos", "high", "keep", "edu", "yes", "true")
_NUMBER = re.compile(r"\d+(\.\d+)?")
_TRIAL = ("The library is open every day.", "图书馆每天开放。")


class Scorer(Protocol):
    """A head's model: the same text always gets the same score, whatever its neighbours are."""

    def score(self, texts: Sequence[str]) -> list[float]:
        """Scores in the order of the texts."""


@dataclass(frozen=True)
class FastTextScorer:
    """A fastText file: the chance of one label, or the mean of numbers that the labels are."""

    model: Any
    label: str | None
    config: GivenModelConfig

    def score(self, texts: Sequence[str]) -> list[float]:
        lines = [self._line(text) for text in texts]
        if not lines:
            return []
        labels, chances = self.model.predict(lines, k=-1)
        return [
            round(self._one(dict(zip(own, map(float, numbers), strict=True))), 6)
            for own, numbers in zip(labels, chances, strict=True)
        ]

    def _line(self, text: str) -> str:
        if self.config.lines == "tokens":
            return to_line(text, self.config.max_chars)
        return " ".join(text[: self.config.max_chars].split())

    def _one(self, chances: Mapping[str, float]) -> float:
        if self.label is not None:
            return min(1.0, chances.get(self.label, 0.0))
        total = sum(chances.values())
        grades = {label: float(label.removeprefix(PREFIX)) for label in chances}
        return sum(grades[label] * chance for label, chance in chances.items()) / (total or 1.0)


@dataclass(frozen=True)
class PythonScorer:
    """A function of the user's own that scores texts in batches."""

    config: PythonScorerConfig

    def score(self, texts: Sequence[str]) -> list[float]:
        """Scores of texts.

        Raises:
            WrongAnswerError: Other than one number for each text was returned.
        """
        function = load_own(self.config.python)
        scores: list[float] = []
        for start in range(0, len(texts), self.config.batch):
            batch = [t[: self.config.max_chars] for t in texts[start : start + self.config.batch]]
            answers = [round(float(answer), 6) for answer in function(batch)]
            if len(answers) != len(batch):
                raise WrongAnswerError(f"{len(answers)} scores for {len(batch)} texts")
            if any(answer != answer or abs(answer) == float("inf") for answer in answers):
                raise WrongAnswerError("a score that is no finite number")
            scores += answers
        return scores


def local_models(models: Mapping[str, HeadModel]) -> dict[str, HeadModel]:
    """The models by head with local copies of their files, fetched once per process."""
    return {head: _local(model) for head, model in models.items()}


def _local(model: HeadModel) -> HeadModel:
    if isinstance(model, ModelFiles):
        return ModelFiles(*(str(storage.local_copy(uri)) for uri in (model.model, model.card)))
    if isinstance(model, GivenModelConfig):
        return model.model_copy(update={"model": str(storage.local_copy(model.model))})
    return model


@functools.cache
def load_scorer(model: HeadModel) -> Scorer:
    """Load a head's model, once per process.

    Raises:
        ContractError: A trained model is of another version, or its card is not of this form.
        SettingsError: A file is no fastText model, or it is not clear which of its labels is meant.
    """
    if isinstance(model, ModelFiles):
        return load_classifier(model)
    if isinstance(model, PythonScorerConfig):
        return PythonScorer(model)
    import fasttext

    try:
        loaded = fasttext.load_model(model.model)
    except ValueError as error:
        raise SettingsError(f"{model.model}: not a fastText model ({error})") from error
    return FastTextScorer(loaded, wanted_label(loaded.get_labels(), model), model)


def wanted_label(labels: Sequence[str], config: GivenModelConfig) -> str | None:
    """The label whose chance is the score; None where labels are numbers, whose mean is.

    Raises:
        SettingsError: The model has no such label, or none was named and none is the obvious one.
    """
    names = [label.removeprefix(PREFIX) for label in labels]
    if config.label is not None:
        if config.label.removeprefix(PREFIX) not in names:
            raise SettingsError(
                f"{config.model}: no label '{config.label}'{nearest(config.label, set(names))}"
            )
        return PREFIX + config.label.removeprefix(PREFIX)
    if all(map(_NUMBER.fullmatch, names)):
        return None
    obvious = [name for name in names if name.lower() in WANTED]
    if len(obvious) != 1:
        raise SettingsError(
            f"{config.model}: which label's chance is the score? add `label:`, one of {', '.join(names[:20])}"
        )
    return PREFIX + obvious[0]


def check_scorer(head: str, model: HeadModel, run: Run | None = None) -> None:
    """Load a given model and score two small texts; `run` runs a call in another process.

    Raises:
        SettingsError: It cannot be loaded, or fails on both.
    """
    where = f"recipe.heads.{head}"
    if isinstance(model, GivenModelConfig) and not storage.exists(model.model):
        raise SettingsError(f"{where}.model: nothing at {model.model}")
    try:
        scorer = load_scorer(_local(model))
    except SettingsError as error:
        raise SettingsError(f"{where}: {error}") from error
    # A file is read by fastText, in this process.
    elsewhere = run if isinstance(model, PythonScorerConfig) else None
    call = partial(elsewhere, scorer.score) if elsewhere else scorer.score
    _, failures = run_each(call, _TRIAL, name=head)
    if len(failures) == len(_TRIAL):
        raise SettingsError(f"{where}: {failures[0].message}")
