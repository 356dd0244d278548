"""Write the token rows of both splits as shards, and the manifest last."""

from __future__ import annotations

from functools import partial

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from jobs.pipeline.stage import NothingNew, Stage, StageContext
from refinery.datasets import publish as dataset
from refinery.datasets.facts import PackFacts
from refinery.decontaminate.facts import DecontaminateFacts
from refinery.mixture.facts import MixtureFacts
from refinery.packing.noise import noise_copies
from refinery.packing.write_shards import (
    PACKING_VERSION,
    ShardJob,
    check_special_tokens,
    collect_shards,
    has_end_marks,
    number_of_shards,
    write_shards,
)
from refinery.publish import storage
from refinery.recipe import Recipe, Runtime
from refinery.tokenizers.identity import identify_tokenizer
from schemas.errors import ContractError
from schemas.manifest import MANIFEST_NAME, DecontaminationSummary, SourceSummary, Split


def _write_split(context: StageContext, copies: DataFrame, job: ShardJob) -> Split:
    """Write one split; `copies` has a row per copy, with doc_id, source, copy and the tokens."""
    end_mark = int(has_end_marks(job.config, job.special_ids))
    totals = (
        copies.groupBy("source")
        .agg(
            F.count("*").alias("copies"),
            F.countDistinct("doc_id").alias("documents"),
            F.sum(F.col("num_tokens") + end_mark).alias("copied"),
            F.sum(F.when(F.col("copy") == 0, F.col("num_tokens")).otherwise(0)).alias("tokens"),
            F.sum(F.when(F.col("copy") == 0, F.col("num_bytes")).otherwise(0)).alias("text_bytes"),
        )
        .orderBy("source")
        .collect()
    )
    copied = {row["source"]: row["copied"] for row in totals}
    num_shards = number_of_shards(sum(copied.values()), context.recipe.packing)
    num_tasks = min(num_shards, context.runtime.shard_tasks or num_shards)
    written = collect_shards(write_shards(copies, job, num_shards, num_tasks))
    shards, arrived = written.shards, dict(written.tokens_in)
    if arrived != copied:
        raise ContractError(f"tokens by source to pack: {copied}; arrived at executors: {arrived}")
    drawn = written.drawn
    packed = {name: sum(s.tokens_by_source.get(name, 0) for s in shards) for name in copied}
    plan = {source.source: source for source in context.facts_of(MixtureFacts).plan}
    sources = {
        row["source"]: SourceSummary(
            weight=None if job.pad_last else round(plan[row["source"]].weight_asked, 9),
            documents=row["documents"],
            tokens=row["tokens"],
            text_bytes=row["text_bytes"],
            packed_tokens=packed[row["source"]],
            dropped_tokens=written.dropped[row["source"]],
            drawn_tokens=drawn[row["source"]],
            epochs=1.0 if job.pad_last else round(plan[row["source"]].epochs, 9),
        )
        for row in totals
    }
    return dataset.make_split(shards, sources, tokens_in=copied)


def _run(context: StageContext) -> PackFacts:
    recipe, folder = context.recipe, dataset.dataset_uri(context.runtime.output)
    dataset.refuse_other_dataset(folder, context.fingerprint)
    if storage.is_local(folder):
        storage.local_path(folder).mkdir(parents=True, exist_ok=True)
    tokenizer = storage.local_copy(context.artefact_uri("vocabulary", "tokenizer"))
    identity = identify_tokenizer(tokenizer, relative_path=dataset.TOKENIZER_FOLDER)
    check_special_tokens(recipe.packing, identity.special_ids)
    tokens = context.read("tokens")
    mixture = context.read("mixture").where("copies > 0").select("doc_id", "copies")
    train = tokens.where("split = 'train'").join(mixture, ["doc_id"], how="inner")
    train = train.withColumn("copy", F.explode(F.sequence(F.lit(0), F.col("copies") - 1)))
    if recipe.packing.noise is not None:
        uri = context.artefact_uri("vocabulary", "tokenizer")
        train = noise_copies(train, uri, recipe.packing.noise, recipe.seed)
    heldout = tokens.where("split = 'heldout'").withColumn("copy", F.lit(0))
    job = partial(
        ShardJob,
        folder=folder,
        config=recipe.packing,
        special_ids=identity.special_ids,
        seed=recipe.seed,
    )
    splits = {
        "train": _write_split(context, train, job(prefix="train", pad_last=False)),
        "heldout": _write_split(context, heldout, job(prefix="heldout", pad_last=True)),
    }
    if splits["train"].rows == 0:
        num_tokens = splits["train"].account.tokens_in
        told = f"{num_tokens} training tokens give no row of {recipe.packing.seq_len}"
        raise NothingNew(told) if recipe.dedup.earlier else ContractError(f"pack: {told}")
    manifest = dataset.make_manifest(
        recipe=recipe,
        tokenizer=identity,
        train=splits["train"],
        heldout=splits["heldout"],
        records=context.records,
        decontamination=_decontamination(context),
        fingerprint=context.fingerprint,
    )
    names = [source.name for source in context.recipe.sources]
    uri = dataset.write_dataset(folder, manifest, tokenizer, source_names=names)
    context.counts.update(train_rows=splits["train"].rows, heldout_rows=splits["heldout"].rows)
    return PackFacts(manifest=uri, root=manifest.root)


def _decontamination(context: StageContext) -> DecontaminationSummary | None:
    if "decontaminate" not in context.records:
        return None
    hits = (
        context.read("contamination").groupBy("benchmark").agg(F.countDistinct("doc_id").alias("n"))
    )
    benchmarks = {row["benchmark"]: row["n"] for row in hits.orderBy("benchmark").collect()}
    measured = context.facts_of(DecontaminateFacts).recall
    return DecontaminationSummary(
        benchmarks=benchmarks,
        recall=measured.recall,
        recall_by_group=measured.recall_by_group,
        clean_documents=measured.clean_documents,
        false_positives=measured.false_positives,
        false_positives_per_million_below=measured.false_positives_per_million_below,
    )


def _is_present(runtime: Runtime) -> bool:
    return storage.exists(storage.join_uri(dataset.dataset_uri(runtime.output), MANIFEST_NAME))


def _settings(recipe: Recipe) -> dict[str, object]:
    return {
        "packing": recipe.packing,
        "seed": recipe.seed,
        "name": recipe.name,
        "v": PACKING_VERSION,
    }


STAGE = Stage(
    name="pack",
    version=1,
    inputs=("vocabulary", "tokenise", "mixture", "decontaminate"),
    settings=_settings,
    run=_run,
    facts=PackFacts,
    is_present=_is_present,
)
