"""Actions on scores beside dropping: mark counts a document, mask hides single paragraphs."""

from __future__ import annotations

import re
from collections.abc import Mapping

from refinery.quality.classifier import is_outside
from refinery.quality.config import HeadConfig
from refinery.quality.reasons import head_reason
from refinery.quality.scorers import Scorer
from refinery.text.marked_edit import MarkedEdit

# The score of a shorter paragraph says little: fastText averages over a handful of words.
MIN_PARAGRAPH_CHARS = 40
_PARAGRAPH = re.compile(r"[^\n]+")


def head_marks(scores: Mapping[str, float], configs: Mapping[str, HeadConfig]) -> dict[str, int]:
    """Counters of the heads with action `mark` that find the document outside their bounds."""
    return {
        head_reason(head): 1
        for head, config in configs.items()
        if config.action == "mark" and is_outside(scores[head], config)
    }


def head_masks(
    text: str, configs: Mapping[str, HeadConfig], scorers: Mapping[str, Scorer]
) -> list[MarkedEdit]:
    """Masks of paragraphs (lines) whose own scores are outside the bounds of a head with action `mask`."""
    masks: list[MarkedEdit] = []
    for head, config in configs.items():
        if config.action != "mask":
            continue
        spans = [
            line.span()
            for line in _PARAGRAPH.finditer(text)
            if len(line[0].strip()) >= MIN_PARAGRAPH_CHARS
        ]
        scores = scorers[head].score([text[start:end] for start, end in spans])
        masks += [
            MarkedEdit.of(start, end, config.mask, head_reason(head))
            for (start, end), score in zip(spans, scores, strict=True)
            if is_outside(score, config)
        ]
    return masks
