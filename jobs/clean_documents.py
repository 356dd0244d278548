"""Clean every document: text, values, scores and verdicts, in one pass."""

from __future__ import annotations

from functools import partial
from typing import Any

from jobs.runner import stage_main
from jobs.stage import Contents, Stage, StageContext
from refinery.clean import CLEAN_VERSIONS
from refinery.clean_rows import clean_documents
from refinery.extract.classifier import weights_sha256
from refinery.filters.rules import rules_for
from refinery.language.identify import model_path
from refinery.publish import storage
from refinery.publish.store import Store
from refinery.quality.classifier import ModelFiles, card_name, model_name
from refinery.recipe import Recipe
from refinery.sources.selection import documents, is_excluded, sample_documents
from schemas.errors import ContractError, run_main
from schemas.fingerprints import sha256_file, sha256_hex


def _settings(recipe: Recipe) -> dict[str, Any]:
    rules_for("default", recipe.clean.rules)  # names a misspelt rule before any work
    return {
        "clean": recipe.clean,
        "exclude": recipe.exclude,
        "sample_fraction": recipe.sample_fraction,
        "seed": recipe.seed,
        "versions": CLEAN_VERSIONS,
    }


def _contents(recipe: Recipe, store: Store) -> Contents:
    lists = recipe.clean.rules.urls.lists
    return [
        ("language model", sha256_file(model_path(recipe.clean.language))),
        ("block classifier", weights_sha256()),
        *((f"url list {i}", sha256_hex(storage.read_bytes(uri))) for i, uri in enumerate(lists)),
    ]


def _run(context: StageContext) -> None:
    recipe = context.recipe
    every = documents(context.read("fetches"), context.read("refetches"))
    rows = sample_documents(every, recipe.sample_fraction, recipe.seed)
    models = {
        head: ModelFiles(
            context.artefact_uri("quality", model_name(head)),
            context.artefact_uri("quality", card_name(head)),
        )
        for head in recipe.trained_heads
    }
    rows = rows.withColumn("is_excluded", is_excluded(recipe.exclude))
    context.write_many(
        clean_documents(rows, recipe.clean, models, verdicts_uri=context.verdicts_uri)
    )
    _check(context)


def _check(context: StageContext) -> None:
    """documents = cleaned + rejected + left out by the sample."""
    num_documents = context.records["ingest"].counts["documents"]
    num_cleaned = context.read_back("ledger").count()
    num_rejected = context.read_back("rejects").count()
    num_sampled_out = num_documents - num_cleaned - num_rejected
    if (num_sampled_out and context.recipe.sample_fraction is None) or num_sampled_out < 0:
        raise ContractError(
            f"clean: {num_documents} documents != {num_cleaned} cleaned + {num_rejected} rejected"
        )
    context.counts.update(
        documents=num_documents - num_sampled_out, left_out_by_sample=num_sampled_out
    )


STAGE = Stage(
    name="clean",
    version=2,
    inputs=("ingest", "quality"),
    settings=_settings,
    contents=_contents,
    run=_run,
)

if __name__ == "__main__":
    run_main(partial(stage_main, STAGE))
