"""`train check-transfer`: the coordinate check of a recipe's kind of model, over widths and depths."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from schemas.errors import QualityGateError, SettingsError
from train.commands.arguments import add_recipe_arguments, positive, settings_of
from train.recipe_facts import judge_recipe, ranks_of

if TYPE_CHECKING:
    from train.transfer.coordinates import Coordinates

# Ids of the checked models: the table's size has no part in what is checked.
_MOST_IDS = 512


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_recipe_arguments(parser)
    parser.add_argument(
        "--factors", type=positive, nargs="+", default=[1, 2, 4, 8],
        help="how often the base width and the base depth; 1 2 4 8",
    )  # fmt: skip
    parser.add_argument("--heads", type=positive, default=2, help="of the base model; 2")
    parser.add_argument("--layers", type=positive, default=2, help="of the base model; 2")
    parser.add_argument("--steps", type=positive, default=5, help="updates of each model; 5")
    parser.add_argument("--seeds", type=positive, default=3, help="models of each size; 3")
    parser.add_argument("--rate", type=float, default=0.01, help="learning rate; 0.01")
    parser.add_argument("--page", type=Path, help="file for the drawn check")


def run(args: argparse.Namespace) -> int:
    """Print the slopes and the verdict; 4 where settings would not transfer.

    Raises:
        SettingsError: The recipe's model has no muP, or fewer than two sizes are asked for.
    """
    factors = tuple(sorted(set(args.factors)))
    if len(factors) < 2 or not args.rate > 0:
        raise SettingsError(
            f"check-transfer: a slope needs two factors and a rate above 0, got --factors {args.factors} "
            f"--rate {args.rate:g}"
        )
    settings = settings_of(args)
    shape = judge_recipe(settings, ranks_of(settings))[-1].facts.model
    if shape.plugin is not None or shape.embedding_width is not None or shape.norm == "none":
        raise SettingsError(
            "check-transfer: plug-ins, embedding_width and norm none have no parametrisation that transfers"
        )
    import torch  # only now: a misspelt setting costs no second

    from train.model.sizes import with_size
    from train.transfer.coordinates import CheckConfig, check_coordinates
    from train.transfer.page import transfer_page, verdict

    torch.set_num_threads(settings.threads or torch.get_num_threads())
    heads = args.heads * (shape.num_heads // shape.num_kv_heads)
    base = with_size(shape, layers=args.layers, heads=heads)
    base = base.model_copy(update={"vocab_size": min(base.vocab_size, _MOST_IDS)})
    checks = [
        check_coordinates(
            base,
            settings.optimizer,
            CheckConfig(
                axis=axis, factors=factors, steps=args.steps, rate=args.rate, seeds=args.seeds
            ),
        )
        for axis in ("width", "depth")
    ]
    for one in checks:
        _print(one)
        print(verdict(one))
    if args.page is not None:
        title = f"Coordinate check of a {shape.family}"
        args.page.write_text(transfer_page(title, checks), encoding="utf-8")
        print(args.page)
    return QualityGateError.exit_code if any(one.faults for one in checks) else 0


def _print(check: Coordinates) -> None:
    axis, factors = check.config.axis, check.config.factors
    print(
        f"movement after {check.config.steps} steps at {', '.join(f'{n}x' for n in factors)} the {axis}, and its slope"
    )
    print(f"{'layer':<36}{'parametrised':>12}{'standard':>10}")
    for scaled, plain in zip(check.scaled, check.standard, strict=True):
        mark = "" if scaled.transfers else "  FAIL"
        sizes = " ".join(f"{size:.3f}" for size in scaled.sizes)
        print(f"{scaled.layer:<36}{scaled.slope:>+12.2f}{plain.slope:>+10.2f}  {sizes}{mark}")
