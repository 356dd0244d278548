from __future__ import annotations

import itertools
import re
import unicodedata
from itertools import pairwise

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from refinery.text.batch import (
    OTHER,
    WORD,
    TextBatch,
    TokenHashes,
    fold_table,
    kind_table,
    spans_of_groups,
)
from refinery.text.utf8 import Texts

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

    for index, (start, end) in enumerate(pairwise(batch.token_bounds)):
        alone = TextBatch.of([texts[index]])
        assert alone.token_hashes.tolist() == batch.token_hashes[start:end].tolist()


def test_case_and_width_fold_but_lengths_never_change() -> None:
    left, right = TextBatch.of(["ＡＢＣ Straße"]), TextBatch.of(["abc straße"])

    assert left.token_hashes.tolist() == right.token_hashes.tolist()
    assert len(fold_table()) == 0x110000


def test_code_points_that_the_tables_leave_out_are_no_letters() -> None:
    left_out = [*range(0x40000, 0xE0000), *range(0xE0200, 0x110000)]

    # Unassigned and private use: Unicode keeps the planes in between free.
    assert {unicodedata.category(chr(code)) for code in left_out} == {"Cn", "Co"}
    assert set(kind_table()[left_out].tolist()) == {OTHER}
    assert fold_table()[left_out].tolist() == left_out


def test_groups_hold_all_texts_in_order_and_no_more_than_the_bound() -> None:
    texts = ["aa", "bb", "c" * 9, "", "dd", "d"]

    groups = [texts[span] for span in spans_of_groups(texts, 4)]

    assert groups == [["aa", "bb"], ["c" * 9], ["", "dd", "d"]]
    assert list(spans_of_groups([], 4)) == []


def test_scripts_without_blanks_are_cut_into_letters_with_their_marks() -> None:
    batch = TextBatch.of(["ป็นไทย", "မြန်", "สัpt"])

    tokens = [
        text[start - begin : end - begin]
        for text, begin, doc in zip(batch.texts, batch.starts.tolist(), range(3), strict=False)
        for start, end, of in zip(
            batch.token_starts.tolist(),
            batch.token_ends.tolist(),
            batch.token_doc.tolist(),
            strict=True,
        )
        if of == doc
    ]

    assert tokens == ["ป็", "น", "ไ", "ท", "ย", "မြ", "န်", "สัpt"]


def test_short_words_share_no_hash() -> None:
    """All words of two letters of 300, of three of 36, of four of 14: 90,000, 46,656 and 38,416."""
    small = [chr(c) for c in range(0x61, 0x590) if kind_table()[c] == WORD and fold_table()[c] == c]  # fmt: skip
    words = [
        "".join(word)
        for size, letters in ((2, 300), (3, 36), (4, 14))
        for word in itertools.product(small[:letters], repeat=size)
    ]

    found = TokenHashes.of(Texts.of([" ".join(words)])).hashes_K

    assert len(found) == len(words) == 175_072
    assert len(np.unique(found)) == len(words)
    # Of their upper halves, which stand for shingles, chance lets 3.6 pairs be equal.
    assert len(words) - len(np.unique(found >> np.uint64(32))) < 15
