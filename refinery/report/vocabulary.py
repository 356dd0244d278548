"""The tokenizer of a run: what extended it, what was proven, and texts as it cuts them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

from refinery.publish import storage
from refinery.publish.records import StageRecord
from refinery.publish.store import Store
from refinery.report import charts
from refinery.report.vocabulary_data import ProofLine, TokenBox, VocabularyNumbers
from refinery.vocabulary.view import open_tokenizers
from schemas.vocabulary import read_vocabulary

NUM_TEXTS = 4
TEXT_CHARS = 160
_STAGE, _ARTEFACT = "vocabulary", "tokenizer"


def vocabulary_numbers(
    store: Store, records: Mapping[str, StageRecord], texts: Sequence[str]
) -> VocabularyNumbers | None:
    """Read the published tokenizer; None where the run has none."""
    if _STAGE not in records:
        return None
    folder = storage.local_copy(store.artefact_uri(records[_STAGE], _ARTEFACT))
    (viewed,) = open_tokenizers([folder])
    extended = read_vocabulary(folder)
    boxes = tuple(
        tuple(
            TokenBox(id=box.id, text=box.text, bytes_hex=box.bytes_hex, origin=box.origin)
            for box in viewed.boxes(text[:TEXT_CHARS])
        )
        for text in texts[:NUM_TEXTS]
    )
    numbers = VocabularyNumbers(kind=viewed.folder.kind, size=viewed.folder.size, texts=boxes)
    if extended is None:
        return numbers
    keys = set(ProofLine.model_fields)
    proofs = tuple(ProofLine(**proof.model_dump(include=keys)) for proof in extended.proofs)
    return numbers.model_copy(
        update={
            "base_name": extended.base.name,
            "base_size": extended.base.size,
            "counts": dict(extended.counts),
            "proofs": proofs,
        }
    )


def vocabulary_section(numbers: VocabularyNumbers | None) -> str:
    """The section of the page."""
    if numbers is None:
        return "<p>No tokenizer was published.</p>"
    lines = [f"<p>{escape(numbers.kind.replace('_', ' '))}, {charts.number(numbers.size)} ids"]
    if numbers.base_name is not None:
        lines.append(
            f": {escape(numbers.base_name)} with {charts.number(numbers.base_size or 0)} ids, extended by "
            + ", ".join(f"{charts.number(n)} {escape(k)}" for k, n in numbers.counts.items())
        )
    lines.append(".</p>")
    if numbers.proofs:
        rows = "".join(
            f"<tr><td>{escape(p.name)}</td><td>"
            f"{'yes' if p.holds else 'allowed' if p.allowed else 'no'}</td>"
            f"<td>{charts.number(p.checked)}</td><td>{charts.number(p.failures)}</td>"
            f"<td>{escape(p.detail)}</td></tr>"
            for p in numbers.proofs
        )
        head = "<tr><th>proof</th><th>holds</th><th>checked</th><th>failures</th><th>what</th></tr>"
        lines.append(f"<table><thead>{head}</thead><tbody>{rows}</tbody></table>")
    lines += [_boxes(text) for text in numbers.texts]
    return "".join(lines)


def _boxes(boxes: Sequence[TokenBox]) -> str:
    spans = "".join(
        f'<span class="token {escape(box.origin)}" title="id {box.id}, bytes {box.bytes_hex}, '
        f'{escape(box.origin)}"><b>{escape(_visible(box))}</b><i>{box.id}</i></span>'
        for box in boxes
    )
    return f'<p class="tokens">{spans}</p>'


def _visible(box: TokenBox) -> str:
    return (box.text or "·").replace(" ", "␣").replace("\n", "⏎").replace("\t", "⇥")
