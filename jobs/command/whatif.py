"""`refinery whatif RUN --set rules...=...`: kept documents now and then, from the ledger alone.

Settings are those below `recipe.clean`, with or without that prefix; what is not set stays as the run
had it. No text is read and no Spark is started, so a setting that changes text (extraction,
normalisation, edits) cannot be answered: exit code 2 names the stage that must be run again.
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypedDict

from jobs.command.affected_stage import affected_stage
from refinery.clean.config import CleanConfig
from refinery.filters.rules import rules_for
from refinery.recipe import Recipe
from refinery.whatif.judge import (
    BYTES_PER_TOKEN,
    Outcome,
    count_now,
    count_then,
    estimate_tokens,
    read_ledger,
)
from refinery.whatif.ledger import find_ledger
from refinery.whatif.top_fraction import TopBorders
from schemas.errors import SettingsError
from schemas.settings import apply_overrides, parse_settings, read_yaml

# Parts of the settings that a ledger can answer for.
ANSWERABLE = ("language.", "quality.min_score", "quality.pareto", "quality.top", "rules.bounds", "rules.disabled", "rules.optional",
              "rules.enabled", "heads.")  # fmt: skip
NOT_LANGUAGE = ("language.model", "language.sample_chars")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's arguments."""
    parser.add_argument("ledger", metavar="RUN",
                        help="the run's runtime.output (a folder or URI), or a ledger's Parquet files")  # fmt: skip
    parser.add_argument("--recipe", type=Path,
                        help="the recipe that wrote it; default: the run's own, else the defaults")  # fmt: skip
    parser.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", dest="overrides", required=True,
        help="e.g. rules.bounds.gopher:words={minimum: 100} or quality.min_score=0.5",
    )  # fmt: skip
    parser.add_argument("--bytes-per-token", action="append", default=[], metavar="SOURCE=NUMBER",
                        help="of a source; default: measured by the dataset of the same run, else 4")  # fmt: skip
    parser.add_argument("--json", action="store_true", help="one JSON object instead of tables")


def run(args: argparse.Namespace) -> int:
    ledger = find_ledger(args.ledger)
    keys = [clean_key(override, ledger.stages) for override in args.overrides]
    changed = _changed(_settings_before(args.recipe, ledger.config), keys)
    ratios = {**ledger.bytes_per_token, **_ratios(args.bytes_per_token)}
    now, then = Outcome(), Outcome()
    files = ledger.files
    top = TopBorders(read_ledger(files, changed), changed) if changed.top_fractions else None
    # Arrow and NumPy work outside of Python's lock, so files on several cores take less time.
    with ThreadPoolExecutor(max(1, min(len(files), os.cpu_count() or 1))) as pool:
        for before, after in pool.map(lambda path: _count(path, changed, top), files):
            now.add(before)
            then.add(after)
    used = {name: round(ratios.get(name, BYTES_PER_TOKEN), 3) for name in sorted(now.documents)}
    answer: Answer = {
        "settings": args.overrides,
        "bytes_per_token": used,
        "now": _plain(now, ratios),
        "then": _plain(then, ratios),
    }
    print(json.dumps(answer, ensure_ascii=False) if args.json else _table(answer))
    return 0


def _count(path: str, config: CleanConfig, top: TopBorders | None) -> tuple[Outcome, Outcome]:
    """The verdicts of one file's documents, as they stand and under the settings."""
    now, then = Outcome(), Outcome()
    for batch in read_ledger([path], config):
        count_now(now, batch)
        count_then(then, batch, config, top=top)
    return now, then


def clean_key(override: str, stages: Sequence[str] = ()) -> str:
    """The override with its key below `recipe.clean`.

    `quality` and `heads` are parts of the recipe (what trains them) and of `clean` (what their scores
    do): without a prefix the latter is meant.

    Raises:
        SettingsError: The setting is not one that a ledger answers for; names the stage that it changes.
    """
    key, equals, value = override.partition("=")
    plain = key.removeprefix("recipe.")
    if (plain.split(".")[0] not in Recipe.model_fields and plain == key) or (
        plain == key and key.split(".")[0] in CleanConfig.model_fields
    ):
        plain = f"clean.{key}"
    name = plain.removeprefix("clean.")
    if not plain.startswith("clean.") or not _is_answerable(name):
        stage = affected_stage(f"{plain}{equals}{value}", stages) or "clean"
        raise SettingsError(
            f"--set {key}: changes what the stage '{stage}' does, which a ledger does not hold; "
            f"run the stage '{stage}' again (refinery refine --from {stage})"
        )
    return f"{name}{equals}{value}"


def _is_answerable(name: str) -> bool:
    return name.startswith(ANSWERABLE) and not name.startswith(NOT_LANGUAGE)


def _settings_before(recipe: Path | None, recorded: CleanConfig | None) -> dict[str, Any]:
    """The settings of cleaning that overrides change: the recipe's, the run's, or the defaults."""
    if recipe is not None:
        return dict(read_yaml(recipe).get("recipe", {}).get("clean") or {})
    return recorded.model_dump(mode="json") if recorded is not None else {}


def _changed(before: Mapping[str, Any], overrides: Sequence[str]) -> CleanConfig:
    """The clean settings with the overrides.

    Raises:
        SettingsError: A setting that the ledger cannot answer for, or that is none.
    """
    merged = apply_overrides({"clean": dict(before)}, [f"clean.{one}" for one in overrides])
    changed = parse_settings(CleanConfig, merged["clean"], where="--set")
    rules_for("default", changed.rules)  # names a misspelt rule
    for head, config in changed.heads.items():
        if config.action == "mask" and any(
            key.startswith((f"heads.{head}.", f"heads.{head}=")) for key in overrides
        ):
            raise SettingsError(
                f"--set heads.{head}: masks paragraphs, whose scores a ledger does not hold; "
                "run the stage 'clean' again (refinery refine --from clean)"
            )
    return changed


def _ratios(pairs: Sequence[str]) -> dict[str, float]:
    ratios = {}
    for pair in pairs:
        name, _, number = pair.partition("=")
        try:
            ratios[name] = float(number)
        except ValueError as error:
            raise SettingsError(f"--bytes-per-token {pair}: expected SOURCE=NUMBER") from error
        if ratios[name] <= 0:
            raise SettingsError(f"--bytes-per-token {pair}: must be above 0")
    return ratios


class Counts(TypedDict):
    """Documents by source, and how many each rule drops first; the commonest rule comes first."""

    documents: dict[str, int]
    kept: dict[str, int]
    tokens_estimated: dict[str, int]
    dropped_by: dict[str, int]


class Answer(TypedDict):
    """What the verb prints: verdicts of the ledger as they stand, and under the settings."""

    settings: list[str]
    bytes_per_token: dict[str, float]
    now: Counts
    then: Counts


def _plain(outcome: Outcome, ratios: dict[str, float]) -> Counts:
    return {
        "documents": dict(outcome.documents),
        "kept": dict(outcome.kept),
        "tokens_estimated": estimate_tokens(outcome, ratios),
        "dropped_by": dict(outcome.dropped_by.most_common()),
    }


def _table(answer: Answer) -> str:
    now, then = answer["now"], answer["then"]
    lines = [f"{'source':<24}{'documents':>14}{'kept now':>14}{'kept then':>14}"
             f"{'tokens now*':>18}{'tokens then*':>18}"]  # fmt: skip
    for name in sorted(now["documents"]):
        lines.append(
            f"{name:<24}{now['documents'][name]:>14,}{now['kept'][name]:>14,}"
            f"{then['kept'][name]:>14,}{now['tokens_estimated'][name]:>18,}"
            f"{then['tokens_estimated'][name]:>18,}"
        )
    lines += ["", f"{'first reason':<32}{'now':>14}{'then':>14}"]
    for name in sorted({*now["dropped_by"], *then["dropped_by"]}):
        lines.append(
            f"{name:<32}{now['dropped_by'].get(name, 0):>14,}{then['dropped_by'].get(name, 0):>14,}"
        )
    used = ", ".join(f"{name} {ratio:.2f}" for name, ratio in answer["bytes_per_token"].items())
    lines += ["", f"* estimated: bytes of kept text over the source's bytes per token ({used})"]
    return "\n".join(lines)
