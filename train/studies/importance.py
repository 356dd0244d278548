"""How much of the spread of the trials' measure each setting explains, by optuna's PED-ANOVA (Watanabe et al. 2023)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from train.studies.journal import experimental_is_meant, quiet_optuna

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial

# With fewer trials any setting looks important.
FEWEST_TRIALS = 8


def importance(trials: Sequence[FrozenTrial]) -> dict[str, float]:
    """Share of each setting that all trials have, the largest first; empty where there are too few trials.

    Trials are compared where most of them were: at their first rung.
    """
    optuna = quiet_optuna()
    known = [one for one in trials if one.intermediate_values]
    shared = set.intersection(*(set(one.params) for one in known)) if known else set()
    if len(known) < FEWEST_TRIALS or not shared:
        return {}
    study = optuna.create_study()
    study.add_trials(
        [
            optuna.trial.create_trial(
                value=one.intermediate_values[min(one.intermediate_values)],
                params={key: one.params[key] for key in sorted(shared)},
                distributions={key: one.distributions[key] for key in sorted(shared)},
            )
            for one in known
        ]
    )
    with experimental_is_meant():
        found = optuna.importance.get_param_importances(
            study, evaluator=optuna.importance.PedAnovaImportanceEvaluator(), params=sorted(shared)
        )
    return {key: float(share) for key, share in found.items()}
