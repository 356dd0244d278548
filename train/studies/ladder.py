"""Ladders: one recipe at several sizes and lengths, planned by a law, fitted by `train.scaling`."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, field_validator

from schemas.errors import SettingsError
from schemas.fingerprints import canonical_json, sha256_hex
from schemas.plain_json import json_text
from schemas.settings import Settings, parse_settings
from schemas.yaml_files import read_yaml
from train.checkpoint.durable import replace_text
from train.model.config import ModelConfig
from train.model.sizes import with_size
from train.scaling.points import PARAMETERS_OF_LAW
from train.studies.arms import Arm, BaseRecipe, read_base
from train.studies.folder import enter
from train.studies.judging import judged_by
from train.studies.outcome import Outcome
from train.studies.runs import StudyRun, make_run
from train.studies.settings import Budget, Changes, MeasureConfig, StudySettings
from train.studies.work import Execute, work_through

POINTS_NAME = "points.jsonl"
Counted = Literal["all", "without_embeddings"]
COUNTED_WORDS: dict[Counted, str] = {
    "all": "all parameters",
    "without_embeddings": "without the tables of tokens, positions and token types, and without an untied head",
}
_MOST_LAYERS = 128
# A shape may miss the size that was asked for by this factor.
_NEAR_ENOUGH = 1.35


class LadderSettings(Settings):
    """A ladder. Paths are relative to the working directory."""

    recipe: str = Field(description="recipe of all runs: a file, or a name of `train recipes`")
    set: Changes = Field(default_factory=dict, description="changes of the recipe for all runs")
    output: str = Field(description="folder of the ladder")
    sizes: tuple[float, ...] = Field(
        default=(3e5, 4.5e5, 6.7e5, 1e6, 1.5e6),
        min_length=3,
        description="parameters of each size, as `counted` counts; the nearest shape of the recipe's kind is taken",
    )
    tokens_per_parameter: tuple[float, ...] = Field(
        default=(2.0, 8.0),
        min_length=2,
        description="durations of each size; one alone leaves the exponents unidentifiable",
    )
    seeds: tuple[int, ...] = Field(default=(1, 2), min_length=1, description="of each run")
    counted: Counted = Field(
        default="all", description="which parameters sizes count; the exponents depend on it"
    )
    rate_exponent: float = Field(
        default=-1 / 3,
        description="the peak rate of a size is the recipe's times (size / the recipe's size) to this power "
        "(OLMo's ladder: -1/3); 0: the same rate for all",
    )
    measure: MeasureConfig = MeasureConfig()

    @field_validator("sizes", "tokens_per_parameter")
    @classmethod
    def _are_amounts(cls, values: tuple[float, ...]) -> tuple[float, ...]:
        if not all(math.isfinite(one) and one > 0 for one in values):
            raise ValueError(f"expected finite numbers above 0, got {list(values)}")
        if len(set(values)) < len(values):
            raise ValueError(f"expected numbers that differ, got {list(values)}")
        return tuple(sorted(values))


@dataclass(frozen=True, kw_only=True)
class LadderPlan:
    """What a ladder will do.

    Attributes:
        runs: Small ones first, every one with the first seed before any with the second.
        parameters: Size of each run by its name, counted as the settings say.
        measure: With the manifest whose held-out split all runs are judged on.
    """

    settings: LadderSettings
    base: BaseRecipe
    runs: tuple[StudyRun, ...]
    parameters: Mapping[str, int]
    measure: MeasureConfig

    @property
    def folder(self) -> Path:
        return Path(self.settings.output)


def load_ladder(path: Path) -> LadderSettings:
    """Read the settings of a ladder.

    Raises:
        SettingsError: With every fault.
    """
    return parse_settings(LadderSettings, read_yaml(path), where=str(path))


def plan_ladder(settings: LadderSettings) -> LadderPlan:
    """Plan a ladder; nothing is written and nothing trained.

    Raises:
        SettingsError: Runs cannot be planned, or would be too few to fit the law.
    """
    if settings.measure.figure != "heldout_loss":
        raise SettingsError(
            f"measure.figure {settings.measure.figure}: the law is one of losses; measure heldout_loss"
        )
    count = len(settings.sizes) * len(settings.tokens_per_parameter) * len(settings.seeds)
    if count <= PARAMETERS_OF_LAW:
        raise SettingsError(
            f"the ladder has {count} runs, the law {PARAMETERS_OF_LAW} numbers: give more sizes, durations or seeds"
        )
    base = _read_base(settings)
    first = make_run(
        base, Arm(name="recipe", changes={}), seed=1, tokens=10**12, folder=Path(settings.output)
    )
    shape, rate = first.phases[-1].facts.model, first.phases[-1].settings.schedule.peak_lr
    runs: list[StudyRun] = []
    parameters: dict[str, int] = {}
    for seed in settings.seeds:
        for size in settings.sizes:
            found = near_shape(shape, size, counted=settings.counted)
            count = counted_parameters(found, settings.counted)
            changes = shape_changes(found)
            if rate is not None:
                ratio = count / counted_parameters(shape, settings.counted)
                changes["schedule.peak_lr"] = rate * ratio**settings.rate_exponent
            for times in settings.tokens_per_parameter:
                arm = Arm(name=f"{_short(count)}-x{times:g}", changes=changes)
                run = make_run(
                    base, arm, seed=seed, tokens=round(times * count), folder=Path(settings.output)
                )
                if run.name in parameters:
                    raise SettingsError(
                        f"sizes: two of {list(settings.sizes)} give the same shape ({_short(count)}); give sizes that "
                        "lie farther apart, or a recipe with narrower heads"
                    )
                runs.append(run)
                parameters[run.name] = count
    measure = judged_by(settings.measure, {run.arm: run for run in runs})
    return LadderPlan(
        settings=settings, base=base, runs=tuple(runs), parameters=parameters, measure=measure
    )


def _read_base(settings: LadderSettings) -> BaseRecipe:
    """The recipe as a study reads it."""
    return read_base(
        StudySettings(
            question="ladder",
            recipe=settings.recipe,
            set=settings.set,
            output=settings.output,
            budget=Budget(tokens=1),
            arms={"none": {}},
        )
    )


def counted_parameters(shape: ModelConfig, counted: Counted) -> int:
    """The size of a model, counted in one of two ways."""
    embeddings = shape.num_embedding_parameters() if counted == "without_embeddings" else 0
    return shape.num_parameters() - embeddings


def near_shape(shape: ModelConfig, parameters: float, *, counted: Counted) -> ModelConfig:
    """The shape of another size with heads as wide, and about as wide for its depth, as the given one.

    Raises:
        SettingsError: No such shape is near the size.
    """
    best: tuple[float, ModelConfig] | None = None
    for layers in range(1, _MOST_LAYERS + 1):
        heads = 0
        while True:
            heads += shape.num_heads // shape.num_kv_heads
            tried = with_size(shape, layers=layers, heads=heads)
            size = counted_parameters(tried, counted)
            miss = abs(math.log(size / parameters))
            form = abs(math.log(tried.width / layers / (shape.width / shape.num_layers)))
            # A size that is off by a tenth is as bad as a form that is off by half.
            cost = miss + 0.25 * form
            if miss <= math.log(_NEAR_ENOUGH) and (best is None or cost < best[0]):
                best = cost, tried
            if size > parameters * _NEAR_ENOUGH:
                break
    if best is None:
        raise SettingsError(
            f"sizes: no model with heads of {shape.head_width} and a vocabulary of {shape.vocab_size:,} is near "
            f"{parameters:,.0f} parameters; give larger sizes, or a recipe with narrower heads or fewer ids"
        )
    return best[1]


def shape_changes(shape: ModelConfig) -> Changes:
    """The changes of a recipe that give a model this size."""
    names = ("num_layers", "num_heads", "num_kv_heads", "head_width", "width", "mlp_width")
    return {f"model.{name}": getattr(shape, name) for name in names}


def _short(parameters: int) -> str:
    return f"{parameters / 1e6:.3g}M"


def climb(plan: LadderPlan, execute: Execute) -> dict[str, Outcome]:
    """Do all runs, together with whoever else does, and write `points.jsonl`.

    Raises:
        SettingsError: The folder is of another ladder.
    """
    enter(plan.folder, ladder_identity(plan))
    found = work_through(plan.runs, plan.folder, execute)
    return write_points(plan, found)


def write_points(plan: LadderPlan, found: dict[str, Outcome]) -> dict[str, Outcome]:
    """Write the points of the runs that came to their end; returns the outcomes."""
    lines = [
        json_text(
            {
                "run": run.name,
                "parameters": plan.parameters[run.name],
                "tokens": found[run.name].tokens,
                "loss": found[run.name].value,
                "seed": run.seed,
            }
        )
        for run in plan.runs
        if run.name in found and found[run.name].is_done
    ]
    replace_text(plan.folder / POINTS_NAME, "".join(line + "\n" for line in lines))
    return found


def ladder_identity(plan: LadderPlan) -> dict[str, Any]:
    """What the runs of a ladder's folder share; sizes, durations and seeds may be added later."""
    settings = plan.settings
    shared = {
        "recipe": json.loads(json_text(plan.base.data)),
        "measure": plan.measure.model_dump(mode="json"),
        "budget": {"counted": settings.counted, "rate_exponent": settings.rate_exponent},
    }
    return {"of": str(plan.base.path), "sha256": sha256_hex(canonical_json(shared)), **shared}
