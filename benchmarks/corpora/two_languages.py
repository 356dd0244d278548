"""English books and Chinese texts as a packed dataset: the refinery makes it from files of real text."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from benchmarks.corpora.text_files import read_documents
from schemas.manifest import MANIFEST_NAME, Manifest, read_manifest

SOURCES = ("books-en", "docs-zh", "history-zh")
VOCABULARY, SEQ_LEN = 8192, 256
_WHOLE = 10**10


def refined(texts: Path, work: Path) -> Path:
    """The dataset in `work`, made by `jobs.refine` unless it is there; about a minute on 2 cores.

    Books and manuals are cut into documents of 2,000 to 6,000 characters, so that held-out documents are
    many: most have neighbours of the same book in the training split.

    Args:
        texts: Folder with `NAME.jsonl.gz` of each source.
        work: Scratch.
    """
    dataset = work / "refined" / "dataset"
    if (dataset / MANIFEST_NAME).is_file():
        return dataset
    for name in SOURCES:
        folder = work / "texts" / name
        folder.mkdir(parents=True, exist_ok=True)
        lines = [
            json.dumps({"url": f"https://texts.example/{name}/{number}", "text": text}) + "\n"
            for number, text in enumerate(read_documents(texts, [f"{name}.jsonl.gz"], _WHOLE))
        ]
        (folder / "documents.jsonl").write_text("".join(lines), "utf-8")
    recipe = work / "refine.yaml"
    recipe.write_text(json.dumps(_recipe(work)), "utf-8")  # JSON is YAML
    subprocess.run([sys.executable, "-m", "jobs.refine", "--recipe", str(recipe)], check=True)
    return dataset


def described(dataset: Path) -> dict[str, Any]:
    """Root, tokens and bytes of a dataset, by split and source."""
    manifest: Manifest = read_manifest(dataset)
    return {
        "root": manifest.root,
        "vocabulary": manifest.tokenizer.vocab_size,
        **{
            split: {
                name: {
                    "documents": source.documents,
                    "tokens": source.packed_tokens,
                    "text_bytes": source.text_bytes,
                }
                for name, source in of_split.sources.items()
            }
            for split, of_split in (("train", manifest.train), ("heldout", manifest.heldout))
        },
    }


def _recipe(work: Path) -> dict[str, Any]:
    return {
        "recipe": {
            "name": "english-and-chinese",
            "seed": 1,
            "sources": [
                {"name": name, "uri": str(work / "texts" / name), "format": "jsonl"}
                for name in SOURCES
            ],
            "vocabulary": {"size": VOCABULARY},
            "split": {"heldout_fraction": 0.02},
            "packing": {"seq_len": SEQ_LEN, "word_starts": True},
        },
        "runtime": {"output": str(work / "refined"), "partitions": 4},
    }
