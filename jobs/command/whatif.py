"""`refinery whatif RUN --set rules...=...`: kept documents now and then, from the ledger alone.

Settings are those below `recipe.clean`, with or without that prefix; what is not set stays as the run
had it. No text is read and no Spark is started, so a setting that changes text (extraction,
normalisation, edits) cannot be answered: exit code 2 names the stage that must be run again.
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypedDict

from jobs.command.whatif_settings import changed_settings, clean_key, settings_before
from jobs.pipeline.arguments import output_named
from refinery.clean.config import CleanConfig
from refinery.publish.fetched import input_path
from refinery.whatif.judge import (
    BYTES_PER_TOKEN,
    Judge,
    Outcome,
    count_now,
    estimate_tokens,
    read_ledger,
)
from refinery.whatif.ledger import find_ledger
from refinery.whatif.top_fraction import TopBorders
from schemas.errors import SettingsError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's arguments."""
    parser.add_argument("ledger", metavar="RUN", type=output_named,
                        help="the run's recipe, its output (a folder or URI), or a ledger's Parquet files")  # fmt: skip
    parser.add_argument("--recipe", type=input_path,
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
    changed = changed_settings(settings_before(args.recipe, ledger.config), keys)
    ratios = {**ledger.bytes_per_token, **_ratios(args.bytes_per_token)}
    now, then = Outcome(), Outcome()
    files = ledger.files
    judge = Judge(changed)
    top = TopBorders(read_ledger(files, changed), changed) if changed.top_fractions else None
    # Arrow and NumPy work outside of Python's lock, so files on several cores take less time.
    with ThreadPoolExecutor(max(1, min(len(files), os.cpu_count() or 1))) as pool:
        for before, after in pool.map(lambda path: _count(path, changed, judge, top), files):
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


def _count(
    path: str, config: CleanConfig, judge: Judge, top: TopBorders | None
) -> tuple[Outcome, Outcome]:
    """The verdicts of one file's documents, as they stand and under the settings."""
    now, then = Outcome(), Outcome()
    for batch in read_ledger([path], config):
        count_now(now, batch)
        judge.count(then, batch, top=top)
    return now, then


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
