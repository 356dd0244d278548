"""An evaluation in the result format of lm-evaluation-harness 0.4, for programs that read that.

The keys are those of its `results_*.json`: `results` (figures as `acc,none` with `acc_stderr,none`),
`n-shot`, `n-samples`, `higher_is_better`, `versions`, `configs`. Figures that it does not know keep our names.
"""

from __future__ import annotations

import math
from typing import Any

from schemas.version import code_version
from train.comparison.results import BITS, Evaluation

_LOWER_IS_BETTER = {BITS, "perplexity"}


def as_lm_eval(evaluation: Evaluation) -> dict[str, Any]:
    """The results of all tasks; a task with shots has its own name, as the format has one per task."""
    tasks = {
        name.replace(", ", "_").replace(" ", "_"): task for name, task in evaluation.tasks.items()
    }
    results: dict[str, dict[str, Any]] = {}
    for name, task in tasks.items():
        figures: dict[str, Any] = {"alias": name}
        for figure, metric in task.summary["metrics"].items():
            figures[f"{figure},none"] = metric.get("value")
            error = metric.get("standard_error")
            known = error is not None and not math.isnan(error)
            figures[f"{figure}_stderr,none"] = error if known else "N/A"
        results[name] = figures
    return {
        "results": results,
        "n-shot": {name: task.summary["shots"] for name, task in tasks.items()},
        "n-samples": {
            name: {"original": task.summary["items"], "effective": task.summary["items"]}
            for name, task in tasks.items()
        },
        "higher_is_better": {
            name: {figure: figure not in _LOWER_IS_BETTER for figure in task.summary["metrics"]}
            for name, task in tasks.items()
        },
        "versions": dict.fromkeys(tasks, 1),
        "configs": {
            name: {
                "task": task.name,
                "output_type": "generate_until"
                if task.summary["kind"] == "generation"
                else "multiple_choice",
                "num_fewshot": task.summary["shots"],
            }
            for name, task in tasks.items()
        },
        "group_subtasks": {},
        "model_source": f"pretrain-refinery {code_version()}",
        "model_name": evaluation.name,
    }
