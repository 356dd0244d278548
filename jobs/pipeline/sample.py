"""A sample of a recipe's files: about the same share of each source, chosen by hash of their names."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from refinery.publish import storage
from refinery.recipe import Recipe
from refinery.sources.config import TABLE_FORMATS, SourceConfig
from refinery.sources.listing import UNREADABLE, InputFile, list_files
from schemas.errors import SettingsError


@dataclass(frozen=True)
class Sample:
    """The files that the estimate runs on, and bytes by source of the whole and of the sample."""

    files: tuple[InputFile, ...]
    bytes_by_source: dict[str, int]
    sampled_by_source: dict[str, int]
    files_by_source: dict[str, int]

    @property
    def factor(self) -> float:
        """Bytes of the whole input over bytes of the sample."""
        return sum(self.bytes_by_source.values()) / max(1, sum(self.sampled_by_source.values()))

    @property
    def factors(self) -> dict[str, float]:
        """The same for each source."""
        return {
            name: size / max(1, self.sampled_by_source[name])
            for name, size in self.bytes_by_source.items()
        }


def choose_sample(recipe: Recipe, sample_bytes: int) -> Sample:
    """The same share of every source's files, in the order of a hash of their names.

    Every source gives at least one file, but tables and runs, which are left out; names are hashed with the seed, so a folder sorted by
    time or size gives no one-sided sample.

    Raises:
        SettingsError: All sources are tables, or nothing lies at a source's URI.
    """
    if all(source.format in TABLE_FORMATS for source in recipe.sources):
        raise SettingsError(
            "all sources are tables or runs, which have no files to take a sample of; run with "
            "recipe.sample_fraction"
        )
    listed = {
        source.name: [file for file in list_files(source) if file.sha256 != UNREADABLE]
        if source.format not in TABLE_FORMATS
        else []
        for source in recipe.sources
    }
    sizes = {name: sum(file.size for file in files) for name, files in listed.items()}
    share = min(1.0, sample_bytes / max(1, sum(sizes.values())))
    chosen: list[InputFile] = []
    for name, files in listed.items():
        files.sort(key=lambda file: _order(recipe.seed, file))
        taken = 0
        for file in files:
            if taken and taken + file.size > share * sizes[name]:
                break
            chosen.append(file)
            taken += file.size
    sampled = {name: sum(file.size for file in chosen if file.source == name) for name in listed}
    return Sample(tuple(chosen), sizes, sampled, {name: len(f) for name, f in listed.items()})


def _order(seed: int, file: InputFile) -> str:
    return hashlib.sha256(f"{seed}\0{file.source}\0{file.name}".encode()).hexdigest()


def _sampled(source: SourceConfig, folder: Path) -> SourceConfig:
    """The source over the copies of its sampled files; a table becomes an empty folder."""
    folder.mkdir(parents=True, exist_ok=True)
    kind: dict[str, object] = {"format": "text", "spark": None}
    table = kind if source.format in TABLE_FORMATS else {}
    return source.model_copy(
        update={"uri": str(folder), "pattern": "**", "may_be_empty": True, **table}
    )


def sample_recipe(recipe: Recipe, sample: Sample, folder: Path) -> Recipe:
    """Copy the sampled files below `folder`; the recipe over them, with its gates open.

    A budget of tokens shrinks with the input, so that epochs stay as planned.
    """
    for file in sample.files:
        system, path = storage.file_system(file.uri)
        target = folder / file.source / file.name
        if not target.resolve().is_relative_to(folder.resolve()):
            raise SettingsError(f"{file.uri}: its name leaves the source's folder")
        target.parent.mkdir(parents=True, exist_ok=True)
        system.get_file(path, str(target))
    sources = tuple(_sampled(source, folder / source.name) for source in recipe.sources)
    changed: dict[str, object] = {"sources": sources, "new_files_only": False}
    changed["limits"] = recipe.limits.model_copy(update={"max_reject_fraction": 1.0})
    changed["dedup"] = recipe.dedup.model_copy(update={"max_source_loss": None})
    if recipe.decontaminate is not None:
        changed["decontaminate"] = recipe.decontaminate.model_copy(
            update={"max_removal_fraction": 1.0}
        )
    if recipe.mixture.budget_tokens is not None:
        budget = max(1, round(recipe.mixture.budget_tokens / sample.factor))
        changed["mixture"] = recipe.mixture.model_copy(update={"budget_tokens": budget})
    return recipe.model_copy(update=changed)
