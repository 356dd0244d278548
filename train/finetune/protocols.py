"""Published ways of fine-tuning, by name, as changes of a training recipe."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from schemas.errors import SettingsError
from schemas.settings import nearest


@dataclass(frozen=True, kw_only=True)
class Protocol:
    """A way of fine-tuning.

    Attributes:
        rates: Peak rates of which dev chooses one.
        sequences: Examples of a step.
        stop: The end of a run, as in a recipe.
        optimizer: As in a recipe.
        warmup_fraction: Share of the run in which the rate rises; None: the rate is constant.
        source: Where the values were published.
    """

    rates: tuple[float, ...]
    sequences: int
    stop: Mapping[str, float]
    optimizer: Mapping[str, Any]
    warmup_fraction: float | None
    source: str

    def settings(self, rate: float) -> dict[str, Any]:
        """The protocol with one of its rates, as a recipe says it: linear up, linear down to zero."""
        schedule: dict[str, Any] = {"peak_lr": rate, "lr_scheduler_type": "constant", "warmup": 0}
        if self.warmup_fraction is not None:
            schedule = {
                "peak_lr": rate,
                "lr_scheduler_type": "wsd",
                "warmup_fraction": self.warmup_fraction,
                "decay_fraction": 1 - self.warmup_fraction,
            }
        return {
            "batch": {"sequences": self.sequences},
            "stop": dict(self.stop),
            "optimizer": dict(self.optimizer),
            "schedule": schedule,
        }


def _adamw(beta2: float, weight_decay: float, eps: float = 1e-6) -> dict[str, Any]:
    return {
        "name": "adamw",
        "betas": [0.9, beta2],
        "eps": eps,
        "weight_decay": weight_decay,
        "max_grad_norm": 1.0,
    }


# torch's AdamW always corrects its bias, which BERT's own code did not: the cause of many of its
# collapsed runs (Mosbach et al. 2021, section 5).
PROTOCOLS: dict[str, Protocol] = {
    "bert": Protocol(
        rates=(5e-5, 3e-5, 2e-5),
        sequences=32,
        stop={"epochs": 3},
        optimizer=_adamw(0.999, 0.01),
        warmup_fraction=0.1,
        source="Devlin et al. 2019, appendix A.3",
    ),
    "roberta": Protocol(
        rates=(1e-5, 2e-5, 3e-5),
        sequences=16,
        stop={"epochs": 10},
        optimizer=_adamw(0.98, 0.1),
        warmup_fraction=0.06,
        source="Liu et al. 2019, appendix C",
    ),
    "mosbach": Protocol(
        rates=(2e-5,),
        sequences=16,
        stop={"epochs": 20},
        optimizer=_adamw(0.999, 0.01),
        warmup_fraction=0.1,
        source="Mosbach et al. 2021, section 6",
    ),
    "t5": Protocol(
        rates=(1e-3,),
        sequences=128,  # 2^16 tokens in rows of 512
        stop={"steps": 2**18},
        optimizer={"name": "adafactor"},
        warmup_fraction=None,
        source="Raffel et al. 2020, section 3.1.2",
    ),
}


def find_protocol(name: str) -> Protocol:
    """The protocol of a name.

    Raises:
        SettingsError: There is none; it says the nearest.
    """
    if name not in PROTOCOLS:
        raise SettingsError(f"protocol: unknown '{name}'{nearest(name, set(PROTOCOLS))}")
    return PROTOCOLS[name]
