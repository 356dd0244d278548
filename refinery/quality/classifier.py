"""Train fastText classifiers (Joulin et al. 2016), test them on documents kept apart, and score text.

Training gives the same bytes each time: lines come in the order of a hash, to one thread. A card
beside the model records what it was trained on; scoring refuses text normalised by another version.
"""

from __future__ import annotations

import functools
import json
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypedDict

import numpy as np
from pydantic import ValidationError

from refinery.normalize.text import NORMALIZER_VERSION
from refinery.quality.config import QUALITY, HeadConfig, QualityConfig, QualityTrainingConfig
from refinery.quality.facts import ModelCard
from refinery.quality.reasons import LOW_SCORE, head_reason
from refinery.text.batch import CJK, KIND, UNSPACED, class_table
from schemas.errors import ContractError, SettingsError
from schemas.fingerprints import sha256_hex

CLASSIFIER_VERSION = 2
GOOD, NOISY = "__label__good", "__label__noisy"


@dataclass(frozen=True)
class ModelFiles:
    """A head's model and its card: paths, or URIs that executors fetch."""

    model: str
    card: str


def model_name(head: str) -> str:
    return f"{head}.bin"


def card_name(head: str) -> str:
    return f"{head}.json"


@dataclass(frozen=True, order=True)
class LabelledDocument:
    """A training line of a document and its class; the id orders documents and splits them."""

    doc_id: str
    label: str
    text: str


def to_line(text: str, max_chars: int) -> str:
    """Write a text as one line of fastText input: lower case, and a blank between the tokens of `TextBatch`.

    So a CJK character is a word, and so is a letter of Thai with its marks.
    """
    head = text[:max_chars].lower()
    classes = class_table().take(np.frombuffer(head.encode("utf-32-le"), np.uint32))
    is_cjk, is_unspaced = classes & KIND == CJK, classes & UNSPACED != 0
    if is_cjk.any() or is_unspaced.any():
        head = "".join(
            f" {char} " if cjk else f" {char}" if unspaced else char
            for char, cjk, unspaced in zip(head, is_cjk, is_unspaced, strict=True)
        )
    return " ".join(head.split())


def balance_documents(
    rows: Iterable[tuple[str, str, str]], config: QualityTrainingConfig
) -> list[LabelledDocument]:
    """Turn (doc_id, source, text) rows into training lines, as many of each class, sorted by id.

    Equal lines count once; of a class with too many, those with the smallest ids stay.

    Raises:
        SettingsError: A class has fewer than two documents.
    """
    by_label: dict[str, dict[str, LabelledDocument]] = {GOOD: {}, NOISY: {}}
    for doc_id, source, text in rows:
        line = to_line(text, config.max_chars)
        if line:
            label = GOOD if source in config.positive else NOISY
            by_label[label][sha256_hex(line.encode())] = LabelledDocument(doc_id, label, line)
    fewest = min(len(examples) for examples in by_label.values())
    if fewest < 2:
        sizes = {label: len(examples) for label, examples in by_label.items()}
        raise SettingsError(f"recipe.quality: each class needs two documents, found {sizes}")
    most = min(fewest, config.max_documents)
    return sorted(e for examples in by_label.values() for e in sorted(examples.values())[:most])


def train(
    examples: Sequence[LabelledDocument],
    config: QualityTrainingConfig,
    folder: Path,
    head: str = QUALITY,
) -> ModelCard:
    """Train on all but the test share, then write the head's model and card into `folder`."""
    border = int(config.test_fraction * 16**8)
    test = [e for e in examples if int(e.doc_id[-8:], 16) < border]
    training = [e for e in examples if int(e.doc_id[-8:], 16) >= border]
    if {e.label for e in training} != {GOOD, NOISY}:
        raise SettingsError(f"recipe.quality: {len(examples)} documents are too few to split")
    model = _fit(training, config)
    folder.mkdir(parents=True, exist_ok=True)
    model.save_model(str(folder / model_name(head)))
    card = ModelCard(
        classifier_version=CLASSIFIER_VERSION,
        normalizer_version=NORMALIZER_VERSION,
        max_chars=config.max_chars,
        training_documents=len(training),
        test_documents=len(test),
        settings=config.model_dump(mode="json"),
        **evaluate(_score_lines(model, [e.text for e in test]), [e.label == GOOD for e in test]),
    )
    text = json.dumps(card.model_dump(mode="json"), indent=2, sort_keys=True) + "\n"
    (folder / card_name(head)).write_text(text, encoding="utf-8")
    return card


def _fit(training: Sequence[LabelledDocument], config: QualityTrainingConfig) -> Any:
    import fasttext

    with tempfile.TemporaryDirectory() as scratch:
        lines = Path(scratch) / "train.txt"
        lines.write_text("".join(f"{e.label} {e.text}\n" for e in training), encoding="utf-8")
        return fasttext.train_supervised(
            str(lines),
            dim=config.dim,
            epoch=config.epochs,
            lr=config.learning_rate,
            wordNgrams=config.word_ngrams,
            bucket=config.bucket,
            minCount=config.min_count,
            thread=1,
            seed=0,
            verbose=0,
        )


class Evaluation(TypedDict):
    """Area under the ROC curve, precision and recall; None where a class has no document."""

    auc: float | None
    precision: float | None
    recall: float | None


def evaluate(scores: Sequence[float], is_good: Sequence[bool]) -> Evaluation:
    """Area under the ROC curve, by ranks with ties as half; precision and recall at 0.5."""
    good = np.array(is_good, bool)
    values = np.array(scores, np.float64)
    num_good, num_noisy = int(good.sum()), int((~good).sum())
    if not num_good or not num_noisy:
        return {"auc": None, "precision": None, "recall": None}
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[inverse]
    auc = (ranks[good].sum() - num_good * (num_good + 1) / 2) / (num_good * num_noisy)
    called = values >= 0.5
    hits = int((called & good).sum())
    return {
        "auc": round(float(auc), 4),
        "precision": round(hits / max(1, int(called.sum())), 4),
        "recall": round(hits / num_good, 4),
    }


def _score_lines(model: Any, lines: Sequence[str]) -> list[float]:
    """Probability of the good class, rounded to 10**-6 so that orders by score are total."""
    if not lines:
        return []
    labels, scores = model.predict(list(lines), k=2)
    return [
        round(min(1.0, float(dict(zip(label, score, strict=True)).get(GOOD, 0.0))), 6)
        for label, score in zip(labels, scores, strict=True)
    ]


@dataclass(frozen=True)
class Classifier:
    """A loaded model with the card that was written beside it."""

    model: Any
    card: ModelCard

    def score(self, texts: Sequence[str]) -> list[float]:
        """Scores of normalised texts, from 0 to 1."""
        return _score_lines(self.model, [to_line(t, self.card.max_chars) for t in texts])


@functools.cache
def load_classifier(files: ModelFiles) -> Classifier:
    """Load a model and its card, once per process.

    Raises:
        ContractError: The model was trained on text normalised by another version, or its card is
            not of this form.
    """
    import fasttext

    text = Path(files.card).read_text(encoding="utf-8")
    version = json.loads(text).get("normalizer_version")
    if version != NORMALIZER_VERSION:
        raise ContractError(
            f"{files.model}: trained on text of normaliser {version}, "
            f"this is {NORMALIZER_VERSION}; train it again"
        )
    try:
        card = ModelCard.model_validate_json(text)
    except ValidationError as error:
        raise ContractError(f"{files.card}: not the card of a classifier: {error}") from error
    return Classifier(fasttext.load_model(files.model), card)


def quality_reasons(score: float, config: QualityConfig) -> list[str]:
    """Reasons to drop a document for its score by `recipe.quality`: one or none."""
    low = config.min_score is not None and score < config.min_score
    return [LOW_SCORE] if low else []


def is_outside(score: float, config: HeadConfig) -> bool:
    """Whether a score is outside of a head's bounds; a score that equals a bound is inside."""
    low = config.min_score is not None and score < config.min_score
    return low or (config.max_score is not None and score > config.max_score)


def head_reasons(scores: Mapping[str, float], configs: Mapping[str, HeadConfig]) -> list[str]:
    """Reasons to drop a document for its scores by `recipe.heads`, in the order of the recipe.

    A head without a score of the document, as a table's may be, gives none.
    """
    return [
        head_reason(head)
        for head, config in configs.items()
        if config.action == "drop" and head in scores and is_outside(scores[head], config)
    ]
