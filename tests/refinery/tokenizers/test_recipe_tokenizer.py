"""Tokenizers as their authors publish them, through tokenising with marks."""

from itertools import pairwise
from pathlib import Path

import pyarrow as pa
import pytest

from refinery.packing.noise import DropoutBpe, generator
from refinery.tokenizers.encoder import Encoder
from refinery.tokenizers.identity import identify_tokenizer, load_tokenizer
from refinery.tokenizers.recipe_tokenizer import complete_tokenizer_folder
from refinery.tokenizers.tokenise import tokenise_batch

DATA = Path(__file__).resolve().parents[4] / "shared" / "data" / "tokenizers"
TEXT = "One fox ran. Two dogs slept! 三只猫坐着。它们走了。 <eos> [MASK] </s>"


@pytest.mark.skipif(not DATA.is_dir(), reason="the published tokenizers are not there")
@pytest.mark.parametrize(
    ("name", "size"),
    [("t5", 32_100), ("llama", 32_000), ("gpt2", 50_257), ("bert-base-chinese", 21_128)],
)
def test_published_forms_tokenise_with_marks(name: str, size: int, tmp_path: Path) -> None:
    folder = complete_tokenizer_folder(DATA / name, tmp_path / "whole")
    identity = identify_tokenizer(folder, relative_path="t")
    tokenizer = load_tokenizer(folder)
    batch = pa.RecordBatch.from_pydict(
        {
            "doc_id": ["a"],
            "source": ["s"],
            "is_heldout": [False],
            "text": [TEXT],
            "edits": pa.nulls(1, pa.list_(pa.struct([("start", pa.int32())]))),
        }
    )

    row = tokenise_batch(batch, Encoder(tokenizer), ("word_starts", "sentence_starts")).to_pylist()[
        0
    ]

    assert identity.vocab_size == size
    ids, starts = row["input_ids"], row["sentence_starts"]
    special = identity.special_ids.model_dump(exclude={"pad", "sentinels"})
    assert not set(ids) & {mark for mark in special.values() if mark is not None}
    sentences = [tokenizer.decode(ids[a:b]).strip() for a, b in pairwise(starts)]
    assert [text.lower().replace(" ", "") for text in sentences[:2]] == [
        "onefoxran.",
        "twodogsslept!",
    ]
    if name != "t5":  # it has no Chinese
        assert "".join(sentences[2:]).replace(" ", "") == "三只猫坐着。它们走了。"
    assert row["word_starts"][0] == 0
    assert len(row["word_starts"]) > len(starts)
    if name in ("llama", "gpt2"):
        assert DropoutBpe(tokenizer, 0.0).encode(TEXT, generator(0, "a", 1)).tolist() == ids
