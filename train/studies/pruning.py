"""Give a trial up where the same documents say that it is worse than the best one, by Wilcoxon's signed ranks.

Optuna's pruner makes the test; its own note asks for a level that is corrected for repeated looks, which is Pocock's. The
documents are read by one run of a trial, and another seed of the same settings would differ, too: a trial is only given up
where it is worse by more than seeds differ.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import fmean
from typing import Any

from train.statistics.sequential import pocock_level
from train.studies.journal import experimental_is_meant, quiet_optuna
from train.studies.outcome import Documents, Outcome

# Below this many documents no order of signs is unlikely enough.
_FEWEST_DOCUMENTS = 8


def is_worse(
    trial: Sequence[Outcome], best: Sequence[Outcome], *, alpha: float, looks: int, deviation: float
) -> bool:
    """Whether a trial is worse than the best one, both at one rung.

    Args:
        trial: Its runs, a seed each.
        best: The best trial's, of the same seeds.
        alpha: How often a trial as good as the best may be given up, over all looks.
        looks: Number of rungs.
        deviation: Standard deviation of the measure over seeds; 0 where it is not known.
    """
    one, two = _averaged(trial), _averaged(best)
    if one is None or two is None or one[0] != two[0] or len(one[1]) < _FEWEST_DOCUMENTS:
        return False
    difference = fmean(run.value for run in trial) - fmean(run.value for run in best)
    if difference <= deviation * math.sqrt(2 / len(trial)):
        return False
    return _by_signed_ranks(one[1], two[1], pocock_level(alpha, looks))


def _averaged(runs: Sequence[Outcome]) -> tuple[Any, list[float]] | None:
    """What the documents are, and each one's loss per label, averaged over seeds."""
    documents: list[Documents] = [run.documents for run in runs if run.documents is not None]
    if len(documents) < len(runs) or not documents:
        return None
    known = {(one.root, one.names, one.labels) for one in documents}
    if len(known) > 1:
        return None
    labels = documents[0].labels
    means = [
        fmean(one.losses[index] / labels[index] for one in documents)
        for index in range(len(labels))
    ]
    return known.pop(), means


def _by_signed_ranks(trial: Sequence[float], best: Sequence[float], level: float) -> bool:
    optuna = quiet_optuna()
    study = optuna.create_study()
    study.add_trial(
        optuna.trial.create_trial(value=fmean(best), intermediate_values=dict(enumerate(best)))
    )
    asked = optuna.trial.create_trial(
        state=optuna.trial.TrialState.RUNNING, intermediate_values=dict(enumerate(trial))
    )
    with experimental_is_meant():
        return bool(optuna.pruners.WilcoxonPruner(p_threshold=level).prune(study, asked))
