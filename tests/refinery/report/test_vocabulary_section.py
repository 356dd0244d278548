from __future__ import annotations

from refinery.report.sections.vocabulary import vocabulary_section
from refinery.report.vocabulary_data import (
    CutText,
    FertilityLine,
    ProofLine,
    TokenBox,
    VocabularyNumbers,
)


def cut(name: str, origin: str) -> CutText:
    box = TokenBox(id=7, text="<b>", bytes_hex="3c 62 3e", origin=origin)
    return CutText(tokenizer=name, boxes=(box,))


def test_section_shows_proofs_and_boxes_and_escapes_text() -> None:
    numbers = VocabularyNumbers(
        kind="byte_level_bpe",
        size=60_000,
        base_name="gpt2",
        base_size=50_257,
        counts={"new": 9_000, "support": 743},
        proofs=(
            ProofLine(
                name="ids", holds=False, allowed=True, checked=3, failures=1, detail="ids stay"
            ),
        ),
        fertility=(
            FertilityLine(
                text="new_language",
                tokenizer="extended",
                tokens_per_character=0.67,
                tokens_per_word=1.5,
                bytes_per_token=4.4,
                unknown_fraction=0.001,
            ),
        ),
        texts=("<b>",),
        cuts=((cut("gpt2", "base"), cut("extended", "new")),),
    )

    page = vocabulary_section(numbers)

    assert "gpt2 with 50.3 k ids" in page
    assert "<td>allowed</td>" in page
    assert "&lt;b&gt;" in page
    assert "<b><b>" not in page
    assert page.index("<b>gpt2</b>, 1 tokens") < page.index("<b>extended</b>, 1 tokens")
    assert "0.670" in page
    assert 'href="vocabulary.html"' in page


def test_run_without_tokenizer_says_so() -> None:
    assert "No tokenizer" in vocabulary_section(None)
