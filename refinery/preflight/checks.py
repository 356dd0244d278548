"""Find the mistakes of a recipe before any work, all of them, each with the nearest right answer."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path

from refinery.clean.own_calls import own_calls
from refinery.decontaminate.benchmarks import check_benchmark
from refinery.decontaminate.config import BenchmarkConfig
from refinery.dedup.earlier import check_earlier, earlier_runs
from refinery.dedup.lsh import scheme_name, with_bands
from refinery.filters.python_rules import check_python_rules
from refinery.filters.rules import check_rules
from refinery.language.names import check_languages
from refinery.preflight.datasets import check_dataset
from refinery.preflight.missing import nothing_there
from refinery.preflight.output import check_output
from refinery.preflight.runs import check_runs
from refinery.publish import storage
from refinery.quality.scorers import check_scorer
from refinery.quality.table_file import check_table
from refinery.recipe import Recipe, RefineSettings
from refinery.sources.config import SourceConfig
from refinery.sources.listing import is_empty
from schemas.errors import PipelineError, SettingsError, mendable_error

Check = Callable[[], object]


def check_settings(settings: RefineSettings, *, packs: bool = True) -> None:
    """Refuse settings that cannot work, in a second or two.

    Args:
        settings: The recipe, and where and how it runs.
        packs: Whether the run will write the dataset.

    Raises:
        PipelineError: With every mistake; its kind and exit code are theirs where all have the same.
    """
    errors = find_mistakes(settings, packs=packs)
    if not errors:
        return
    kinds = {type(error) for error in errors}
    kind = kinds.pop() if len(kinds) == 1 else SettingsError
    raise kind("\n  ".join(str(error) for error in errors))


def find_mistakes(settings: RefineSettings, *, packs: bool = True) -> list[PipelineError]:
    """Every mistake that can be found without reading the input."""
    recipe = settings.recipe
    checks: list[Check] = [
        *(partial(check_source, source, settings) for source in recipe.sources),
        *_list_checks(recipe),
        lambda: check_languages(recipe.clean.language),
        lambda: check_rules(recipe.clean.rules),
        *_own_code_checks(recipe),
        *(partial(check_table, head, table) for head, table in recipe.table_heads.items()),
        *_benchmark_checks(recipe),
        lambda: _check_earlier(recipe),
        lambda: check_vocabulary(recipe),
        lambda: check_output(settings.runtime.output),
        *([lambda: check_dataset(settings)] if packs else []),
    ]
    return list(_errors(checks))


def _own_code_checks(recipe: Recipe) -> Iterator[Check]:
    """Import and try what the user wrote or brought: models and functions."""
    # Tried with the limits of the run: what never ends is found here, too.
    run = own_calls(recipe.clean.own_code, recipe.own_code).run
    if recipe.clean.rules.python:
        yield lambda: check_python_rules(recipe.clean.rules.python, run)
    for head, given in recipe.given_heads.items():
        yield partial(check_scorer, head, given, run)


def _errors(checks: Iterable[Check]) -> Iterator[PipelineError]:
    for check in checks:
        error = mendable_error(check)
        if error is not None:
            yield error


def check_source(source: SourceConfig, settings: RefineSettings) -> None:
    """Look for the source's files or runs, and into the first of the files.

    Raises:
        PipelineError: Nothing lies there, no name matches, the file is of another form, or a run has
            not ended.
    """
    if source.format == "run":
        check_runs(source, settings.runtime.output)
        return
    # Spark's modules, a second to import, after the faults of the recipe itself are told.
    from refinery.preflight.first_documents import check_first_document
    from refinery.sources.binary_files import needs_spark

    if not (settings.recipe.new_files_only and not needs_spark(source) and is_empty(source)):
        check_first_document(source)


def _list_checks(recipe: Recipe) -> Iterator[Check]:
    rules = recipe.clean.rules
    for number, uri in enumerate(rules.urls.lists):
        yield partial(_check_list, f"recipe.clean.rules.urls.lists[{number}]", uri)
    for number, uri in enumerate(recipe.exclude.lists):
        yield partial(_check_list, f"recipe.exclude.lists[{number}]", uri)
    for number, uri in enumerate(recipe.exclude.documents):
        yield partial(_check_documents, f"recipe.exclude.documents[{number}]", uri)
    for category, config in rules.word_lists.items():
        yield partial(_check_list, f"recipe.clean.rules.word_lists.{category}.uri", config.uri)


def _check_list(where: str, uri: str) -> None:
    if not storage.exists(uri):
        raise nothing_there(where, uri)


def _check_documents(where: str, uri: str) -> None:
    from refinery.sources.exclusions import listed_ids  # Spark's modules, a second to import

    _check_list(where, uri)
    listed_ids(uri)


def _benchmark_checks(recipe: Recipe) -> Iterator[Check]:
    for config in recipe.decontaminate.benchmarks if recipe.decontaminate else ():
        yield partial(_check_benchmark, config)


def _check_benchmark(config: BenchmarkConfig) -> None:
    if not Path(config.path).exists() and not any(sign in config.path for sign in "*?["):
        raise nothing_there(f"benchmark '{config.name}'", config.path)
    check_benchmark(config)


def _check_earlier(recipe: Recipe) -> None:
    runs = earlier_runs(recipe.dedup.earlier)
    config = with_bands(recipe.dedup)
    check_earlier(runs, scheme_name(config), config.index_buckets)


def check_vocabulary(recipe: Recipe) -> None:
    """Refuse a base or donor that cannot serve now, not after hours of cleaning."""
    config = recipe.vocabulary
    if config.tokenizer is None:
        return
    if not storage.exists(config.tokenizer):
        raise nothing_there("recipe.vocabulary.tokenizer", config.tokenizer)
    if config.extend is None:
        return
    # Libraries of tokenizers: a second to import, for the recipes that need them alone.
    from refinery.tokenizers.folder import read_tokenizer
    from refinery.vocabulary.extend.donor import read_donor
    from refinery.vocabulary.extend.donor_from_text import refuse_small_size
    from refinery.vocabulary.extend.scripts import new_characters

    base = read_tokenizer(storage.local_copy(config.tokenizer))
    refuse_small_size(config.extend, base, setting="recipe.vocabulary.extend.size")
    new_characters(config.extend.scripts, config.extend.characters)
    if config.extend.donor is not None:
        read_donor(storage.local_copy(config.extend.donor), base)
