"""A recipe (what the data is) and a runtime (where and how it runs), as one settings file."""

from __future__ import annotations

from pathlib import Path
from typing import Self

from pydantic import Field, model_validator

from refinery.clean.config import CleanConfig
from refinery.decontaminate.config import DecontaminateConfig
from refinery.dedup.config import DedupConfig
from refinery.language.domains import DOMAIN_HEAD, DomainsConfig
from refinery.mixture.config import MixtureConfig
from refinery.packing.config import PackingConfig
from refinery.quality.config import QUALITY, QualityTrainingConfig
from refinery.sources.config import ExcludeConfig, ReadLimits, SourceConfig
from refinery.vocabulary.config import SplitConfig, VocabularyConfig
from schemas.settings import Settings, load_settings, nearest


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
    quality: QualityTrainingConfig | None = None
    heads: dict[str, QualityTrainingConfig] = Field(
        default_factory=dict,
        description="further classifiers by name, e.g. likeness to named sources, or harm",
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
        return {**quality, **self.heads, **domains}

    @model_validator(mode="after")
    def _heads_are_trained(self) -> Self:
        if QUALITY in self.heads:
            raise ValueError(f"heads: '{QUALITY}' is the name of recipe.quality's score")
        for name in self.heads:
            if name.startswith(DOMAIN_HEAD):
                raise ValueError(
                    f"heads: '{name}': names with '{DOMAIN_HEAD}' are those of domains"
                )
        if self.clean.domain_prefix is not None and self.domains is None:
            raise ValueError("clean.domain_prefix needs labels: name sources in recipe.domains")
        wanted = set(self.clean.heads) - set(self.heads)
        if self.mixture.weight_by is not None:
            wanted |= {self.mixture.weight_by.score} - set(self.trained_heads)
        for name in sorted(wanted):
            hint = nearest(name, set(self.trained_heads))
            raise ValueError(f"no head '{name}' is trained by this recipe{hint}")
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

    output: str = Field(description="folder or URI of the dataset, the report and the tables")
    partitions: int = Field(default=8, gt=0, description="tasks of a shuffle")
    shard_tasks: int | None = Field(default=None, gt=0, description="tasks that write shards")


class RefineSettings(Settings):
    """The two halves of a settings file."""

    recipe: Recipe
    runtime: Runtime


def load_recipe(path: Path, overrides: tuple[str, ...] = ()) -> RefineSettings:
    """Read a settings file; relative source paths are relative to the working directory.

    Raises:
        SettingsError: With every fault, its dotted key and the nearest valid key.
    """
    return load_settings(RefineSettings, path, overrides)
