"""The tokenizer: what extended it, what was proven, what text costs, and texts as it cuts them."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from refinery.report import charts
from refinery.report.html import table
from refinery.report.vocabulary_data import (
    CutText,
    EmojiCost,
    FertilityLine,
    LanguageCost,
    TokenBox,
    VocabularyNumbers,
)

VIEWER = "vocabulary.html"


def vocabulary_section(numbers: VocabularyNumbers | None) -> str:
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
        rows = [
            (
                escape(p.name),
                escape(p.detail),
                "yes" if p.holds else "allowed" if p.allowed else "no",
                f"{p.checked:,}",
                f"{p.failures:,}",
            )
            for p in numbers.proofs
        ]
        head = ("proof", "what", "holds", "checked", "failures")
        lines.append(table("Proofs of the extension", head, rows, words=3))
    lines.append(_fertility(numbers.fertility))
    lines += [_languages(numbers.languages), _emoji(numbers.emoji)]
    lines += [
        f"<details{' open' if not index else ''}><summary>Text {index + 1} as it is cut into tokens, "
        f"each with its id</summary>{_cuts(cuts)}</details>"
        for index, cuts in enumerate(numbers.cuts)
    ]
    if numbers.texts:
        lines.append(
            f'<p><a href="{VIEWER}">Look a token up</a> by its text or id, in a page beside this one.</p>'
        )
    return "".join(lines)


def _fertility(measured: Sequence[FertilityLine]) -> str:
    if not measured:
        return ""
    rows = [
        (
            escape(line.text.replace("_", " ")),
            escape(line.tokenizer),
            f"{line.tokens_per_character:.3f}",
            f"{line.tokens_per_word:.3f}",
            f"{line.bytes_per_token:.2f}",
            f"{line.unknown_fraction:.2%}",
        )
        for line in measured
    ]
    head = (
        "text", "tokenizer", "tokens per character", "tokens per word", "bytes per token",
        "characters unknown or as bytes",
    )  # fmt: skip
    return table("Base against extension, on lines that trained nothing", head, rows)


def _cuts(cuts: Sequence[CutText]) -> str:
    names = [f"<b>{escape(cut.tokenizer)}</b>, {len(cut.boxes)} tokens" for cut in cuts]
    if len(cuts) == 1:
        return _boxes(cuts[0].boxes)
    return "".join(
        f"<p>{name}</p>{_boxes(cut.boxes)}" for name, cut in zip(names, cuts, strict=True)
    )


def _languages(costs: Sequence[LanguageCost]) -> str:
    if not costs:
        return ""
    rows = [
        (
            escape(cost.language),
            f"{cost.documents:,}",
            f"{cost.chars:,}",
            f"{cost.tokens:,}",
            f"{cost.tokens / max(1, cost.chars):.3f}",
        )
        for cost in costs
    ]
    head = ("language", "documents", "characters", "tokens", "tokens per character")
    documents = sum(cost.documents for cost in costs)
    return table(f"Tokens per character, in {documents:,} sampled documents", head, rows)


def _emoji(cost: EmojiCost | None) -> str:
    if cost is None or not cost.runs:
        return ""
    rows = [
        (name, f"{tokens:,}", f"{tokens / cost.runs:.2f}")
        for name, tokens in (("as they are", cost.tokens_kept), ("as words", cost.tokens_as_words))
    ]
    return table(
        f"Emoji: tokens beyond the text around them, {cost.runs:,} runs in {cost.documents:,} "
        f"sampled pages; this recipe's choice: {cost.style}",
        ("emoji", "tokens", "per run"),
        rows,
    )


def _boxes(boxes: Sequence[TokenBox]) -> str:
    spans = "".join(
        f'<span class="token {escape(box.origin)}" title="id {box.id}, bytes {box.bytes_hex}, '
        f'{escape(box.origin)}"><b>{escape(_visible(box))}</b><i>{box.id}</i></span>'
        for box in boxes
    )
    return f'<p class="tokens">{spans}</p>'


def _visible(box: TokenBox) -> str:
    return (box.text or "·").replace(" ", "␣").replace("\n", "⏎").replace("\t", "⇥")
