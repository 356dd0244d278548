"""Decide every document's fate, and turn the kept ones into token ids, once."""

from __future__ import annotations

from functools import reduce

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from jobs.pipeline.stage import NothingNew, Stage, StageContext
from jobs.stages.earlier_verdicts import removed_duplicates
from refinery.fates import check_fates, decide_fates, kept_texts
from refinery.packing.split import with_split
from refinery.recipe import Recipe
from refinery.tokenizers.tokenise import TOKENISE_VERSION, tokenise
from schemas.errors import ContractError
from schemas.tables import TABLES

# What `run_with` takes of a known document as it is.
TAKEN = ("input_ids", "num_tokens", "num_bytes", "word_starts", "sentence_starts")


def compute_fates(context: StageContext) -> DataFrame:
    """The fate of every document, from the tables published so far."""
    return decide_fates(
        ledger=context.read("ledger"),
        rejects=context.read("rejects", stage="clean"),
        duplicates=removed_duplicates(context),
        contamination=context.read("contamination"),
    )


def split_texts(context: StageContext, fates: DataFrame) -> DataFrame:
    """(doc_id, source, text, edits, is_heldout) of kept documents."""
    recipe = context.recipe
    texts = kept_texts(context.read("cleaned"), fates, _collect_edits(context))
    clusters = None if recipe.dedup.removes else context.read("clusters")
    return with_split(texts, clusters, recipe.split, recipe.seed)


def _collect_edits(context: StageContext) -> DataFrame:
    """Edits of all stages that write any."""
    stages = ("clean", "dedup", "decontaminate")
    return reduce(DataFrame.unionByName, (context.read("edits", stage=name) for name in stages))


def run_with(context: StageContext, *, known: DataFrame | None = None) -> None:
    """Write the stage's tables.

    Args:
        context: Of the attempt.
        known: Rows of `tokens` with `edits`, of any documents, by the same tokenizer: the ids of a kept
            document with the same edits are taken from there.

    Raises:
        NothingNew: Earlier runs leave no document.
        ContractError: None is kept, or documents were lost.
    """
    recipe = context.recipe
    context.write("fates", compute_fates(context))
    fates = context.read_back("fates")
    counts = {row["fate"]: row["count"] for row in fates.groupBy("fate").count().collect()}
    check_fates(counts, context.records["clean"].counts["documents"])
    context.counts.update(counts)
    if not counts.get("kept"):
        if recipe.dedup.earlier:
            told = ", ".join(f"{count:,} {fate}" for fate, count in sorted(counts.items()))
            raise NothingNew(f"no document is new and kept: {told or 'there are none'}")
        raise ContractError("no document is kept; see `fates.reason` and `ledger.reasons`")
    texts = split_texts(context, fates)
    if known is not None:
        # Null edits are equal, too: documents that nothing edits.
        same = (texts["doc_id"] == known["doc_id"]) & texts["edits"].eqNullSafe(known["edits"])
        taken = texts.drop("text").join(known, same, how="inner")
        taken = taken.select(texts["doc_id"], "source", "is_heldout", *TAKEN)
        texts = texts.join(known, same, how="left_anti")
    rows = tokenise(texts, context.artefact_uri("vocabulary", "tokenizer"), recipe.packing.marks)
    if known is not None:
        rows = rows.unionByName(taken)
    split = F.when(F.col("is_heldout"), "heldout").otherwise("train")
    tokens = rows.withColumn("split", split).select(*TABLES["tokens"].column_names)
    context.write("tokens", tokens)


def _settings(recipe: Recipe) -> dict[str, object]:
    return {
        "seed": recipe.seed,
        "split": recipe.split,
        "marks": recipe.packing.marks,
        "version": TOKENISE_VERSION,
    }


STAGE = Stage(
    name="tokenise",
    version=1,
    inputs=("clean", "dedup", "decontaminate", "vocabulary"),
    settings=_settings,
    run=run_with,
)
