"""The tokenizer of a run: what extended it, what was proven, and texts as it cuts them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from refinery.publish import storage
from refinery.publish.records import StageRecord
from refinery.publish.store import Store
from refinery.report.tables import Tables
from refinery.report.token_costs import emoji_cost, language_costs
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
    tables = Tables(store, records)
    numbers = VocabularyNumbers(
        kind=viewed.folder.kind,
        size=viewed.folder.size,
        languages=language_costs(tables),
        emoji=emoji_cost(tables, folder),
        texts=boxes,
    )
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
