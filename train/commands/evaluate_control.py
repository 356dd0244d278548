"""The n-gram control of `train evaluate --control`: the same items, by counts of the training shards."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from schemas.errors import ContractError, SettingsError
from train.data.config import LoaderConfig
from train.data.loader import open_split, shard_files
from train.data.remote import open_manifest
from train.evaluation.cache import store, stored, task_key
from train.evaluation.ngram import ORDER, count_ngrams, training_runs
from train.evaluation.ngram_scorer import KINDS, NgramScorer
from train.evaluation.open_tasks import Opened
from train.evaluation.run_task import TaskChoice, evaluate_task


@dataclass(frozen=True)
class Control:
    """Counts of a manifest's training split; they are made when a task first needs them.

    Attributes:
        manifest: Where the manifest is; None: it is not known.
        tokenizer: A tokenizer of transformers, that of the model.
        folder: Where results of tasks are kept.
    """

    manifest: str | None
    tokenizer: Any
    folder: Path

    def of(self, tasks: Opened, choice: TaskChoice) -> dict[str, Any]:
        """The results of the tasks that compare candidates.

        Raises:
            SettingsError: It is not known which shards the model was trained on.
            ContractError: They hold ids of another tokenizer.
        """
        if self.manifest is None:
            raise SettingsError(
                "--control: which text the model was trained on is not known; give its --manifest"
            )
        root = open_manifest(shard_files(self.manifest, LoaderConfig())).root
        results = []
        for loaded, documents in tasks:
            if loaded.task.kind not in KINDS:
                continue
            counts = f"{ORDER}-grams of {root}"
            key = task_key(counts, loaded, choice, documents=documents)
            found = stored(self.folder, key)
            if found is None:
                result = evaluate_task(loaded, self.scorer, choice, documents=documents)
                found = store(self.folder, key, result)
            results.append(found)
        return {"manifest_root": root, "tasks": results}

    @cached_property
    def scorer(self) -> NgramScorer:
        """Counts of the training split, some seconds for each million tokens."""
        assert self.manifest is not None
        files = shard_files(self.manifest, LoaderConfig())
        manifest = open_manifest(files)
        rows = len(self.tokenizer)
        if manifest.tokenizer.vocab_size > rows:
            raise ContractError(
                f"{self.manifest}: its tokenizer has {manifest.tokenizer.vocab_size:,} ids, that of the model "
                f"{rows:,}; give the manifest that the model was trained on"
            )
        split = open_split(files, manifest, LoaderConfig(), split="train", seed=0)
        model = count_ngrams(training_runs(split), vocab_size=rows)

        def encode(text: str) -> list[int]:
            ids: list[int] = self.tokenizer(text, add_special_tokens=False)["input_ids"]
            return ids

        return NgramScorer(model=model, encode=encode)
