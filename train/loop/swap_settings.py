"""The settings of a run after a swap: what changes at once, and what holds from a step or a token on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from schemas.errors import SettingsError
from schemas.settings import parse_settings
from train.aliases import translate_recipe
from train.checkpoint.config import CHANGEABLE
from train.settings import TrainSettings

SWAPPABLE = (
    "schedule.",
    "optimizer.",
    "model.dropout",
    "model.activation",
    "batch.sequences",
    "manifest",
)
# Without a warm-up a fresh AdamW's first steps raise the loss by a quarter of a nat (a prototype's figure).
FRESH_WARMUP_STEPS = 20
BLEND_STEPS = 20


@dataclass(frozen=True, kw_only=True)
class Moment:
    """Where in a run a swap holds.

    Attributes:
        step: Updates that were made before.
        tokens: Packed tokens of the data's order before it, those that were jumped over included.
        activation: The activation until then; None where it is not known.
        total_steps: Steps of the whole run; None where they are not known.
    """

    step: int
    tokens: int = 0
    activation: str | None = None
    total_steps: int | None = None


def with_swap(
    settings: TrainSettings, overrides: Sequence[str], moment: Moment, *, blend_steps: int = 0
) -> TrainSettings:
    """The settings of a run after a swap.

    Args:
        settings: Those before.
        overrides: `dotted.key=value`, as `--set` takes them.
        moment: Where it holds.
        blend_steps: Steps in which a new activation takes over from the old one.

    Raises:
        SettingsError: A key cannot be changed while a run goes on, or its value cannot work.
    """
    keys = [override.split("=", 1)[0] for override in overrides]
    for key in keys:
        if not key.startswith(SWAPPABLE):
            raise SettingsError(
                f"{key}: cannot be swapped while a run goes on, only {', '.join(SWAPPABLE)} can; "
                "train resume --at-step opens a branch"
            )
    before = settings.model_dump(mode="json", exclude_unset=True)
    data, _ = translate_recipe(before, overrides)
    if "batch.sequences" in keys:
        data["batch"] = _batch_after(settings, data["batch"]["sequences"], moment)
    if "manifest" in keys:
        data |= _data_after(settings, data["manifest"], moment)
    if "model.activation" in keys:
        data["activation_blend"] = _blend(settings, data["model"], moment, blend_steps)
    found = parse_settings(TrainSettings, data, where="swap")
    is_new_sgd = found.optimizer.name == "sgd" != settings.optimizer.name
    if is_new_sgd and "schedule.peak_lr" not in keys:
        raise SettingsError(
            "optimizer.name sgd: the rate of another optimizer is none of sgd's; give schedule.peak_lr too"
        )
    changed = {key.split(".")[0] for key in keys}.intersection(CHANGEABLE)
    accepted = tuple(sorted(changed | {*found.checkpoint.accept_changes}))
    keeps = found.checkpoint.model_copy(update={"accept_changes": accepted})
    return found.model_copy(update={"checkpoint": keeps})


def knows_its_step(event: Mapping[str, Any]) -> bool:
    """Whether the settings after a swap also give the steps before it."""
    keys = {override.split("=", 1)[0] for override in event["overrides"]}
    return keys <= {"batch.sequences", "manifest", "model.activation"} and not event["rewarm_steps"]


def _batch_after(settings: TrainSettings, sequences: Any, moment: Moment) -> dict[str, Any]:
    """The batch as it was until the step, and another one from there."""
    batch = settings.batch.model_dump(mode="json", exclude_unset=True)
    earlier = [
        change.model_dump(mode="json")
        for change in settings.batch.changes
        if change.from_step < moment.step
    ]
    return {**batch, "changes": [*earlier, {"from_step": moment.step, "sequences": sequences}]}


def _data_after(settings: TrainSettings, manifest: Any, moment: Moment) -> dict[str, Any]:
    """The manifests that were read until the token, and another one from there to the end."""
    read: list[dict[str, Any]] = []
    for span in settings.spans:
        start = read[-1]["until_tokens"] if read else 0
        if start >= moment.tokens:
            break
        end = moment.tokens if span.until_tokens is None else min(span.until_tokens, moment.tokens)
        read.append({**span.model_dump(mode="json", exclude_unset=True), "until_tokens": end})
    spans = [*read, {"manifest": manifest}]
    return {"manifest": spans[0]["manifest"], "data": spans}


def _blend(
    settings: TrainSettings, model: dict[str, Any], moment: Moment, steps: int
) -> dict[str, Any] | None:
    """How the activation until now gives way to another one; None where they are the same."""
    running = settings.activation_blend
    if running is not None and running.from_step < moment.step < running.until_step:
        raise SettingsError(
            f"model.activation: at step {moment.step} it still blends, until step {running.until_step}"
        )
    if settings.warm_start is not None:
        raise SettingsError(
            "model.activation: the weights that the run began from say it; open a branch with another one"
        )
    after, before = str(model.get("activation")), moment.activation
    if before is None:
        return None  # it is judged where the swap is made
    gated = ("swiglu", "geglu")
    if (before in gated) != (after in gated):
        raise SettingsError(
            f"model.activation: {before} is {'' if before in gated else 'not '}gated, {after} is "
            f"{'' if after in gated else 'not '}gated: they have other weights; open a branch with new ones"
        )
    end = moment.step + steps
    if moment.total_steps is not None and end > moment.total_steps:
        raise SettingsError(
            f"model.activation: it would blend until step {end}, the run ends after {moment.total_steps}; "
            f"give --blend {max(moment.total_steps - moment.step, 0)} at most"
        )
    return {"before": before, "from_step": moment.step, "steps": steps}
