"""What a head's score does beside dropping: marks are counted, masks hide single paragraphs."""

from __future__ import annotations

import re
from collections.abc import Mapping

from refinery.quality.classifier import Classifier, head_reason, is_outside
from refinery.quality.config import HeadConfig
from refinery.text.marked_edit import MarkedEdit

# A score of less says little: fastText averages over a handful of words.
MIN_PARAGRAPH_CHARS = 40
_PARAGRAPH = re.compile(r"[^\n]+")


def head_marks(scores: Mapping[str, float], configs: Mapping[str, HeadConfig]) -> dict[str, int]:
    """A count of one for each head that only marks and finds the document outside its bounds."""
    return {
        head_reason(head): 1
        for head, config in configs.items()
        if config.action == "mark" and is_outside(scores[head], config)
    }


def head_masks(
    text: str, configs: Mapping[str, HeadConfig], classifiers: Mapping[str, Classifier]
) -> list[MarkedEdit]:
    """Masks of the paragraphs (lines) whose own score is outside the bounds of a masking head."""
    masks: list[MarkedEdit] = []
    for head, config in configs.items():
        if config.action != "mask":
            continue
        spans = [
            found.span()
            for found in _PARAGRAPH.finditer(text)
            if len(found[0].strip()) >= MIN_PARAGRAPH_CHARS
        ]
        scores = classifiers[head].score([text[start:end] for start, end in spans])
        masks += [
            MarkedEdit.of(start, end, config.mask, head_reason(head))
            for (start, end), score in zip(spans, scores, strict=True)
            if is_outside(score, config)
        ]
    return masks
