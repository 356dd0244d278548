from __future__ import annotations

from refinery.report.sections.vocabulary import vocabulary_section
from refinery.report.vocabulary_data import ProofLine, TokenBox, VocabularyNumbers


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
        texts=((TokenBox(id=7, text="<b>", bytes_hex="3c 62 3e", origin="new"),),),
    )

    page = vocabulary_section(numbers)

    assert "gpt2 with 50.3 k ids" in page
    assert "<td>allowed</td>" in page
    assert "&lt;b&gt;" in page
    assert "<b><b>" not in page


def test_run_without_tokenizer_says_so() -> None:
    assert "No tokenizer" in vocabulary_section(None)
