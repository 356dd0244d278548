"""Policies that were published, by name, as settings, with where they stand and what is ours in them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from schemas.errors import SettingsError
from schemas.settings import nearest


@dataclass(frozen=True, kw_only=True)
class Policy:
    """What somebody did about spikes.

    Attributes:
        source: Where it is published.
        ours: What the source leaves open and this table fills in; empty where nothing is.
        settings: Fields of `stability`, as YAML would have them.
    """

    source: str
    ours: str = ""
    settings: dict[str, Any] = field(default_factory=dict)


POLICIES: dict[str, Policy] = {
    "olmo": Policy(
        source="OLMo-core, SkipStepOptimizer: 6 deviations over 128 steps, loss and gradient norm",
        ours="the norm's logarithm, which has no long tail to the right",
        settings={
            "detectors": [
                {"kind": "sigma", "signal": "loss", "includes_current": True},
                {"kind": "sigma", "signal": "log_grad_norm", "includes_current": True},
            ],
            "action": {"kind": "skip_update"},
        },
    ),
    "palm": Policy(
        source="PaLM (Chowdhery et al. 2022), section 5.1: some 100 steps back, 200 to 500 batches skipped",
        ours="the detectors (people looked there), and the lower number of batches",
        settings={"action": {"kind": "roll_back", "steps_back": 100, "batches": 200}},
    ),
    "opt": Policy(
        source="OPT-175B (Zhang et al. 2022), section 2.5: an earlier checkpoint and a lower rate",
        ours="detectors, distance and factor: the paper shows a curve of rates and no rule",
        settings={"action": {"kind": "roll_back", "steps_back": 100, "rate_scale": 0.7}},
    ),
    "bloom": Policy(
        source="BLOOM (BigScience 2022) and its notes on lessons learned: go back, skip the range, lower "
        "the rate; a reset optimizer spikes by itself, so its states are kept",
        ours="detectors and all numbers",
        settings={
            "action": {"kind": "roll_back", "steps_back": 50, "batches": 100, "rate_scale": 0.8}
        },
    ),
    "glm": Policy(
        source="GLM-130B (Zeng et al. 2022), section 2.2: the embedding's gradient times 0.1",
        ours="the detectors, which only note",
        settings={"action": {"kind": "note"}, "embedding_gradient_scale": 0.1},
    ),
}


def published(name: str) -> dict[str, Any]:
    """The settings of a published policy.

    Raises:
        SettingsError: There is none of that name; the message has the nearest.
    """
    if name not in POLICIES:
        raise SettingsError(f"stability.policy {name}: unknown{nearest(name, set(POLICIES))}")
    return POLICIES[name].settings
