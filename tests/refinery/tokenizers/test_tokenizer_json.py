"""What is made of the files that tokenizers were published in, against the libraries that read these."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest
import sentencepiece
from tokenizers import BertWordPieceTokenizer, ByteLevelBPETokenizer

from refinery.tokenizers.folder import build_tokenizer
from refinery.tokenizers.sentencepiece_file import parse_model
from refinery.tokenizers.tokenizer_json import (
    from_byte_level,
    from_sentencepiece,
    from_wordpiece,
    kind_of,
    merges_of_scores,
    usual_names,
    with_listed_merges,
)
from refinery.vocabulary.config import TrainKind
from schemas.errors import ContractError
from tests.support.small_tokenizers import english_lines, folder_of

LINES = [*english_lines()[:50], " two  spaces ", "Straße, naïve", "数据 and words", "x\ny", ""]


@pytest.mark.parametrize("kind", ["sentencepiece_bpe", "sentencepiece_unigram"])
def test_a_sentencepiece_model_encodes_as_its_library(kind: TrainKind) -> None:
    raw = (folder_of(kind, "en") / "tokenizer.model").read_bytes()
    library = sentencepiece.SentencePieceProcessor(model_proto=raw)

    definition = from_sentencepiece(parse_model(raw, "test"))

    tokenizer = build_tokenizer(definition)
    assert kind_of(definition, "test") == kind
    for line in LINES:
        assert tokenizer.encode(line, add_special_tokens=False).ids == library.encode(line)


def test_gpt2_files_encode_as_the_library_reads_them(tmp_path: Path) -> None:
    definition = json.loads((folder_of("byte_level_bpe", "en") / "tokenizer.json").read_text())
    vocab, merges = definition["model"]["vocab"], definition["model"]["merges"]
    (tmp_path / "vocab.json").write_text(json.dumps(vocab))
    lines = ["#version: 0.2", *(" ".join(pair) for pair in merges), ""]
    (tmp_path / "merges.txt").write_text("\n".join(lines))
    files = str(tmp_path / "vocab.json"), str(tmp_path / "merges.txt")
    library = ByteLevelBPETokenizer(*files, add_prefix_space=False)

    made = from_byte_level(vocab, lines)

    assert kind_of(made, "test") == "byte_level_bpe"
    for line in LINES:
        ids = build_tokenizer(made).encode(line, add_special_tokens=False).ids
        assert ids == library.encode(line, add_special_tokens=False).ids


@pytest.mark.parametrize("lowercase", [True, False])
def test_a_bert_vocabulary_encodes_as_the_library_reads_it(
    tmp_path: Path, *, lowercase: bool
) -> None:
    words = [
        "[PAD]",
        "[UNK]",
        "[CLS]",
        "[SEP]",
        "[MASK]",
        "the",
        "quick",
        "##ly",
        "fox",
        "Fox",
        "数",
    ]
    text = "\n".join(words) + "\n"
    (tmp_path / "vocab.txt").write_text(text, "utf-8")
    library = BertWordPieceTokenizer(str(tmp_path / "vocab.txt"), lowercase=lowercase)

    made = from_wordpiece(text, {"do_lower_case": lowercase})

    assert kind_of(made, "test") == "wordpiece"
    for line in ("The quickly fox", "Fox 数fox", "thequick", "..."):
        ids = build_tokenizer(made).encode(line, add_special_tokens=False).ids
        assert ids == library.encode(line, add_special_tokens=False).ids


def test_merges_of_scores_are_all_pairs_best_score_first() -> None:
    chance = random.Random(3)
    texts = sorted({"".join(chance.choices("ab", k=chance.randint(1, 4))) for _ in range(40)})
    scores = {text: chance.random() for text in texts}

    merges = merges_of_scores(scores.items())

    expected = {(a, b) for a in texts for b in texts if a + b in scores}
    assert {(a, b) for a, b in merges} == expected
    assert len(merges) == len(expected)
    ranks = [scores[a + b] for a, b in merges]
    assert ranks == sorted(ranks, reverse=True)


def test_merges_in_one_string_become_pairs() -> None:
    old = {"model": {"type": "BPE", "vocab": {}, "merges": ["a b", "ab c"]}}

    assert with_listed_merges(old)["model"]["merges"] == [["a", "b"], ["ab", "c"]]
    assert with_listed_merges(old)["model"]["merges"] == [["a", "b"], ["ab", "c"]]


def test_a_model_of_no_known_kind_is_refused() -> None:
    with pytest.raises(ContractError, match="model of type WordLevel; expected BPE"):
        kind_of({"model": {"type": "WordLevel", "vocab": {}}}, "test")


def test_usual_names_are_given_to_tokens_that_are_there() -> None:
    assert usual_names("wordpiece", {"[PAD]": 0, "[SEP]": 3}) == {
        "pad_token": "[PAD]", "sep_token": "[SEP]",
    }  # fmt: skip
    assert usual_names("sentencepiece_bpe", {"</s>": 1}) == {"eos_token": "</s>"}
