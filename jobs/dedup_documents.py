"""Mark exact and near duplicates; every removal is backed by a measured similarity."""

from __future__ import annotations

import json
from functools import partial
from typing import Any

from jobs.dedup_checks import check_losses, scratch, written_edits
from jobs.runner import stage_main
from jobs.stage import Stage, StageContext
from refinery.dedup import marking
from refinery.dedup.clusters import cluster_sizes, histogram, largest
from refinery.dedup.lsh import SCurve, scheme_name
from refinery.dedup.signing import sign, with_spans
from refinery.dedup.solving import solve
from refinery.recipe import Recipe
from schemas.errors import run_main


def _settings(recipe: Recipe) -> dict[str, Any]:
    order = [source.name for source in recipe.sources]
    return {"dedup": recipe.dedup, "order": order, "scheme": scheme_name(recipe.dedup)}


def _run(context: StageContext) -> None:
    config, sources = context.recipe.dedup, [source.name for source in context.recipe.sources]
    order = marking.keeper_order(context.read("ledger"), sources)
    documents = with_spans(context.read("cleaned"), written_edits(context, ("clean",)))
    context.write("signatures", sign(documents, config))
    signed = context.read_back("signatures")
    with scratch(context) as persist:
        exact = persist(marking.mark_exact(signed, order))
        signatures = signed.join(exact, ["doc_id"], how="left_anti")
        members = persist(marking.bucket_members(signatures, order))
        pairs = persist(marking.candidate_pairs(members, config))
        context.write("edges", marking.verified_edges(pairs, signatures, config))
        edges = context.read_back("edges")
        near = solve(edges, order, config, persist)
        context.write("duplicates", marking.duplicates(exact, near, edges, order))
        context.counts.update(
            candidate_pairs=pairs.count(),
            verified_pairs=edges.count(),
            capped_buckets=marking.capped_buckets(members, config).count(),
        )
    curve = SCurve(config.num_bands, config.rows_per_band, config.threshold)
    context.facts["s_curve"] = json.dumps(curve.as_json())
    clusters = cluster_sizes(context.read_back("duplicates"))
    context.facts["cluster_sizes"] = json.dumps(histogram(clusters))
    context.facts["largest_clusters"] = json.dumps(largest(clusters, most=10))
    check_losses(context)


STAGE = Stage(
    name="dedup",
    version=2,
    inputs=("clean",),
    settings=_settings,
    run=_run,
    enabled=lambda recipe: recipe.dedup.enabled,
)

if __name__ == "__main__":
    run_main(partial(stage_main, STAGE))
