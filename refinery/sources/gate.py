"""Stop a run whose source gives nothing, or mostly rejects; say what its files hold instead."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from refinery.sources.config import ReadLimits, SourceConfig
from refinery.sources.facts import SourceFacts
from refinery.sources.field_guess import NAMES
from refinery.sources.rows import NO_TEXT
from schemas.errors import QualityGateError

ROW_FORMATS = ("jsonl", "parquet", "csv")


@dataclass(frozen=True)
class RejectExample:
    """The first reject of a source's commonest reason."""

    reason: str
    file: str
    offset: int
    message: str


def poor_sources(
    sources: Sequence[SourceConfig], facts: Mapping[str, SourceFacts], limits: ReadLimits
) -> list[SourceConfig]:
    """Sources that stop the run: without a document, or with more rejects than the recipe allows."""
    return [
        source
        for source in sources
        if (not facts[source.name].fetches and not source.may_be_empty)
        or facts[source.name].reject_fraction > limits.max_reject_fraction
    ]


def refuse(
    poor: Sequence[SourceConfig],
    facts: Mapping[str, SourceFacts],
    examples: Mapping[str, RejectExample],
    limits: ReadLimits,
) -> QualityGateError:
    """The error that names each poor source, its commonest reject and what would mend it."""
    lines = [
        _describe(source, facts[source.name], examples.get(source.name), limits) for source in poor
    ]
    return QualityGateError("ingest stops: " + "; ".join(lines))


def _describe(
    source: SourceConfig, facts: SourceFacts, example: RejectExample | None, limits: ReadLimits
) -> str:
    parts = [f"source '{source.name}'"]
    num_all = facts.fetches + facts.num_rejects
    if not facts.fetches:
        parts.append(f"gives no document ({facts.files} files, {facts.bytes:,} bytes)")
    advice = None
    if example is not None:
        count = facts.rejects[example.reason]
        unit = "rows" if example.reason == NO_TEXT else "records"
        parts.append(
            f"{count:,} of {num_all:,} {unit} are rejects for {example.reason}, "
            f"first {example.file} at {example.offset}: {example.message}"
        )
        if (advice := _advice(source, example)) is not None:
            parts.append(advice)
        if facts.fetches:
            parts.append(
                f"{facts.reject_fraction:.1%} rejects in all, at most "
                f"recipe.limits.max_reject_fraction {limits.max_reject_fraction:.1%}"
            )
    elif facts.records:
        held = ", ".join(f"{count:,} {name}" for name, count in facts.records.items())
        parts.append(f"its files hold {held}")
    if not facts.fetches and advice is None:
        parts.append("set its may_be_empty where that is right")
    return ": ".join(parts[:2]) + "".join(f"; {part}" for part in parts[2:])


def _advice(source: SourceConfig, example: RejectExample) -> str | None:
    """The setting that would mend it, where the example shows one."""
    if example.reason == NO_TEXT and source.format in ROW_FORMATS:
        names = [name for name in _fields_found(example.message) if name != source.fields.url]
        if names:
            return f"set sources.{source.name}.fields.text: {_likeliest(names)}"
    return None


def _fields_found(message: str) -> list[str]:
    found = message.partition("fields found: ")[2]
    return [] if found in ("", "none") else found.split(", ")


def _likeliest(names: Sequence[str]) -> str:
    lowered = {name.lower(): name for name in reversed(names)}
    for usual in NAMES["text"]:
        if usual in lowered:
            return lowered[usual]
    for usual in NAMES["text"]:
        for name in names:
            if usual in name.lower():
                return name
    return names[0]
