from __future__ import annotations

import pytest

from refinery.tokenizers.folder import read_tokenizer
from refinery.vocabulary.config import TrainKind
from refinery.vocabulary.extend.donor import Candidate
from refinery.vocabulary.extend.scripts import new_characters
from refinery.vocabulary.extend.select_candidates import (
    CROSSES,
    KNOWN,
    NORMALISED_AWAY,
    OTHER_SCRIPTS,
    SPELT_LIKE_SPECIAL_TOKEN,
    crosses_boundary,
    select_entries,
)
from tests.support.small_tokenizers import KINDS, folder_of

HAN = new_characters(("Han",))


@pytest.mark.parametrize("kind", KINDS)
def test_each_refusal_is_counted_by_its_reason(kind: TrainKind) -> None:
    base = read_tokenizer(folder_of(kind, "en"))
    candidates = [
        Candidate("数据"), Candidate("数据"), Candidate("quick"), Candidate("<eos>国"),
        Candidate("latin only"), Candidate("数据 清洗"), Candidate("   "),
    ]  # fmt: skip

    selection = select_entries(candidates, base, HAN, exact=False)

    assert [entry.text for entry in selection.entries] == ["数据"]
    assert selection.refused[KNOWN] >= 1
    assert selection.refused[SPELT_LIKE_SPECIAL_TOKEN] == 1
    assert selection.refused[OTHER_SCRIPTS] >= 1
    assert selection.refused[CROSSES] == 1
    assert selection.refused[NORMALISED_AWAY] == 1
    assert sum(selection.refused.values()) + len(selection.entries) == len(candidates)


@pytest.mark.parametrize(
    ("kind", "piece"),
    [("sentencepiece_bpe", "▁国家"), ("sentencepiece_unigram", "▁国家"), ("wordpiece", "国家")],
)
def test_a_leading_space_is_written_as_the_base_writes_it(kind: TrainKind, piece: str) -> None:
    base = read_tokenizer(folder_of(kind, "en"))

    (entry,) = select_entries([Candidate(" 国家")], base, HAN, exact=False).entries

    assert entry.piece == piece


def test_inside_a_word_a_wordpiece_entry_is_marked_and_an_ideograph_is_not() -> None:
    base = read_tokenizer(folder_of("wordpiece", "en"))
    latin = new_characters(("Latin",))

    inner = [Candidate("zzq", is_inner=True), Candidate("国", is_inner=True)]
    entries = select_entries(inner, base, latin, exact=True).entries

    assert [entry.piece for entry in entries] == ["##zzq", "国"]


def test_exact_takes_other_scripts_and_crossings_too() -> None:
    base = read_tokenizer(folder_of("byte_level_bpe", "en"))
    candidates = [Candidate("zzqzz"), Candidate("数据 清洗")]

    selection = select_entries(candidates, base, HAN, exact=True)

    assert [entry.text for entry in selection.entries] == ["zzqzz", "数据 清洗"]


def test_a_text_with_a_space_inside_crosses() -> None:
    base = read_tokenizer(folder_of("byte_level_bpe", "en"))

    assert crosses_boundary("a b", base)
    assert not crosses_boundary(" b", base)
