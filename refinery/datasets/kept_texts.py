"""Where the texts lie that a run kept: for exports, and for recipes whose sources are runs."""

from __future__ import annotations

from dataclasses import dataclass

from refinery.publish import storage
from refinery.publish.records import StageRecord
from refinery.publish.runs import RunStages
from refinery.publish.store import Store
from schemas.errors import ContractError

EDIT_STAGES = ("clean", "dedup", "decontaminate")


@dataclass(frozen=True, kw_only=True)
class KeptTexts:
    """Tables of one finished tokenising and of what it was made from.

    Attributes:
        fingerprint: Of the tokenising: another one may have kept other documents.
        cleaned, tokens, edits, fetches: URIs of the tables; a table of `edits` without rows has no folder.
        num_documents: Documents that were kept.
        text_bytes: Size of `cleaned` as it is stored, dropped documents included.
    """

    output: str
    fingerprint: str
    cleaned: str
    tokens: str
    edits: tuple[str, ...]
    fetches: str | None
    num_documents: int
    text_bytes: int


def find_kept_texts(run: RunStages) -> KeptTexts:
    """The texts that a run kept.

    Raises:
        SettingsError: The run has not come as far as `tokenise`, which decides what is kept.
        ContractError: Its record of cleaning, or a table of it, is gone.
    """
    tokens = run.record("tokenise")
    records = {name: _input(run.store, tokens, name) for name in EDIT_STAGES}
    clean = records["clean"]
    if clean is None:
        raise ContractError(f"{run.store.root}: tokenise names a cleaning that is not published")
    ingest = _input(run.store, clean, "ingest")
    found = KeptTexts(
        output=run.output,
        fingerprint=tokens.fingerprint,
        cleaned=run.store.table_uri(clean, "cleaned"),
        tokens=run.store.table_uri(tokens, "tokens"),
        edits=tuple(run.store.table_uri(one, "edits") for one in records.values() if one),
        fetches=run.store.table_uri(ingest, "fetches") if ingest else None,
        num_documents=tokens.tables["tokens"].rows,
        text_bytes=clean.tables["cleaned"].bytes,
    )
    for uri in (found.cleaned, found.tokens):
        if found.num_documents and not storage.exists(uri):
            raise ContractError(
                f"{run.output}: its texts are gone: nothing at {uri}; run its recipe again"
            )
    return found


def _input(store: Store, record: StageRecord, stage: str) -> StageRecord | None:
    fingerprint = record.inputs.get(stage)
    return store.record(stage, fingerprint) if fingerprint else None
