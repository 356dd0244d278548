"""The tokenizer of a run: what extended it, what was proven, and texts as it cuts them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from refinery.publish import storage
from refinery.publish.records import StageRecord
from refinery.publish.store import Store
from refinery.report.tables import Tables
from refinery.report.token_costs import emoji_cost, language_costs
from refinery.report.vocabulary_data import (
    CutText,
    FertilityLine,
    ProofLine,
    TokenBox,
    VocabularyNumbers,
)
from refinery.tokenizers.view import ViewedTokenizer, open_tokenizers, view_page
from schemas.vocabulary import read_vocabulary

NUM_TEXTS = 4
TEXT_CHARS = 160
_STAGE, _ARTEFACT, _BASE = "vocabulary", "tokenizer", "base_tokenizer"


def vocabulary_numbers(
    store: Store, records: Mapping[str, StageRecord], texts: Sequence[str]
) -> VocabularyNumbers | None:
    """Read the published tokenizer; None where the run has none."""
    if _STAGE not in records:
        return None
    folders = _folders(store, records[_STAGE])
    cutters, folder = open_tokenizers(folders), folders[-1]
    viewed = cutters[-1]
    extended = read_vocabulary(folder)
    # Of an extension, what shows most of it; the order of the samples breaks ties.
    starts = [text[:TEXT_CHARS] for text in texts]
    shown = tuple(sorted(starts, key=lambda text: -_num_added(viewed, text))[:NUM_TEXTS])
    tables = Tables(store, records)
    numbers = VocabularyNumbers(
        kind=viewed.folder.kind,
        size=viewed.folder.size,
        languages=language_costs(tables),
        emoji=emoji_cost(tables, folder),
        texts=shown,
        cuts=tuple(tuple(_cut(cutter, text) for cutter in cutters) for text in shown),
    )
    if extended is None:
        return numbers
    keys = set(ProofLine.model_fields)
    measures = set(FertilityLine.model_fields) - {"text", "tokenizer"}
    proofs = tuple(ProofLine(**proof.model_dump(include=keys)) for proof in extended.proofs)
    return numbers.model_copy(
        update={
            "base_name": extended.base.name,
            "base_size": extended.base.size,
            "counts": dict(extended.counts),
            "proofs": proofs,
            "fertility": tuple(
                FertilityLine(
                    text=language, tokenizer=name, **{key: values[key] for key in measures}
                )
                for language, pair in extended.fertility.items()
                for name, values in pair.items()
            ),
        }
    )


def viewer_page(
    store: Store, records: Mapping[str, StageRecord], texts: Sequence[str]
) -> str | None:
    """A page on which any token can be looked up, with the same texts; None without a tokenizer."""
    if _STAGE not in records:
        return None
    return view_page(open_tokenizers(_folders(store, records[_STAGE])), texts)


def _num_added(viewed: ViewedTokenizer, text: str) -> int:
    return sum(box.origin in ("new", "support") for box in viewed.boxes(text))


def _folders(store: Store, record: StageRecord) -> list[Path]:
    """Folders of the base tokenizer, where the recipe extended one, and of the run's tokenizer."""
    names = [name for name in (_BASE, _ARTEFACT) if name in record.artefacts]
    return [storage.local_copy(store.artefact_uri(record, name)) for name in names]


def _cut(viewed: ViewedTokenizer, text: str) -> CutText:
    boxes = tuple(
        TokenBox(id=box.id, text=box.text, bytes_hex=box.bytes_hex, origin=box.origin)
        for box in viewed.boxes(text)
    )
    return CutText(tokenizer=viewed.name, boxes=boxes)
