"""The decisions that a recipe takes about documents, by name, and the settings that switch each off.

Only what the tables of a run can answer for is a decision here: verdicts, duplicates, benchmarks and
copies. What changes texts needs a run of its own, and is refused with that advice.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from refinery.filters.config import UrlConfig
from refinery.filters.rules import bounds_groups, rules_for
from refinery.recipe import Recipe, RefineSettings
from schemas.errors import SettingsError
from schemas.settings import apply_overrides, closest, parse_settings

BASE = "base"
# Joins decisions that one arm goes without.
JOIN = "+"

# Sections that change what texts there are or what they say.
_OF_TEXTS = (
    "rules.lines", "rules.pii", "rules.python", "extract", "normalize", "exclude", "sources", "vocabulary", "split",
    "packing", "dedup.dumps", "dedup.earlier",
)  # fmt: skip
# What `--arm` may set: scores, duplicates, benchmarks and copies are judged anew from the tables.
ANSWERABLE = ("clean.quality.", "clean.heads.", "dedup.", "decontaminate.action", "mixture.")


@dataclass(frozen=True, kw_only=True)
class Changes:
    """Settings below `recipe` that differ from the run's.

    Attributes:
        values: Dotted key -> value.
        disabled: Rules that do not run, beside those that the recipe has disabled already.
    """

    values: Mapping[str, Any] = field(default_factory=dict)
    disabled: frozenset[str] = frozenset()

    def joined(self, other: Changes) -> Changes:
        """Both at once; the later value holds."""
        return Changes(
            values={**self.values, **other.values}, disabled=self.disabled | other.disabled
        )


@dataclass(frozen=True, kw_only=True)
class Arm:
    """A recipe of an ablation: the run's own, with changes.

    Attributes:
        name: In the table, in the study, and of the folder of its dataset.
        decisions: Those that it goes without; empty for arms of other settings.
    """

    name: str
    changes: Changes
    decisions: tuple[str, ...] = ()


def decisions_of(recipe: Recipe) -> dict[str, Changes]:
    """Every decision that a recipe takes, by name, and what switches it off."""
    return {**_of_rules(recipe), **_of_scores(recipe), **_of_stages(recipe), **_of_mixture(recipe)}


def _of_rules(recipe: Recipe) -> dict[str, Changes]:
    rules = recipe.clean.rules
    found: dict[str, Changes] = {}
    names = dict.fromkeys(
        rule.name for label in bounds_groups(rules) for rule in rules_for(label, rules)
    )
    if names:
        found["rules"] = Changes(values={"clean.rules.enabled": False})
    for group in dict.fromkeys(name.partition(":")[0] for name in names):
        members = frozenset(name for name in names if name.startswith(f"{group}:"))
        found[f"rules.{group}"] = Changes(disabled=members)
    found.update({f"rules.{name}": Changes(disabled=frozenset({name})) for name in names})
    if rules.urls != UrlConfig():
        found["rules.urls"] = Changes(values={"clean.rules.urls": {}})
    if rules.max_removed_words is not None:
        found["rules.max_removed_words"] = Changes(values={"clean.rules.max_removed_words": None})
    for category, words in rules.word_lists.items():
        if words.action == "drop":
            key = f"clean.rules.word_lists.{category}.action"
            found[f"rules.word_lists.{category}"] = Changes(values={key: "mark"})
    language = recipe.clean.language
    if language.languages or language.min_score is not None or language.min_score_by_language:
        off: dict[str, Any] = {"languages": None, "min_score": None, "min_score_by_language": {}}
        found["language"] = Changes(
            values={f"clean.language.{key}": value for key, value in off.items()}
        )
    return found


def _of_scores(recipe: Recipe) -> dict[str, Changes]:
    found, quality = {}, recipe.clean.quality
    if any(one is not None for one in (quality.min_score, quality.pareto, quality.top)):
        keys = ("min_score", "pareto", "top")
        found["quality"] = Changes(values={f"clean.quality.{key}": None for key in keys})
    for name, head in recipe.clean.heads.items():
        bounds = ("min_score", "max_score", "pareto", "top")
        if head.action == "drop" and any(getattr(head, key) is not None for key in bounds):
            found[f"heads.{name}"] = Changes(
                values={f"clean.heads.{name}.{key}": None for key in bounds}
            )
    return found


def _of_stages(recipe: Recipe) -> dict[str, Changes]:
    found, dedup = {}, recipe.dedup
    if dedup.enabled and dedup.removes and not dedup.earlier and len(dedup.dumps or ()) < 2:
        # Marked duplicates stay, and all of a cluster lie on one side of the split: none of the
        # held-out text is trained on, as without any search it would be.
        found["dedup"] = Changes(
            values={"dedup.mode": "mark", "dedup.recurring": None, "dedup.max_source_loss": None}
        )
    if dedup.enabled and dedup.recurring is not None:
        found["dedup.recurring"] = Changes(values={"dedup.recurring": None})
    if recipe.decontaminate is not None and recipe.decontaminate.action != "mark":
        found["decontaminate"] = Changes(values={"decontaminate.action": "mark"})
    return found


def _of_mixture(recipe: Recipe) -> dict[str, Changes]:
    mixture, found = recipe.mixture, {}
    if mixture.weights is not None or mixture.temperature is not None:
        keys = ("weights", "temperature", "budget_tokens")
        found["mixture"] = Changes(values={f"mixture.{key}": None for key in keys})
    for key in ("weight_by", "rehydrate"):
        if getattr(mixture, key) is not None:
            found[f"mixture.{key}"] = Changes(values={f"mixture.{key}": None})
    return found


def arm_without(name: str, recipe: Recipe) -> Arm:
    """The recipe without a decision, or without several that `+` joins.

    Raises:
        SettingsError: The recipe takes no such decision, or the tables of a run cannot answer for it.
    """
    known, changes = decisions_of(recipe), Changes()
    parts = [part.strip() for part in name.split(JOIN)]
    for part in parts:
        # As they are written in a recipe: below `recipe`, or below `recipe.clean`.
        plain = part.removeprefix("recipe.").removeprefix("clean.")
        if plain not in known:
            raise SettingsError(f"--without {part}: {_why_not(plain, recipe, known)}")
        changes = changes.joined(known[plain])
    return Arm(name=f"without {JOIN.join(parts)}", changes=changes, decisions=tuple(parts))


def _why_not(name: str, recipe: Recipe, known: Mapping[str, Changes]) -> str:
    if name == "dedup" and recipe.dedup.enabled and recipe.dedup.removes:
        return (
            "with dedup.dumps or dedup.earlier clusters across runs are not known, so nothing can stay in; refine "
            "with dedup.enabled=false into another output, and name its manifest in the study"
        )
    if any(name == one or name.startswith(f"{one}.") for one in _OF_TEXTS):
        return (
            "changes texts, or which there are, and the tables of a run do not hold others; refine the changed recipe "
            "into another output (runtime.tables shares what is equal), and name its manifest in the study"
        )
    hint = closest(name, known) or "; `refinery ablate RECIPE --list` names those that it takes"
    return f"the recipe takes no such decision{hint}"


def arm_with(name: str, overrides: Sequence[str], *, recipe: Recipe) -> Arm:
    """An arm of other settings: `mixture.rehydrate={...}`.

    Raises:
        SettingsError: It has no settings or the base's name, or one that the tables of a run cannot answer for.
    """
    if not overrides or name == BASE:
        raise SettingsError(
            f"--arm {name}: expected a name other than '{BASE}', then KEY=VALUE ..."
        )
    values: dict[str, Any] = {}
    for override in overrides:
        key, equals, _ = override.partition("=")
        plain = key.removeprefix("recipe.")
        if not equals or not plain.startswith(ANSWERABLE):
            raise SettingsError(
                f"--arm {name} {override}: expected KEY=VALUE with a key below "
                f"{', '.join(one.rstrip('.') for one in ANSWERABLE)}; other settings change texts or rules, "
                "for which --without or a run of its own are the way"
            )
        head = plain.split(".")[2] if plain.startswith("clean.heads.") else None
        if head in recipe.clean.heads and recipe.clean.heads[head].action == "mask":
            raise SettingsError(
                f"--arm {name} {override}: the head masks paragraphs, whose scores no table holds"
            )
        values[plain] = override[len(key) + 1 :]
    return Arm(name=name, changes=Changes(values={k: _Yaml(v) for k, v in values.items()}))


class _Yaml(str):
    """A value as a user wrote it; YAML reads it."""


def changed(settings: RefineSettings, arm: Arm, *, output: str, tables: str) -> RefineSettings:
    """The settings of an arm's run, which shares the tables of the base.

    Raises:
        SettingsError: The changes do not fit the recipe.
    """
    recipe = settings.recipe
    values = dict(arm.changes.values)
    if arm.changes.disabled:
        values["clean.rules.disabled"] = [
            *recipe.clean.rules.disabled,
            *sorted(arm.changes.disabled - set(recipe.clean.rules.disabled)),
        ]
    values |= {"runtime.output": output, "runtime.tables": tables}
    overrides = [f"{_whole(key)}={_as_text(value)}" for key, value in values.items()]
    data = apply_overrides(settings.model_dump(mode="json", exclude_unset=True), overrides)
    return parse_settings(RefineSettings, data, where=f"arm '{arm.name}'")


def _whole(key: str) -> str:
    return key if key.startswith("runtime.") else f"recipe.{key}"


def _as_text(value: Any) -> str:
    return value if isinstance(value, _Yaml) else json.dumps(value, ensure_ascii=False)


def check_names(arms: Iterable[Arm]) -> None:
    """Refuse two arms of one name.

    Raises:
        SettingsError: Naming it.
    """
    seen: set[str] = set()
    for arm in arms:
        if folder_of(arm.name) in seen:
            raise SettingsError(
                f"arm '{arm.name}' is there twice; give each once, under its own name"
            )
        seen.add(folder_of(arm.name))


def folder_of(name: str) -> str:
    """The name of an arm as a folder's."""
    return "".join(char if char.isalnum() or char in "._+-" else "-" for char in name)
