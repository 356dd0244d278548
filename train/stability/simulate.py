"""Replay detectors over recorded curves: false alarms on clean ones, recall on spikes that are put in.

A curve cannot say what another decision would have led to. What is replayed is the judging: values that are
flagged stay out of the windows as in a run, batches that a policy jumps over are not judged.
"""

from __future__ import annotations

import itertools
import math
import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from train.stability.config import StabilityConfig
from train.stability.monitor import Readings, SpikeMonitor

# Steps around a step of whose differences the noise is estimated.
_AROUND = 64
# The first steps fall steeply, and most detectors are silent there.
FIRST_SPIKE = 150


@dataclass(frozen=True, kw_only=True)
class Spike:
    """A spike to put into a curve.

    Attributes:
        deviations: Height, in deviations of the curve's noise at that step.
        length: Steps that it lasts.
        signal: `loss` or `log_grad_norm`.
    """

    deviations: float
    length: int
    signal: str = "loss"


@dataclass(frozen=True, kw_only=True)
class Alarm:
    """A step that a policy would have acted on."""

    step: int
    kind: str
    reasons: tuple[str, ...]


def replay(config: StabilityConfig, curve: Sequence[Readings]) -> list[Alarm]:
    """What a policy would have flagged in a curve, step by step."""
    monitor = SpikeMonitor(config)
    alarms = []
    jump = 0
    for step, readings in enumerate(curve):
        if jump:
            jump -= 1
            continue
        finding = monitor.judge(readings)
        if finding is not None:
            alarms.append(Alarm(step=step, kind=finding.kind, reasons=finding.reasons))
            if config.action.kind == "skip_batches":
                jump = config.action.batches
    return alarms


def noise_at(values: Sequence[float], step: int) -> float:
    """The deviation of a curve's noise around a step, by differences of neighbours: a slope is no noise."""
    near = values[max(step - _AROUND, 0) : step + _AROUND]
    steps = [after - before for before, after in itertools.pairwise(near)]
    return statistics.pstdev(steps) / math.sqrt(2)


def with_spike(curve: Sequence[Readings], spike: Spike, *, at: int) -> list[Readings]:
    """The curve with a spike that begins at a step."""
    found = list(curve)
    if spike.signal == "loss":
        height = spike.deviations * noise_at([one.loss for one in curve], at)
        for step in range(at, min(at + spike.length, len(found))):
            found[step] = replace(found[step], loss=found[step].loss + height)
        return found
    logs = [math.log(one.grad_norm) for one in curve]
    height = spike.deviations * noise_at(logs, at)
    for step in range(at, min(at + spike.length, len(found))):
        found[step] = replace(found[step], grad_norm=math.exp(logs[step] + height))
    return found


def spike_steps(steps: int, count: int) -> Iterator[int]:
    """Where spikes are put, one to a replay: evenly between the first steps and the end."""
    last = steps - 2 * _AROUND
    for number in range(count):
        yield FIRST_SPIKE + (last - FIRST_SPIKE) * number // max(count - 1, 1)


def recall(
    config: StabilityConfig, curves: Sequence[Sequence[Readings]], spike: Spike, *, count: int
) -> float:
    """The share of spikes of a kind that are flagged within their length.

    Args:
        config: The policy.
        curves: Clean curves.
        spike: What is put in, one at a time.
        count: How many times it is put into each curve.
    """
    found = 0
    for curve in curves:
        monitor, positions = SpikeMonitor(config), set(spike_steps(len(curve), count))
        for step, readings in enumerate(curve):
            if step in positions:
                found += _is_flagged(
                    config, monitor, with_spike(curve, spike, at=step), step, spike
                )
            monitor.judge(readings)
    return found / max(count * len(curves), 1)


def _is_flagged(
    config: StabilityConfig,
    before: SpikeMonitor,
    curve: Sequence[Readings],
    at: int,
    spike: Spike,
) -> bool:
    monitor = SpikeMonitor(config)
    monitor.restore(before.state())
    return any(monitor.judge(one) for one in curve[at : at + spike.length])
