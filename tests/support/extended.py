"""A dataset of a base tokenizer and one of its extension, with tokenizer folders, without Spark."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, replace
from pathlib import Path

from schemas.manifest import Manifest, manifest_root, read_manifest
from schemas.vocabulary import BaseTokenizer, ExtendedVocabulary, NewToken, write_vocabulary
from tests.support.datasets import DatasetShape, write_dataset

_SHAPE = DatasetShape()
BASE_SIZE, SIZE = 97, 111  # two ranks divide neither


@dataclass(frozen=True, kw_only=True)
class TwoDatasets:
    """Folders: `base` has ids below 97, `extended` below 111."""

    base: Path
    extended: Path


def write_two_datasets(folder: Path, shape: DatasetShape = _SHAPE) -> TwoDatasets:
    """Rows of a shape; new token 97 + n is made of the base pieces 10 + n and 11 + n.

    The last new token is made of [UNK] alone.
    """
    base = write_dataset(folder / "base", replace(shape, vocab_size=BASE_SIZE)).parent
    extended = write_dataset(folder / "extended", replace(shape, vocab_size=SIZE, seed=5)).parent
    _write_tokenizer(base, BASE_SIZE)
    _write_tokenizer(extended, SIZE)
    count = SIZE - BASE_SIZE
    pieces = [(10 + n, 11 + n) for n in range(count - 1)] + [(2, 2)]
    tokens = tuple(
        NewToken(
            id=BASE_SIZE + n, text=f"t{BASE_SIZE + n}", piece=f"t{BASE_SIZE + n}", origin="new",
            base_ids=ids, frequency=1,
        )
        for n, ids in enumerate(pieces)
    )  # fmt: skip
    vocabulary = ExtendedVocabulary(
        kind="wordpiece",
        base=BaseTokenizer(name="base", size=BASE_SIZE, fingerprint="0"),
        size=SIZE,
        tokens=tokens,
        unk_id=2,
        never_mean=(0,),
    )
    write_vocabulary(vocabulary, extended / "tokenizer")
    return TwoDatasets(base=base, extended=extended)


def _write_tokenizer(folder: Path, size: int) -> None:
    """A folder that transformers opens, and its hash in the manifest."""
    target = folder / "tokenizer"
    target.mkdir(exist_ok=True)
    model = {"type": "WordLevel", "vocab": {f"t{n}": n for n in range(size)}, "unk_token": "t2"}
    described = {
        "version": "1.0", "truncation": None, "padding": None, "added_tokens": [],
        "normalizer": None, "pre_tokenizer": {"type": "WhitespaceSplit"},
        "post_processor": None, "decoder": None, "model": model,
    }  # fmt: skip
    text = json.dumps(described)
    (target / "tokenizer.json").write_text(text)
    (target / "tokenizer_config.json").write_text('{"tokenizer_class": "PreTrainedTokenizerFast"}')
    path = folder / "manifest.json"
    manifest = read_manifest(path)
    sha256 = hashlib.sha256(text.encode()).hexdigest()
    tokenizer = manifest.tokenizer.model_copy(update={"sha256": sha256})
    manifest = manifest.model_copy(update={"tokenizer": tokenizer})
    manifest = Manifest.model_validate(
        manifest.model_copy(update={"root": manifest_root(manifest)}).model_dump()
    )
    path.write_text(manifest.model_dump_json(indent=1), encoding="utf-8")
