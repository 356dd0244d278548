from __future__ import annotations

import re
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from refinery.text_batch import TextBatch, fold_table, ngram_hashes

TEXTS = st.lists(
    st.text(alphabet="aBÀé1_ \n.，月かカ한글\u0301", max_size=30), min_size=1, max_size=5
)
TOKEN = re.compile("[\u3041-\u3096\u30a1-\u30fa\u4e00-\u9fff]|[aBÀé1\u0301한글]+")


@settings(max_examples=200, deadline=None)
@given(TEXTS)
def test_tokens_are_word_runs_and_single_cjk_characters(texts: list[str]) -> None:
    batch = TextBatch.of(texts)

    joined = "".join(texts)
    found = [
        (int(doc), joined[start:end])
        for doc, start, end in zip(
            batch.token_doc, batch.token_starts, batch.token_ends, strict=True
        )
    ]
    assert found == [(n, token) for n, text in enumerate(texts) for token in TOKEN.findall(text)]


@settings(max_examples=100, deadline=None)
@given(TEXTS)
def test_a_texts_hashes_do_not_depend_on_its_batch(texts: list[str]) -> None:
    batch = TextBatch.of(texts)

    for place, (start, end) in enumerate(pairwise(batch.token_bounds)):
        alone = TextBatch.of([texts[place]])
        assert alone.token_hashes.tolist() == batch.token_hashes[start:end].tolist()


def test_case_and_width_fold_but_lengths_never_change() -> None:
    left, right = TextBatch.of(["ＡＢＣ Straße"]), TextBatch.of(["abc straße"])

    assert left.token_hashes.tolist() == right.token_hashes.tolist()
    assert len(fold_table()) == 0x110000


def test_the_order_of_words_changes_an_ngram() -> None:
    one, other = TextBatch.of(["a b"]), TextBatch.of(["b a"])

    assert ngram_hashes(one.token_hashes, 2) != ngram_hashes(other.token_hashes, 2)
    assert len(ngram_hashes(one.token_hashes, 3)) == 0
