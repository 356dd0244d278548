"""Supervised examples to shards and a manifest. No Spark: such tables fit into memory."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from tokenizers import Encoding, Tokenizer

from refinery.datasets.publish import TOKENIZER_FOLDER, make_split, write_dataset
from refinery.packing.config import PackingConfig
from refinery.packing.shard_builder import Answer, ShardBuilder
from refinery.packing.shard_rows import NO_CLASS, ShardForm
from refinery.packing.write_shards import write_shard
from refinery.supervised.tasks import (
    PairsRecipe,
    TaskExample,
    copies_of,
    epochs_of_tasks,
    task_examples,
)
from refinery.tokenizers.identity import identify_tokenizer, load_tokenizer
from refinery.tokenizers.recipe_tokenizer import complete_tokenizer_folder
from schemas.errors import ContractError
from schemas.fingerprints import canonical_json, sha256_file, sha256_hex
from schemas.manifest import (
    MANIFEST_NAME,
    Manifest,
    Shard,
    SourceSummary,
    Split,
    TokenizerIdentity,
    content_root,
    read_manifest,
)
from schemas.version import code_version


@dataclass(frozen=True)
class EncodedExample:
    """Ids of one example, both sides without end marks; `lost` tokens were cut."""

    doc_id: str
    task: str
    source: np.ndarray
    target: np.ndarray
    lost: int
    num_bytes: int
    class_label: int
    token_labels: np.ndarray


def _encode_examples(recipe: PairsRecipe, tokenizer: Tokenizer) -> Iterator[EncodedExample]:
    """Encode every example of every task, cut to the recipe's lengths; equal ones are taken once."""
    seen: set[str] = set()
    for task in recipe.tasks:
        for example in task_examples(task):
            if example.doc_id in seen:
                continue
            seen.add(example.doc_id)
            sides = tokenizer.encode_batch(
                [example.source, example.target], add_special_tokens=False
            )
            first, second = (np.asarray(side.ids, np.int32) for side in sides)
            kept_target = second[: recipe.target_tokens - 1]
            kept_source = first[: recipe.seq_len - len(kept_target) - 2]
            lost = len(first) + len(second) - len(kept_source) - len(kept_target)
            tags = _token_labels(example, sides[0])[: len(kept_source)]
            size = len(example.source.encode()) + len(example.target.encode())
            label = NO_CLASS if example.class_label is None else example.class_label
            yield EncodedExample(
                example.doc_id, task.name, kept_source, kept_target, lost, size, label, tags
            )


def _token_labels(example: TaskExample, encoding: Encoding) -> np.ndarray:
    """The tag of each word at its first token, as in Devlin et al. 2019, section 5.3."""
    labels = np.full(len(encoding.ids), NO_CLASS, np.int32)
    if example.tags:
        offsets, tags = np.array(example.tags, np.int64).T
        ends = np.asarray(encoding.offsets, np.int64)[:, 1]
        labels[np.searchsorted(ends, offsets, side="right")] = tags
    return labels


def pack_pairs(recipe: PairsRecipe) -> Manifest:
    """Write the dataset of a recipe; manifest last.

    Raises:
        SettingsError: A table or the tokenizer is not there.
        ContractError: The folder holds a dataset of another recipe, or no training row came out.
    """
    with tempfile.TemporaryDirectory() as scratch:
        tokenizer_folder = complete_tokenizer_folder(
            Path(recipe.tokenizer), Path(scratch) / TOKENIZER_FOLDER
        )
        return _pack(recipe, tokenizer_folder)


def _pack(recipe: PairsRecipe, tokenizer_folder: Path) -> Manifest:
    folder = Path(recipe.output)
    identity = identify_tokenizer(tokenizer_folder, relative_path=TOKENIZER_FOLDER)
    fingerprint = _fingerprint(recipe, identity)
    if (folder / MANIFEST_NAME).exists():
        finished = read_manifest(folder)
        if finished.recipe_fingerprint != fingerprint:
            raise ContractError(f"{folder} holds a dataset of another recipe or input")
        return finished
    folder.mkdir(parents=True, exist_ok=True)
    examples = list(_encode_examples(recipe, load_tokenizer(tokenizer_folder)))
    border = int(recipe.heldout_fraction * 16**15)
    held = {
        e.doc_id for e in examples if int(_order(recipe.seed + 1, e.doc_id, 0)[:15], 16) < border
    }
    train = _first(recipe, [example for example in examples if example.doc_id not in held])
    heldout = [example for example in examples if example.doc_id in held]
    sizes = Counter(example.task for example in train)
    names = [task.name for task in recipe.tasks]
    epochs = epochs_of_tasks([sizes[name] for name in names], recipe.mixing)
    writer = _Writer(recipe, identity, folder)
    splits = {
        "train": writer.split("train", train, dict(zip(names, epochs, strict=True))),
        "heldout": writer.split("heldout", heldout, dict.fromkeys(names, 1.0)),
    }
    if splits["train"].rows == 0:
        raise ContractError(f"{recipe.name}: the tasks give no training row")
    return _publish(recipe, identity, splits, tokenizer_folder)


def _first(recipe: PairsRecipe, examples: list[EncodedExample]) -> list[EncodedExample]:
    """The first examples of each task by the hash of their ids: as many as the recipe takes."""
    if recipe.max_examples is None:
        return examples
    ordered = sorted(examples, key=lambda one: _order(recipe.seed + 2, one.doc_id, 0))
    taken: Counter[str] = Counter()
    kept = set()
    for example in ordered:
        if taken[example.task] < recipe.max_examples:
            taken[example.task] += 1
            kept.add(example.doc_id)
    return [example for example in examples if example.doc_id in kept]


def _publish(
    recipe: PairsRecipe,
    identity: TokenizerIdentity,
    splits: dict[str, Split],
    tokenizer_folder: Path,
) -> Manifest:
    hashes = {
        name: [shard.content_sha256 for shard in split.shards] for name, split in splits.items()
    }
    root = content_root(
        tokenizer_sha256=identity.sha256,
        vocab_size=identity.vocab_size,
        seq_len=recipe.seq_len,
        lanes=recipe.lanes,
        shards=hashes,
    )
    manifest = Manifest(
        name=recipe.name,
        root=root,
        seed=recipe.seed,
        seq_len=recipe.seq_len,
        lanes=recipe.lanes,
        layout="pairs",
        columns=("target_start", *recipe.labels),
        tokenizer=identity,
        train=splits["train"],
        heldout=splits["heldout"],
        stages=(),
        recipe_fingerprint=_fingerprint(recipe, identity),
        code_version=code_version(),
        created_at=datetime.now(UTC).isoformat(timespec="seconds"),
    )
    write_dataset(recipe.output, manifest, tokenizer_folder)
    return manifest


@dataclass(frozen=True)
class _Writer:
    recipe: PairsRecipe
    identity: TokenizerIdentity
    folder: Path

    def split(self, name: str, examples: list[EncodedExample], epochs: dict[str, float]) -> Split:
        """Shards of one split: copies in the order of their hashes, cut into equal shards."""
        recipe = self.recipe
        copies = sorted(
            (_order(recipe.seed + 3, example.doc_id, copy), copy, number)
            for number, example in enumerate(examples)
            for copy in range(copies_of(example.doc_id, epochs[example.task], recipe.seed))
        )
        per_shard = max(1, recipe.shard_tokens // recipe.seq_len)
        shards = [
            self._shard(f"{name}-{number:05d}.parquet", examples, copies[start : start + per_shard])
            for number, start in enumerate(range(0, max(len(copies), 1), per_shard))
        ]
        chosen = [examples[number] for _, _, number in copies]
        tokens_in = {task: _all([e for e in chosen if e.task == task]) for task in epochs}
        return make_split(
            shards, self._sources(name, examples, chosen, epochs), tokens_in=tokens_in
        )

    def _shard(
        self, name: str, examples: list[EncodedExample], copies: list[tuple[str, int, int]]
    ) -> Shard:
        special = self.identity.special_ids
        config = PackingConfig(
            seq_len=self.recipe.seq_len,
            layout="pairs",
            labels=self.recipe.labels,
            row_group_rows=self.recipe.row_group_rows,
        )
        form = ShardForm(config=config, eos=special.eos, pad=special.pad, keep_tail=True)
        builder = ShardBuilder(form)
        for _, copy, number in copies:
            example = examples[number]
            builder.add(
                doc_id=example.doc_id,
                source=example.task,
                copy=copy,
                input_ids=np.concatenate((example.source, [special.eos], example.target)),
                answer=Answer(len(example.source) + 1, example.class_label, example.token_labels),
            )
        aside = self.folder / f".{name}"
        shard = write_shard(aside, name, builder.finish())
        shutil.move(aside, self.folder / name)
        return shard

    def _sources(
        self,
        name: str,
        examples: list[EncodedExample],
        copies: list[EncodedExample],
        epochs: dict[str, float],
    ) -> dict[str, SourceSummary]:
        summaries = {}
        rates = {task: sum(example.task == task for example in copies) for task in epochs}
        for task in epochs:
            distinct = [example for example in examples if example.task == task]
            copied = [example for example in copies if example.task == task]
            lost = sum(example.lost for example in copied)
            summaries[task] = SourceSummary(
                weight=None if name == "heldout" else rates[task] / max(len(copies), 1),
                documents=len({example.doc_id for example in copied}),
                tokens=sum(len(e.source) + len(e.target) + e.lost for e in distinct),
                text_bytes=sum(example.num_bytes for example in distinct),
                packed_tokens=_all(copied) - lost,
                dropped_tokens=lost,
                epochs=epochs[task],
            )
        return summaries


def _all(examples: list[EncodedExample]) -> int:
    """Tokens of the examples: both end marks and tokens that were cut included."""
    return sum(len(example.source) + len(example.target) + 2 + example.lost for example in examples)


def _order(seed: int, doc_id: str, copy: int) -> str:
    return hashlib.sha256(f"{seed}\x1f{doc_id}\x1f{copy}".encode()).hexdigest()


def _fingerprint(recipe: PairsRecipe, identity: TokenizerIdentity) -> str:
    files = [sha256_file(Path(name)) for task in recipe.tasks for name in task.files]
    settings = recipe.model_dump(mode="json", exclude={"output", "tokenizer"})
    if recipe.max_examples is None:  # datasets from before it existed are the same
        del settings["max_examples"]
    return sha256_hex(canonical_json({"r": settings, "f": files, "t": identity.sha256}))
