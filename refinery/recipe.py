"""A recipe (what the data is) and a runtime (where and how it runs), as one settings file."""

from __future__ import annotations

from pathlib import Path
from typing import Self

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from refinery.clean.config import CleanConfig
from refinery.decontaminate.config import DecontaminateConfig
from refinery.dedup.config import DedupConfig
from refinery.language.domains import DOMAIN_HEAD, DomainsConfig
from refinery.mixture.config import MixtureConfig
from refinery.packing.config import PackingConfig
from refinery.publish.runs import earlier_outputs, tables_root
from refinery.quality.config import (
    QUALITY,
    GivenModelConfig,
    HeadSource,
    PythonScorerConfig,
    QualityTrainingConfig,
    TableScoresConfig,
)
from refinery.recipe_names import misspelt_names
from refinery.sources.config import ExcludeConfig, ReadLimits, SourceConfig
from refinery.vocabulary.config import SplitConfig, VocabularyConfig
from schemas.errors import SettingsError
from schemas.settings import SEVERAL_KEYS, Settings, apply_overrides, parse_settings
from schemas.yaml_files import read_yaml


class Recipe(Settings):
    """Everything that the dataset is a function of, beside its input files."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9_-]*$", description="name of the dataset")
    seed: int = Field(
        default=0, description="another seed gives another split, order and copies of documents"
    )
    sources: tuple[SourceConfig, ...] = Field(min_length=1)
    limits: ReadLimits = ReadLimits()
    exclude: ExcludeConfig = ExcludeConfig()
    sample_fraction: float | None = Field(
        default=None, gt=0, le=1, description="keep this share of documents, by hash of their id"
    )
    new_files_only: bool = Field(
        default=False,
        description="leave out files that the runs of dedup.earlier have read; a source may be empty",
    )
    quality: QualityTrainingConfig | None = None
    heads: dict[str, HeadSource] = Field(
        default_factory=dict,
        description="further scores by name: classifiers to train, fastText files, functions of one's own",
    )
    domains: DomainsConfig | None = Field(
        default=None, description="fields of knowledge, for a label and a table of homographs"
    )
    clean: CleanConfig = CleanConfig()
    dedup: DedupConfig = DedupConfig()
    decontaminate: DecontaminateConfig | None = None
    vocabulary: VocabularyConfig = VocabularyConfig()
    split: SplitConfig = SplitConfig()
    mixture: MixtureConfig = MixtureConfig()
    packing: PackingConfig = PackingConfig()

    @property
    def trained_heads(self) -> dict[str, QualityTrainingConfig]:
        """All classifiers to train, by the name of their score."""
        quality = {} if self.quality is None else {QUALITY: self.quality}
        domains = {} if self.domains is None else self.domains.heads
        own = {n: h for n, h in self.heads.items() if isinstance(h, QualityTrainingConfig)}
        return {**quality, **own, **domains}

    @property
    def given_heads(self) -> dict[str, GivenModelConfig | PythonScorerConfig]:
        """Heads that need no training, by the name of their score."""
        others = (QualityTrainingConfig, TableScoresConfig)
        return {n: h for n, h in self.heads.items() if not isinstance(h, others)}

    @property
    def table_heads(self) -> dict[str, TableScoresConfig]:
        """Heads whose scores a table has by document, by the name of their score."""
        return {n: h for n, h in self.heads.items() if isinstance(h, TableScoresConfig)}

    @property
    def own_code(self) -> tuple[str, ...]:
        """Functions of the user's own (`module:function`) that the recipe names."""
        scorers = [h.python for h in self.given_heads.values() if isinstance(h, PythonScorerConfig)]
        return tuple(dict.fromkeys((*self.clean.rules.python, *scorers)))

    @model_validator(mode="after")
    def _heads_are_trained(self) -> Self:
        if QUALITY in self.heads:
            raise ValueError(f"heads: '{QUALITY}' is the name of recipe.quality's score")
        for name in self.heads:
            if name.startswith(DOMAIN_HEAD):
                raise ValueError(
                    f"heads: '{name}': names with '{DOMAIN_HEAD}' are those of domains"
                )
        for name in self.table_heads:
            if name in self.clean.heads and self.clean.heads[name].action != "drop":
                raise ValueError(
                    f"clean.heads.{name}: a table has scores of whole documents, so it drops or notes them; leave out action"
                )
        if self.clean.domain_prefix is not None and self.domains is None:
            raise ValueError("clean.domain_prefix needs labels: name sources in recipe.domains")
        return self

    @model_validator(mode="after")
    def _names_are_known(self) -> Self:
        if faults := misspelt_names(self.model_dump(mode="json")):
            raise PydanticCustomError(SEVERAL_KEYS, "{faults}", {"faults": "\n  ".join(faults)})
        return self

    @model_validator(mode="after")
    def _removed_ones_are_rehydrated(self) -> Self:
        if self.mixture.rehydrate is not None and not self.dedup.removes:
            raise ValueError(
                "mixture.rehydrate gives copies for removed duplicates; dedup.mode: mark keeps them"
            )
        return self

    @model_validator(mode="after")
    def _names_are_unique(self) -> Self:
        names = [source.name for source in self.sources]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"source names must differ, got twice: {', '.join(twice)}")
        return self


class Runtime(Settings):
    """Where results lie and how wide Spark runs; never part of a fingerprint."""

    output: str = Field(
        description="folder or URI of the dataset and the report, and of the tables unless they lie apart"
    )
    tables: str | None = Field(
        default=None,
        description="folder or URI of tables that several outputs share: a stage of equal settings and "
        "input is computed once for all of them; null: `tables` in the output",
    )
    partitions: int = Field(default=8, gt=0, description="tasks of a shuffle")
    shard_tasks: int | None = Field(default=None, gt=0, description="tasks that write shards")

    @property
    def tables_uri(self) -> str:
        """Root of the tables of the stages."""
        return tables_root(self.output, self.tables)


class RefineSettings(Settings):
    """The two halves of a settings file."""

    recipe: Recipe
    runtime: Runtime


def with_earlier_runs(settings: RefineSettings) -> RefineSettings:
    """The settings with the patterns of `dedup.earlier` resolved to the runs before this one."""
    patterns, output = settings.recipe.dedup.earlier, settings.runtime.output
    earlier = tuple(
        name
        for pattern in patterns
        for name in earlier_outputs(pattern, before=output, stage="dedup")
    )
    if earlier == patterns:
        return settings
    dedup = settings.recipe.dedup.model_copy(update={"earlier": earlier})
    return settings.model_copy(
        update={"recipe": settings.recipe.model_copy(update={"dedup": dedup})}
    )


def load_recipe(path: Path, overrides: tuple[str, ...] = ()) -> RefineSettings:
    """Read a settings file; relative source paths are relative to the working directory.

    Raises:
        SettingsError: With every fault, its dotted key and the nearest valid key.
    """
    data = apply_overrides(read_yaml(path), overrides)
    try:
        return with_earlier_runs(parse_settings(RefineSettings, data, where=str(path)))
    except SettingsError as error:
        # Rules about several keys are not looked at where one key is wrong; names can be.
        told = str(error)
        more = [fault for fault in misspelt_names(data.get("recipe")) if fault not in told]
        raise SettingsError("\n  ".join([told, *more])) from error
