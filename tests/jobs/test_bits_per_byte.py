"""Two tokenizers over the same held-out texts: bits per byte divide by the same bytes."""

from __future__ import annotations

import json
import math
import shutil
from pathlib import Path
from typing import Any

import pytest

from schemas.manifest import read_manifest
from tests.support.whole import refine, settings, table
from train.loop.run import pretrain
from train.settings import TrainSettings


def evaluated(
    root: Path, tmp_path: Path, kind: str, **recipe: Any
) -> tuple[dict[str, Any], int, int]:
    """The held-out figures of a short run; bytes and tokens of its texts, end marks among them."""
    run = refine(settings(root, packing={"seq_len": 64, "layout": "concat"}, **recipe))
    dataset = shutil.copytree(Path(run.settings.runtime.output) / "dataset", tmp_path / kind)
    rows = table(run, "tokenise", "tokens")
    heldout = {row["doc_id"] for row in rows if row["split"] == "heldout"}
    tokens = sum(len(row["input_ids"]) + 1 for row in rows if row["doc_id"] in heldout)
    texts = [row["text"] for row in table(run, "clean", "cleaned") if row["doc_id"] in heldout]
    plain = {
        "manifest": str(dataset), "output": str(tmp_path / f"{kind}-run"), "stop": {"steps": 2}, "threads": 1, "precision": {"compute": "fp32"},
        "model": {"preset": "gpt2-test"}, "batch": {"sequences": 4, "microbatch": 4},
        "checkpoint": {"export": False}, "metrics": {"tensorboard": False, "peak_flops": 1e12},
    }  # fmt: skip
    assert pretrain(TrainSettings.model_validate(plain)) == 0
    last = (tmp_path / f"{kind}-run" / "metrics.jsonl").read_text("utf-8").splitlines()[-1]
    return json.loads(last)["heldout"], sum(len(text.encode()) for text in texts), tokens


def test_two_tokenizers_divide_by_the_same_bytes_of_the_same_texts(
    whole_root: Path, tmp_path: Path
) -> None:
    small = {"train": {"kind": "byte_level_bpe", "size": 320}}
    fine, fine_bytes, fine_tokens = evaluated(whole_root, tmp_path, "bytes", vocabulary=small)
    coarse, coarse_bytes, coarse_tokens = evaluated(whole_root, tmp_path, "words")

    assert fine_bytes == coarse_bytes > 10_000, "the split does not depend on the tokenizer"
    assert fine["text_bytes"] == coarse["text_bytes"] == fine_bytes
    assert fine_tokens > 1.3 * coarse_tokens
    for found, tokens in ((fine, fine_tokens), (coarse, coarse_tokens)):
        # Every token once, first ones and end marks too; nats to bits by hand.
        assert found["labels"] == tokens
        bits = found["loss"] * tokens / math.log(2) / fine_bytes
        assert found["bits_per_byte"] == pytest.approx(bits, rel=1e-9)
        assert found["sources"]["rows"]["text_bytes"] == fine_bytes
    # Untrained, each token costs about ln V: fewer bits per byte where a text has fewer tokens.
    assert coarse["bits_per_byte"] < fine["bits_per_byte"]
    per_byte = fine_tokens * math.log2(read_manifest(tmp_path / "bytes").tokenizer.vocab_size)
    assert fine["bits_per_byte"] == pytest.approx(per_byte / fine_bytes, rel=0.15)
