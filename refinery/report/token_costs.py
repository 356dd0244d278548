"""What text costs in tokens of the final tokenizer: characters by language, and emoji.

Both are measured on samples that the page names: documents whose id, which is a hash, lies below a
bound, and the first pages with emoji that a bounded part of `fetches` holds.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from refinery.clean.cleaner import Cleaner
from refinery.clean.pages import NormalizedPage, Payload
from refinery.normalize.config import EmojiStyle
from refinery.normalize.emoji_words import replace_emoji
from refinery.report.shapes import clean_settings
from refinery.report.tables import Tables
from refinery.report.vocabulary_data import EmojiCost, LanguageCost
from refinery.tokenizers.identity import cached_tokenizer

SAMPLED_DOCUMENTS = 20_000
SHOWN_LANGUAGES = 12
EMOJI_DOCUMENTS = 20
READ_BYTES = 64 << 20
PAGE_BYTES = 1 << 20
ID_DIGITS = 15
_STYLES: tuple[EmojiStyle, ...] = ("keep", "words", "remove")


def language_costs(tables: Tables) -> tuple[LanguageCost, ...]:
    """Tokens per character by language, of a sample of the kept documents; commonest first."""
    record = tables.records["tokenise"]
    known = record.tables["tokens"].rows if "tokens" in record.tables else 0
    # Ids are hashes in hexadecimal: below a bound lies that share of them, on every machine.
    share = min(1.0, SAMPLED_DOCUMENTS / max(1, known))
    bound = f"{int(share * 16**ID_DIGITS):0{ID_DIGITS}x}" if share < 1 else "g"
    tokens: dict[str, int] = {}
    for batch in tables.batches("tokenise", "tokens", ("doc_id", "num_tokens")):
        chosen = batch.filter(pc.less(batch.column("doc_id"), bound))
        tokens.update(zip(chosen[0].to_pylist(), chosen[1].to_pylist(), strict=True))
    sums: dict[str, Counter[str]] = {}
    for batch in tables.batches("clean", "ledger", ("doc_id", "lang", "num_chars")):
        for row in batch.filter(pc.less(batch.column("doc_id"), bound)).to_pylist():
            if row["doc_id"] in tokens:
                of_language = sums.setdefault(row["lang"] or "unknown", Counter())
                of_language.update(
                    documents=1, tokens=tokens[row["doc_id"]], chars=row["num_chars"]
                )
    ranked = sorted(sums.items(), key=lambda item: (-item[1]["documents"], item[0]))
    return tuple(LanguageCost(language=name, **counts) for name, counts in ranked[:SHOWN_LANGUAGES])


def emoji_cost(tables: Tables, tokenizer: Path) -> EmojiCost | None:
    """Tokens that emoji cost as they are, and as their names; None where no page has emoji."""
    config = clean_settings(tables)
    if config is None:
        return None
    pages = _pages_with_emoji(tables)
    if not pages:
        return None
    with Cleaner(config, {}) as cleaner:
        cleaned = cleaner.normalize(pages)
    texts = [page.extracted_text for page in cleaned if isinstance(page, NormalizedPage)]
    encoder, runs = cached_tokenizer(tokenizer), 0
    totals = dict.fromkeys(_STYLES, 0)
    for text in texts:
        # Other lines cost the same either way; they would only take time.
        marked = "\n".join(
            line for line in text.split("\n") if line and replace_emoji(line, "remove")[1]
        )
        runs += replace_emoji(marked, "remove")[1]
        for style in _STYLES:
            written = marked if style == "keep" else replace_emoji(marked, style)[0]
            totals[style] += len(encoder.encode(written, add_special_tokens=False).ids)
    return EmojiCost(
        documents=len(texts),
        runs=runs,
        tokens_kept=totals["keep"] - totals["remove"],
        tokens_as_words=totals["words"] - totals["remove"],
        style=config.normalize.emoji,
    )


def _pages_with_emoji(tables: Tables) -> list[Payload]:
    """Some of the kept pages with emoji in the first part of `fetches`, by the smallest ids."""
    pages: dict[str, Payload] = {}
    read = 0
    columns = ("doc_id", "payload", "mime", "charset", "url")
    for batch in tables.batches("ingest", "fetches", columns, batch_size=64):
        for doc_id, *page in zip(*(column.to_pylist() for column in batch.columns), strict=True):
            if len(page[0]) <= PAGE_BYTES:
                pages[doc_id] = Payload(*page)
        read += batch.nbytes
        if read >= READ_BYTES:
            break
    ids = pa.array(sorted(pages), pa.string())
    with_emoji: list[str] = []
    for batch in tables.batches("clean", "ledger", ("doc_id", "drop_reason", "counters")):
        is_kept = pc.is_null(batch.column("drop_reason"))
        chosen = batch.filter(pc.and_(is_kept, pc.is_in(batch.column("doc_id"), value_set=ids)))
        with_emoji += [
            r["doc_id"] for r in chosen.to_pylist() if dict(r["counters"] or ()).get("emoji")
        ]
    return [pages[doc_id] for doc_id in sorted(with_emoji)[:EMOJI_DOCUMENTS]]
