"""Clean every document: text, values, scores and verdicts, in one pass."""

from __future__ import annotations

from jobs.pipeline.own_code import ship_own_code
from jobs.pipeline.stage import Contents, Stage, StageContext
from jobs.stages.address_matches import count_matches
from jobs.stages.joined_scores import write_twice
from refinery.clean.cleaner import CLEAN_VERSIONS
from refinery.clean.facts import CleanFacts
from refinery.clean.rows import clean_documents
from refinery.extract.classifier import weights_sha256
from refinery.filters.rules import check_rules
from refinery.language.identify import model_path
from refinery.publish import storage
from refinery.publish.store import Store
from refinery.quality.classifier import ModelFiles, card_name, model_name
from refinery.quality.config import GivenModelConfig, PythonScorerConfig, TableScoresConfig
from refinery.quality.scorers import HeadModel
from refinery.quality.top_fraction import TOP_FRACTION_VERSION
from refinery.recipe import Recipe
from refinery.sources.exclusions import is_excluded
from refinery.sources.selection import documents, sample_documents
from refinery.sources.url_lists import URL_LISTS_VERSION
from schemas.errors import ContractError
from schemas.fingerprints import sha256_file, sha256_hex
from schemas.own_code import code_fingerprint


def _settings(recipe: Recipe) -> dict[str, object]:
    check_rules(recipe.clean.rules)  # names a misspelt rule before any work
    return {
        "clean": recipe.clean,
        "exclude": recipe.exclude,
        "heads": {
            head: _without_file(given)
            for head, given in (*recipe.given_heads.items(), *recipe.table_heads.items())
        },
        "sample_fraction": recipe.sample_fraction,
        "seed": recipe.seed,
        "versions": (*CLEAN_VERSIONS, TOP_FRACTION_VERSION, URL_LISTS_VERSION),
    }


def _without_file(
    given: GivenModelConfig | PythonScorerConfig | TableScoresConfig,
) -> dict[str, object]:
    """Settings of a head without the path of its file, which counts by content."""
    return given.model_dump(mode="json", exclude={"model", "table"})


def _contents(recipe: Recipe, store: Store) -> Contents:
    lists = (*recipe.clean.rules.urls.lists, *recipe.exclude.lists)
    return [
        ("language model", sha256_file(model_path(recipe.clean.language))),
        ("block classifier", weights_sha256()),
        *((f"url list {i}", sha256_hex(storage.read_bytes(uri))) for i, uri in enumerate(lists)),
        *(
            (f"documents {i}", sha256_hex(storage.read_bytes(uri)))
            for i, uri in enumerate(recipe.exclude.documents)
        ),
        *(
            (f"words {category}", sha256_hex(storage.read_bytes(config.uri)))
            for category, config in recipe.clean.rules.word_lists.items()
        ),
        *((f"code {name}", code_fingerprint(name)) for name in recipe.own_code),
        *(
            (f"model {head}", sha256_file(storage.local_copy(given.model)))
            for head, given in recipe.given_heads.items()
            if isinstance(given, GivenModelConfig)
        ),
        *(
            (f"scores {head}", sha256_file(storage.local_copy(given.table)))
            for head, given in recipe.table_heads.items()
        ),
    ]


def _run(context: StageContext) -> CleanFacts:
    recipe = context.recipe
    fetched = documents(context.read("fetches"), context.read("refetches"))
    rows = sample_documents(fetched, recipe.sample_fraction, recipe.seed)
    models: dict[str, HeadModel] = {
        head: ModelFiles(
            context.artefact_uri("quality", model_name(head)),
            context.artefact_uri("quality", card_name(head)),
        )
        for head in recipe.trained_heads
    }
    models |= recipe.given_heads
    ship_own_code(context.spark, recipe.own_code)
    rows = rows.withColumn("is_excluded", is_excluded(recipe.exclude))
    cleaned = clean_documents(rows, recipe.clean, models, verdicts_uri=context.verdicts_uri)
    if recipe.clean.top_fractions or recipe.table_heads:
        write_twice(context, cleaned)
    else:
        context.write_many(cleaned)
    return finish(context)


def finish(context: StageContext) -> CleanFacts:
    """Count and check what an attempt has written; returns the stage's facts.

    Raises:
        ContractError: Documents were lost.
    """
    _check(context)
    facts = CleanFacts(address_entries=count_matches(context))
    context.warnings.extend(facts.warnings)
    return facts


def _check(context: StageContext) -> None:
    """Count, and check that documents = cleaned + rejected + left out by the sample.

    Raises:
        ContractError: The sum does not hold: documents were lost.
    """
    num_documents = context.records["ingest"].counts["documents"]
    num_cleaned = context.count_back("ledger")
    num_rejected = context.count_back("rejects")
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
    version=3,
    inputs=("ingest", "quality"),
    settings=_settings,
    contents=_contents,
    run=_run,
    facts=CleanFacts,
)
