"""The runs of a study: each a whole recipe in a folder of its own, with what it will read and compute."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from schemas.errors import ContractError, SettingsError
from schemas.fingerprints import canonical_json, sha256_hex
from train.loop.plan import RunPlan
from train.recipe_facts import JudgedPhase, judge_recipe, ranks_of
from train.settings import TrainSettings
from train.studies.arms import Arm, BaseRecipe
from train.studies.settings import Changes

RUNS_NAME = "runs"


@dataclass(frozen=True, kw_only=True)
class RunSizes:
    """What a run reads and computes, before it starts.

    Attributes:
        tokens: Packed tokens of all phases, padding included.
        flops: Operations of all phases: 6 for each weight and token, and attention (PaLM's count).
        parameters: Of the model of the last phase.
        step_tokens: Packed tokens of a whole batch of the last phase.
        steps: Steps of the last phase.
    """

    tokens: int
    flops: float
    parameters: int
    step_tokens: int
    steps: int


@dataclass(frozen=True, kw_only=True)
class StudyRun:
    """One run: an arm with a seed.

    Attributes:
        name: Name of its folder, below `runs/` of the study.
        arm: Name of the arm.
        settings: The whole recipe; its output is the run's folder.
        phases: The recipe as it was judged, phase by phase.
        sizes: What it reads and computes.
        until_step: The step at which the run waits for a decision; None: it goes to its end.
    """

    name: str
    arm: str
    seed: int
    settings: TrainSettings
    phases: tuple[JudgedPhase, ...]
    sizes: RunSizes
    until_step: int | None = None

    @property
    def fingerprint(self) -> str:
        """What its result depends on: all settings but the folder, and the data, as a hash."""
        recipe = self.settings.model_dump(mode="json", exclude={"output", "supervision"})
        manifests = [phase.facts.manifest for phase in self.phases]
        roots = [one.root for one in manifests if one is not None]
        return sha256_hex(
            canonical_json({"recipe": recipe, "until_step": self.until_step, "roots": roots})
        )

    @property
    def tokens(self) -> int:
        """Packed tokens that it reads until it ends or waits."""
        if self.until_step is None:
            return self.sizes.tokens
        last = plan_of(self.phases[-1])
        left = last.total_samples - last.trained_samples(self.until_step)
        return self.sizes.tokens - left * last.seq_len

    @property
    def passes(self) -> float:
        """How often the last phase reads its data."""
        last = plan_of(self.phases[-1])
        return last.total_samples / last.rows_per_pass

    @property
    def flops(self) -> float:
        """Operations until it ends or waits."""
        return self.sizes.flops * self.tokens / self.sizes.tokens

    @property
    def ranks(self) -> int:
        """Number of processes that train it."""
        return ranks_of(self.settings)


def make_run(
    base: BaseRecipe, arm: Arm, *, seed: int, tokens: int, folder: Path, name: str | None = None
) -> StudyRun:
    """One run of an arm; everything about it is judged here, before anything is trained.

    Args:
        base: The recipe of all runs.
        arm: Its changes.
        seed: Of weights, order, dropout and noise.
        tokens: Where the run ends, in packed tokens; phases with an end of their own keep it.
        folder: Folder of the study.
        name: Name of the run; by default arm and seed.

    Raises:
        SettingsError: The arm is no recipe that can run.
        ContractError: A manifest or weights to start from cannot be read.
    """
    name = name or f"{arm.slug}-seed-{seed}"
    changes: Changes = {
        **arm.changes,
        "seed": seed,
        "stop": {"tokens": tokens},
        "output": str(folder / RUNS_NAME / name),
    }
    settings = base.settings(changes, where=f"{base.path}, arm {arm.name}")
    phases = tuple(judge_arm(settings, arm.name))
    return StudyRun(
        name=name,
        arm=arm.name,
        seed=seed,
        settings=settings,
        phases=phases,
        sizes=sizes_of(phases),
    )


def judge_arm(settings: TrainSettings, name: str) -> list[JudgedPhase]:
    """The judged phases of a recipe; what is wrong with it names the arm.

    Raises:
        SettingsError: The recipe cannot run.
        ContractError: A manifest or weights to start from cannot be read.
    """
    try:
        return judge_recipe(settings, ranks_of(settings))
    except ContractError as error:
        raise ContractError(f"arm {name}: {error}", entity=error.entity) from error
    except SettingsError as error:
        raise SettingsError(f"arm {name}: {error}") from error


def sizes_of(phases: Sequence[JudgedPhase]) -> RunSizes:
    """What the phases of a run read and compute together."""
    tokens, flops = 0, 0.0
    for phase in phases:
        plan = plan_of(phase)
        read = plan.total_samples * plan.seq_len
        tokens += read
        flops += read * float(phase.facts.model.flops_per_token(plan.seq_len))
    last = plan_of(phases[-1])
    return RunSizes(
        tokens=tokens,
        flops=flops,
        parameters=phases[-1].facts.model.num_parameters(),
        step_tokens=last.batch.sequences * last.seq_len,
        steps=last.total_steps,
    )


def plan_of(phase: JudgedPhase) -> RunPlan:
    """The arithmetic of a phase."""
    settings, manifest = phase.settings, phase.facts.manifest
    assert manifest is not None  # a study judges with its manifests
    return RunPlan.of(manifest, settings.batch, settings.stop, first_sample=settings.first_sample)
