"""What a run does about spikes: judge each step before its update, and carry out what the settings say."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field

from schemas.errors import PipelineError
from train.loop.interventions import Interventions
from train.loop.plan import RunPlan
from train.report.events import Events
from train.stability.config import ActionConfig, StabilityConfig
from train.stability.monitor import Finding, Readings, SpikeMonitor

logger = logging.getLogger(__name__)

SPIKE = "spike"
_MENDS_DIVERGENCE = ("note", "roll_back", "stop")


class SpikeError(PipelineError):
    """A spike after which the settings let the run end; all ranks raise it together."""


@dataclass(frozen=True, kw_only=True)
class Decision:
    """What is done about a finding.

    Attributes:
        action: What the settings say for it.
        skips_update: Whether the weights stay as they were.
    """

    step: int
    finding: Finding
    action: ActionConfig

    @property
    def skips_update(self) -> bool:
        return self.action.kind != "note"

    @property
    def leaves_stream(self) -> bool:
        """Whether other rows follow than those that are read ahead."""
        return self.action.kind in ("skip_batches", "roll_back")


@dataclass(kw_only=True)
class SpikeGuard:
    """Judges the steps of a run; every rank has one, and all of them decide the same."""

    config: StabilityConfig
    events: Events
    monitor: SpikeMonitor = field(init=False)

    def __post_init__(self) -> None:
        self.monitor = SpikeMonitor(self.config)

    def judge(self, step: int, readings: Readings, *, taken: int) -> Decision | None:
        """Judge a step before its update, and note what was found.

        Args:
            step: The step.
            readings: What is known of it.
            taken: How many actions were taken before.

        Raises:
            SpikeError: The settings say to stop, or too much was done already.
        """
        finding = self.monitor.judge(readings)
        if finding is None:
            return None
        action = self._action(finding)
        self.events.append(
            SPIKE,
            step=step,
            found=finding.kind,
            action=action.kind,
            loss=readings.loss,
            grad_norm=readings.grad_norm,
            reasons=list(finding.reasons),
            new_level=list(finding.shifted),
            sample=finding.sample,
        )
        logger.warning(
            "step %d: %s (%s); %s", step, finding.kind, "; ".join(finding.reasons), action.kind
        )
        if action.kind == "stop" or (action.kind != "note" and taken >= self.config.max_actions):
            raise SpikeError(self._farewell(step, finding, action), entity=f"step {step}")
        return Decision(step=step, finding=finding, action=action)

    def after(self, decision: Decision, before: Interventions, plan: RunPlan) -> Interventions:
        """What holds from the next step on; going back is left to the loop."""
        action, following = decision.action, decision.step + 1
        if action.kind == "note":
            return before
        found = before.counted()
        if action.kind == "skip_batches":
            found = found.with_skip(plan.skip_batches(following, action.batches))
        if action.kind == "roll_back":
            return found
        return found.with_rate(
            step=following, scale=action.rate_scale, rewarm_steps=action.rewarm_steps
        )

    def _action(self, finding: Finding) -> ActionConfig:
        if finding.kind == "not_finite":
            kind = self.config.not_finite
            if kind == self.config.action.kind:
                return self.config.action
            return ActionConfig(kind=kind)
        if finding.kind == "divergence" and self.config.action.kind not in _MENDS_DIVERGENCE:
            return ActionConfig(kind="note")  # a single update is not what it comes from
        if finding.shifted and self.config.action.kind != "stop":
            return ActionConfig(kind="note")  # it is the new level
        return self.config.action

    def _farewell(self, step: int, finding: Finding, action: ActionConfig) -> str:
        trace = f"(python -m train trace --step {step})"
        reasons = "; ".join(finding.reasons)
        if action.kind == "stop":
            return f"step {step}: {finding.kind}: {reasons}; stability says to stop {trace}"
        return (
            f"step {step}: {finding.kind}: {reasons}; {self.config.max_actions} actions were taken "
            f"already (stability.max_actions) {trace}"
        )
