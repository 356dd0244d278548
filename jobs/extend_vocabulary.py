"""Train the recipe's tokenizer on kept training documents, or publish the one it names."""

from __future__ import annotations

import tempfile
from functools import partial
from pathlib import Path
from typing import Any

from pyspark.sql import DataFrame

from jobs.runner import stage_main
from jobs.stage import Contents, Stage, StageContext, sha256_path
from jobs.tokenise_documents import compute_fates, split_texts
from refinery.edits import Edit, apply_edits
from refinery.publish import storage
from refinery.publish.store import Store
from refinery.recipe import Recipe
from refinery.vocabulary.bpe import TRAINER_VERSION, train_bpe, write_tokenizer
from refinery.vocabulary.clauses import collect_clauses
from refinery.vocabulary.given import whole_tokenizer
from refinery.vocabulary.identity import identify_tokenizer
from refinery.vocabulary.sample import sample_by_bytes
from refinery.vocabulary.training import TRAINING_VERSION, train_tokenizer
from schemas.errors import ContractError, run_main

TOKENIZER = "tokenizer"


def _contents(recipe: Recipe, store: Store) -> Contents:
    given = recipe.vocabulary.tokenizer
    return [("tokenizer", sha256_path(storage.local_copy(given)))] if given else []


def _settings(recipe: Recipe) -> dict[str, Any]:
    plain = recipe.vocabulary.model_dump(mode="json", exclude={"tokenizer"})
    return {
        "vocabulary": plain,
        "split": recipe.split,
        "seed": recipe.seed,
        "version": TRAINER_VERSION if recipe.vocabulary.train is None else TRAINING_VERSION,
    }


def _training_sample(context: StageContext) -> DataFrame:
    """Kept training documents by hash of their id, up to the byte budget."""
    recipe = context.recipe
    training = split_texts(context, compute_fates(context)).where("not is_heldout")
    return sample_by_bytes(training, budget=recipe.vocabulary.train_bytes, seed=recipe.seed)


def _training_texts(context: StageContext) -> list[str]:
    """The texts of the sample; a byte-level BPE sees them whole."""
    rows = _training_sample(context)
    ordered = sorted(rows.select("doc_id", "text", "edits").collect(), key=lambda r: r["doc_id"])
    return [
        apply_edits(
            row["text"],
            [Edit(e["start"], e["end"], e["replacement"]) for e in row["edits"] or ()],
        )
        for row in ordered
    ]


def _run(context: StageContext) -> None:
    config = context.recipe.vocabulary
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / TOKENIZER
        if config.train is not None:
            clauses = collect_clauses(_training_sample(context), config.train)
            train_tokenizer(clauses, config.train, folder)
            context.counts["training_clauses"] = len(clauses)
        elif config.tokenizer is None:
            texts = _training_texts(context)
            if not texts:
                raise ContractError(
                    "vocabulary: no kept training document; see `ledger.drop_reason`"
                )
            write_tokenizer(train_bpe(texts, config), folder, config.sentinels)
            context.counts["training_documents"] = len(texts)
        else:
            folder = whole_tokenizer(storage.local_copy(config.tokenizer), folder)
        identity = identify_tokenizer(folder, relative_path=TOKENIZER)
        context.counts["vocab_size"] = identity.vocab_size
        context.add_artefact(TOKENIZER, folder)


STAGE = Stage(
    name="vocabulary",
    version=2,
    inputs=("clean", "dedup", "decontaminate"),
    settings=_settings,
    contents=_contents,
    run=_run,
)

if __name__ == "__main__":
    run_main(partial(stage_main, STAGE))
