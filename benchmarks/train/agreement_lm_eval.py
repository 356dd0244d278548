"""The side of lm-evaluation-harness in `benchmarks.train.evaluation_agreement`: runs in its own environment.

    ENV/bin/python agreement_lm_eval.py JOB.json

JOB.json names a model folder, a folder of task files, a task, and the result file. Nothing is fetched.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from pathlib import Path
from typing import Any


def main(job: dict[str, Any]) -> None:
    """Run the task and write the requests as strings with what they gave."""
    for name in ("HF_HUB_OFFLINE", "HF_DATASETS_OFFLINE", "TRANSFORMERS_OFFLINE"):
        os.environ[name] = "1"
    os.environ["HF_HOME"] = job["home"]
    import lm_eval
    from lm_eval.models.huggingface import HFLM
    from lm_eval.tasks import TaskManager

    model = HFLM(
        pretrained=job["model"], dtype="float32", batch_size=job["batch_size"], device="cpu"
    )
    manager = TaskManager(include_path=job["tasks_folder"], include_defaults=False)
    name = job["task"]
    seconds = 0.0
    score = model.loglikelihood

    def timed(*arguments: Any, **more: Any) -> Any:
        nonlocal seconds
        started = time.process_time()
        found = score(*arguments, **more)
        seconds += time.process_time() - started
        return found

    model.loglikelihood = timed
    found = lm_eval.simple_evaluate(
        model=model,
        tasks=[name],
        task_manager=manager,
        num_fewshot=job["shots"],
        bootstrap_iters=0,
    )
    result = {
        "cpu_seconds": seconds,
        "metrics": {
            key: value for key, value in found["results"][name].items() if isinstance(value, float)
        },
        "samples": [
            {
                "doc_id": sample["doc_id"],
                "arguments": [
                    list(one.values()) if isinstance(one, dict) else one
                    for one in _arguments(sample)
                ],
                "likelihoods": [float(one[0]) for one in sample["filtered_resps"]],
                "greedy": [str(one[1]) == "True" for one in sample["filtered_resps"]],
                "metrics": {key: sample[key] for key in sample["metrics"]},
            }
            for sample in sorted(found["samples"][name], key=lambda one: one["doc_id"])
        ],
    }
    Path(job["result"]).write_text(json.dumps(result), encoding="utf-8")


def _arguments(sample: dict[str, Any]) -> list[Any]:
    arguments = sample["arguments"]
    return list(arguments.values()) if isinstance(arguments, dict) else list(arguments)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("job", type=Path, help="JOB.json")
    main(json.loads(parser.parse_args().job.read_text(encoding="utf-8")))
