"""Find exact and near duplicates; every one of them is backed by a measured similarity."""

from __future__ import annotations

import sys
from functools import reduce

from pyspark.sql import DataFrame

from jobs.pipeline.concurrently import concurrently
from jobs.pipeline.scratch import scratch
from jobs.pipeline.stage import Contents, Stage, StageContext
from jobs.stages.dedup_alarm import check_losses
from jobs.stages.dedup_tables import payload_hashes, publish_signatures, read_known, write_recurring
from jobs.stages.earlier_verdicts import written_edits
from refinery.dedup import marking
from refinery.dedup.clusters import cluster_members, cluster_sizes, histogram, largest
from refinery.dedup.config import DedupConfig
from refinery.dedup.dumps import Compared, compare_dump, dumps_of, known_after
from refinery.dedup.earlier import check_earlier, earlier_runs, num_dumps
from refinery.dedup.facts import DedupFacts, LargestBucket
from refinery.dedup.lsh import SCurve, scheme_name, with_bands
from refinery.dedup.signing import sign, with_spans
from refinery.publish.store import Store
from refinery.recipe import Recipe

LARGEST = 10  # clusters and buckets that the report names


def _settings(recipe: Recipe) -> dict[str, object]:
    sources = [source.name for source in recipe.sources]
    dumps_of(recipe.dedup, sources)
    plain = recipe.dedup.model_dump(mode="json", exclude={"earlier"})
    return {"dedup": plain, "order": sources, "scheme": scheme_name(with_bands(recipe.dedup))}


def _contents(recipe: Recipe, store: Store) -> Contents:
    runs = earlier_runs(recipe.dedup.earlier)
    config = with_bands(recipe.dedup)
    check_earlier(runs, scheme_name(config), config.index_buckets)
    return [(f"earlier/{index}", run.record.identity) for index, run in enumerate(runs)]


def _run(context: StageContext) -> DedupFacts:
    config = with_bands(context.recipe.dedup)
    sources = [source.name for source in context.recipe.sources]
    curve = SCurve(config.num_bands, config.rows_per_band, config.threshold)
    print(f"{'dedup':<14} {curve}", file=sys.stderr)
    earlier = earlier_runs(config.earlier)
    dumps = dumps_of(config, sources)
    order = marking.keeper_order(context.read("ledger"), dumps, sources, num_dumps(earlier))
    documents = with_spans(context.read("cleaned"), written_edits(context, ("clean",)))
    with scratch(context) as persist:
        signed = persist(sign(documents, config))
        sets = signed.select("doc_id", "shingles")
        fresh = marking.fresh_documents(signed, order, payload_hashes(context, config))
        if len(dumps) > 1:  # each of them reads its own
            fresh = persist(fresh)
        known, parts = read_known(context.spark, earlier, config), list[Compared]()
        for number in range(len(dumps)):
            own = fresh.where(fresh["dump"] == num_dumps(earlier) + number)
            parts.append(compare_dump(own, sets, known, config, persist))
            known = known_after(known, parts[-1], sets)
        verdicts = _all(parts, "documents")
        with concurrently() as actions:
            actions.start(publish_signatures, context, verdicts, sets, config)
            buckets = actions.start(_capped_buckets, context, parts, config)
            clusters = cluster_sizes(*(_all(parts, name) for name in ("duplicates", "edges")))
            sizes = actions.start(histogram, clusters)
            largest_clusters = actions.start(largest, clusters, most=LARGEST)
        for table in ("edges", "duplicates"):
            persist.publish(table, [getattr(part, table) for part in parts])
        context.counts.update(
            dumps=len(dumps),
            verified_pairs=context.count_back("edges"),
            candidate_pairs=sum(persist.count(part.pairs) for part in parts),
        )
        passages = write_recurring(context, documents, fresh, config, persist)
        if not config.removes:
            duplicates, edges = context.read_back("duplicates"), context.read_back("edges")
            context.write("clusters", cluster_members(duplicates, edges, fresh))
    check_losses(context)
    return DedupFacts(
        s_curve=curve.facts(),
        scheme=scheme_name(config),
        index_buckets=config.index_buckets if config.keep_index else None,
        earlier=tuple(run.record.identity for run in earlier) if config.keep_index else None,
        cluster_sizes=sizes.result(),
        largest_clusters=largest_clusters.result(),
        largest_buckets=buckets.result(),
        recurring_examples=passages,
    )


def _capped_buckets(
    context: StageContext, parts: list[Compared], config: DedupConfig
) -> tuple[LargestBucket, ...]:
    """Count buckets whose pairs are not complete; returns the largest of them."""
    capped = _union([marking.capped_buckets(part.members, config) for part in parts])
    largest_first = capped.orderBy(capped["size"].desc(), "band", "key").limit(LARGEST).collect()
    is_all = len(largest_first) < LARGEST
    context.counts["capped_buckets"] = len(largest_first) if is_all else capped.count()
    return tuple(LargestBucket(**row.asDict()) for row in largest_first)


def _all(parts: list[Compared], name: str) -> DataFrame:
    return _union([getattr(part, name) for part in parts])


def _union(tables: list[DataFrame]) -> DataFrame:
    return reduce(DataFrame.unionByName, tables)


STAGE = Stage(
    name="dedup",
    version=4,
    inputs=("ingest", "clean"),
    settings=_settings,
    contents=_contents,
    run=_run,
    facts=DedupFacts,
    enabled=lambda recipe: recipe.dedup.enabled,
)
