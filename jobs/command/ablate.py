"""`refinery ablate RECIPE --without dedup --without rules.repetition`: which decision pays.

Makes a dataset without each decision from the tables of the recipe's finished run, a table of what each
removes and costs, and a study that `python -m train study` runs. `--show` joins both tables.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict
from functools import partial

from rich.box import SIMPLE
from rich.table import Table

from jobs.pipeline.arguments import add_recipe_arguments, add_spark_arguments, read_settings
from refinery.ablation.decisions import (
    Arm,
    arm_with,
    arm_without,
    changed,
    check_names,
    decisions_of,
)
from refinery.ablation.removals import Removal, count_removals
from refinery.ablation.table import HEAD, RESULT_NAME, Ablation, read_ablation, rows_of
from refinery.ablation.yields import FOLDER, read_study
from refinery.datasets.runs import is_run
from refinery.publish import storage
from refinery.recipe import RefineSettings
from schemas.errors import SettingsError
from schemas.terminal import open_console


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's arguments."""
    add_recipe_arguments(parser)
    add_spark_arguments(parser)
    parser.add_argument(
        "--without", action="append", default=[], metavar="DECISION",
        help="an arm without it, e.g. dedup, rules.repetition, rules.gopher:words; `+` joins several "
        "to one arm; --list names all",
    )  # fmt: skip
    parser.add_argument(
        "--arm", action="append", nargs="+", default=[], metavar=("NAME", "KEY=VALUE"),
        help="an arm of other settings, e.g. rehydrated 'mixture.rehydrate={factors: {1: 1, 2: 2}}'",
    )  # fmt: skip
    parser.add_argument("--out", help="folder or URI; default: `ablation` in the run's output")
    parser.add_argument("--train-recipe", default="demo", help="training recipe of the study")
    parser.add_argument("--seeds", type=int, default=8, help="of each arm of the study")
    parser.add_argument(
        "--tokens", type=int, help="packed tokens of each run; default: those of the smallest arm"
    )
    parser.add_argument(
        "--heldout", metavar="MANIFEST", help="judges all arms; default: the base's held-out split"
    )
    parser.add_argument(
        "--list",
        action="store_true",
        help="name the recipe's decisions, of a finished run with what each removes, and end",
    )
    parser.add_argument(
        "--show", action="store_true", help="the table, joined with what the study has found"
    )
    parser.add_argument("--json", action="store_true", help="one JSON object instead of a table")


def run(args: argparse.Namespace) -> int:
    settings = read_settings(args)
    output = args.out or storage.join_uri(settings.runtime.output, FOLDER)
    if args.list:
        _print_decisions(settings, as_json=args.json)
        return 0
    if args.show:
        _print(_made(output), as_json=args.json)
        return 0
    arms = _arms(args, settings)
    _print(_make(args, settings, arms, output), as_json=args.json)
    return 0


def _print_decisions(settings: RefineSettings, *, as_json: bool) -> None:
    """Names, one a line; of a finished run with what each removes, the most first."""
    names, output = list(decisions_of(settings.recipe)), settings.runtime.output
    found = _removals(settings) if is_run(output) else None
    if found is None:
        print(json.dumps(dict.fromkeys(names)) if as_json else "\n".join(names))
        return
    if as_json:
        print(json.dumps({name: asdict(found[name]) if name in found else None for name in names}))
        return
    table = Table(box=SIMPLE, padding=(0, 1, 0, 0))
    table.add_column("decision")
    table.add_column("documents against", justify="right")
    table.add_column("it alone", justify="right")
    for name in sorted(names, key=lambda name: -found[name].alone if name in found else 1):
        one = found.get(name)
        counts = (f"{one.against:,}", f"{one.alone:,}") if one else ("", "")
        table.add_row(name, *counts)
    open_console().print(table)


def _removals(settings: RefineSettings) -> dict[str, Removal] | None:
    """What each decision removed; None, with the reason on stderr, where the run is not that of the recipe."""
    from jobs.ablation.base import open_base  # Spark's modules take a second
    from jobs.refine import STAGES

    try:
        base = open_base(settings, STAGES)
    except SettingsError as error:
        print(f"without what each decision removes: {error}", file=sys.stderr)
        return None
    return count_removals(settings, base.store, base.records)


def _arms(args: argparse.Namespace, settings: RefineSettings) -> list[Arm]:
    """The arms that the arguments ask for, each tried on the recipe."""
    recipe = settings.recipe
    arms = [arm_without(name, recipe) for name in args.without]
    arms += [arm_with(name, overrides, recipe=recipe) for name, *overrides in args.arm]
    if not arms:
        raise SettingsError(
            "name one decision or more: --without dedup; the recipe's are "
            f"{', '.join(one for one in decisions_of(recipe) if ':' not in one)} and single rules (--list)"
        )
    if args.seeds < 1 or (args.tokens is not None and args.tokens < 1):
        raise SettingsError(f"--seeds {args.seeds}, --tokens {args.tokens}: expected 1 or more")
    check_names(arms)
    for arm in arms:
        runtime = settings.runtime
        changed(settings, arm, output=runtime.output, tables=runtime.tables_uri)  # or refused
    return arms


def _make(
    args: argparse.Namespace, settings: RefineSettings, arms: list[Arm], output: str
) -> Ablation:
    from jobs.ablation.base import open_base  # Spark's modules take a second
    from jobs.ablation.run import StudyRequest, run_ablation
    from jobs.launch import local_spark
    from jobs.refine import STAGES

    base = open_base(settings, STAGES)
    request = StudyRequest(
        recipe=args.train_recipe, seeds=args.seeds, tokens=args.tokens, heldout=args.heldout
    )
    with local_spark(output, with_ui=args.ui, conf=args.conf):
        from jobs.spark.session import build_session

        session = partial(build_session, settings.recipe.name, settings.runtime)
        return run_ablation(base, arms, output, request, session=session)


def _made(output: str) -> Ablation:
    uri = storage.join_uri(output, RESULT_NAME)
    if not storage.exists(uri):
        raise SettingsError(
            f"{uri}: nothing to show; `refinery ablate RECIPE --without DECISION` makes it"
        )
    return read_ablation(storage.read_bytes(uri), uri)


def _print(ablation: Ablation, *, as_json: bool) -> None:
    study = read_study(ablation)
    if as_json:
        print(json.dumps({**ablation.model_dump(mode="json"), "found": study}, ensure_ascii=False))
        return
    console = open_console()
    title = study["measure"]["figure"] if study else "measure"
    table = Table(box=SIMPLE, padding=(0, 1, 0, 0))
    for number, name in enumerate(HEAD):
        label = title if name == "measure" else name
        table.add_column(label, justify="left" if number in (0, len(HEAD) - 1) else "right")
    for row in rows_of(ablation, study):
        table.add_row(*row)
    console.print(table)
    for one in ablation.arms:
        if one.near_heldout:
            console.print(
                f"{one.arm}: {one.near_heldout:,} of its training documents resemble held-out ones of the base, so it "
                "is measured too well there; give --heldout a manifest of other texts",
                style="yellow", soft_wrap=True,
            )  # fmt: skip
    if study:
        print(study["verdict"])
    else:
        print(f"python -m train study {ablation.study}    # then `refinery ablate RECIPE --show`")
