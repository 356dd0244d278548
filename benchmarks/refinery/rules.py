"""MB of text per core-second of the clean stage's parts, English and Chinese, one thread.

    python -m benchmarks.refinery.rules [--data FOLDER] [--megabytes 4]

The classifier is one fastText model of the default size, trained here on halves of the two texts: its
speed is wanted, not its verdicts. CPU time (`time.process_time`), best of three passes. Texts are cut
into documents of 2,000 to 6,000 characters, about the length of a page's text.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

from benchmarks.corpora.text_files import DATA, FILES_BY_LANGUAGE, read_documents
from benchmarks.record import argument_parser, record
from refinery.filters.config import PiiConfig, RulesConfig
from refinery.filters.lines import line_edits
from refinery.filters.pii import find_pii
from refinery.filters.rules import failed_rules
from refinery.filters.values import compute_values
from refinery.language.config import LanguageConfig
from refinery.language.identify import identify
from refinery.normalize.config import NormalizeConfig
from refinery.normalize.text import normalize_text
from refinery.quality.classifier import (
    Classifier,
    ModelFiles,
    balance_documents,
    load_classifier,
    train,
)
from refinery.quality.config import QUALITY, QualityTrainingConfig
from refinery.text.batch import GROUP_CHARS, TextBatch, spans_of_groups
from schemas.fingerprints import sha256_hex

PASSES = 3


def batches(documents: list[str]) -> list[list[str]]:
    """Batches as the stage sees them."""
    return [documents[span] for span in spans_of_groups(documents, GROUP_CHARS)]


def rules(texts: list[str], language: str) -> object:
    """All values and all verdicts of one batch."""
    return failed_rules(compute_values(TextBatch.of(texts)), [language] * len(texts), RulesConfig())


def trained(by_language: dict[str, list[str]]) -> Classifier:
    """A model of the default size that tells the two languages' texts apart."""
    config = QualityTrainingConfig(positive=("en",), negative=("zh",))
    rows = [
        (sha256_hex(text.encode())[:32], language, text)
        for language, documents in by_language.items()
        for text in documents[::2]
    ]
    with tempfile.TemporaryDirectory() as folder:
        train(balance_documents(rows, config), config, Path(folder))
        return load_classifier(ModelFiles(f"{folder}/{QUALITY}.bin", f"{folder}/{QUALITY}.json"))


def measure(run: Callable[[], object]) -> float:
    """Best CPU seconds of a few passes, after one for the tables."""
    run()
    best = float("inf")
    for _ in range(PASSES):
        start = time.process_time()
        run()
        best = min(best, time.process_time() - start)
    return best


def parts(
    documents: list[str], language: str, classifier: Classifier
) -> dict[str, Callable[[], object]]:
    """What is measured, by name."""
    config, named = NormalizeConfig(), LanguageConfig()
    normal = [normalize_text(text, config).text for text in documents]
    groups = batches(normal)
    # Line rules read the batch that the rules have made.
    made = [TextBatch.of(group) for group in groups]
    return {
        "normalise": lambda: [normalize_text(text, config) for text in documents],
        "text_batch": lambda: [TextBatch.of(group) for group in groups],
        "rules": lambda: [rules(group, language) for group in groups],
        "language": lambda: [identify(group, named) for group in groups],
        "rules_and_language": lambda: [
            (rules(group, language), identify(group, named)) for group in groups
        ],
        "classifier": lambda: [classifier.score(group) for group in groups],
        "rules_language_and_classifier": lambda: [
            (rules(group, language), identify(group, named), classifier.score(group))
            for group in groups
        ],
        "pii": lambda: [find_pii(text, PiiConfig()) for text in normal],
        "c4_lines": lambda: [line_edits(batch, ("c4",)) for batch in made],
        "refinedweb_lines": lambda: [line_edits(batch, ("refinedweb",)) for batch in made],
    }


def main() -> None:
    parser = argument_parser(__doc__)
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--megabytes", type=float, default=4.0)
    args = parser.parse_args()
    result: dict[str, object] = {"unit": "MB of UTF-8 per core-second"}
    texts = {
        language: read_documents(args.data / "text", names, int(args.megabytes * 1e6))
        for language, names in FILES_BY_LANGUAGE.items()
    }
    classifier = trained(texts)
    for language, documents in texts.items():
        size = sum(len(text.encode()) for text in documents) / 1e6
        speeds = {
            name: round(size / measure(run), 1)
            for name, run in parts(documents, language, classifier).items()
        }
        result[language] = {"documents": len(documents), "megabytes": round(size, 2), **speeds}
    record("rules", result)


if __name__ == "__main__":
    main()
