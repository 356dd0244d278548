"""`python -m train VERB ...` and `torchrun -m train VERB ...`.

A verb's module is imported only when it is called, and a recipe is read before torch is: a
misspelt setting costs less than a second.
"""

from __future__ import annotations

import argparse
import importlib
import logging
import os
import sys

from schemas.errors import ContractError, PipelineError, SettingsError, run_main
from schemas.settings import nearest
from schemas.version import code_version
from train.checkpoint.branch import newest_good_before
from train.checkpoint.index import CheckpointDamageError
from train.report.patient_file import FULL_DISK

VERBS = {
    "pretrain": ("train.commands.pretrain", "train a model on a manifest"),
    "supervise": ("train.commands.supervise", "pretrain, watched and started again by itself"),
    "evaluate": ("train.commands.evaluate", "held-out loss and tasks of models, with intervals"),
    "compare": (
        "train.commands.compare",
        "evaluated models on the same items: who is better, how sure",
    ),
    "finetune": (
        "train.commands.finetune",
        "fine-tuning as an evaluation, by a published protocol",
    ),
    "study": (
        "train.commands.study",
        "runs that differ in named settings: searches, ablations, and what they decide",
    ),
    "plan": ("train.commands.plan", "steps, tokens and learning rates of a recipe"),
    "ladder": ("train.commands.ladder", "what a larger run will reach, from runs of several sizes"),
    "probe": ("train.commands.probe", "which data pays in the cool-down of a trunk"),
    "selftest": ("train.commands.selftest", "every parallel strategy against one process"),
    "report": ("train.commands.report", "one offline page with the curves of a run"),
    "trace": ("train.commands.trace", "the documents that a step read"),
    "recipes": ("train.commands.recipes", "the recipes that ship with the package"),
    "models": ("train.commands.models", "presets with parameters, memory and FLOPs"),
    "generate": ("train.commands.generate", "text from a run, a checkpoint or a folder"),
    "export": ("train.commands.export", "any checkpoint as a Hugging Face folder"),
    "resume": ("train.commands.resume", "a branch of a run from one of its checkpoints"),
    "check-transfer": (
        "train.commands.check_transfer",
        "whether rates of a small model hold at larger widths and depths (muP, CompleteP)",
    ),
    "merge": ("train.commands.merge", "the average of a run's last checkpoints, as a checkpoint"),
    "swap": ("train.commands.swap", "change rate, optimizer or dropout of a run that goes on"),
    "tree": ("train.commands.tree", "checkpoints and branches of a run, and what changed between"),
    "diff-env": ("train.commands.diff_env", "what differs between two environments"),
    "audit": ("train.commands.audit", "random past steps again, compared bit for bit"),
    "triage": ("train.commands.triage", "why a step spiked, and the documents that did it"),
    "score-documents": (
        "train.commands.score_documents",
        "early, late and final loss of each training document, for the refinery",
    ),
    "simulate-policies": (
        "train.commands.simulate_policies",
        "false alarms and recall of spike detectors on recorded curves",
    ),
    "upgrade": ("train.commands.upgrade", "checkpoints of version 0.2 without their pickles"),
}


def main(argv: list[str]) -> int:
    """Find the verb, give it the other arguments."""
    if not argv or argv[0] in ("-h", "--help"):
        print(_usage())
        return 0
    if argv[0] == "--version":
        print(f"train {code_version()}")
        return 0
    verb = argv[0]
    if verb not in VERBS:
        raise SettingsError(f"{verb}: unknown verb{nearest(verb, set(VERBS))}")
    level = logging.INFO if os.environ.get("RANK", "0") == "0" else logging.WARNING
    logging.basicConfig(
        level=level, stream=sys.stderr, format="%(levelname)s %(name)s: %(message)s"
    )
    module = importlib.import_module(VERBS[verb][0])
    parser = argparse.ArgumentParser(prog=f"train {verb}", description=VERBS[verb][1])
    module.add_arguments(parser)
    try:
        code: int = module.run(parser.parse_args(argv[1:]))
    except CheckpointDamageError as error:
        raise _with_the_one_before(error, argv) from error
    except OSError as error:
        if error.errno not in FULL_DISK:
            raise
        at = f"{error.filename}: " if error.filename else ""
        raise PipelineError(
            f"{at}{error.strerror}; checkpoints that were written are whole; free space and run the "
            "same command"
        ) from error
    return code


def _with_the_one_before(error: CheckpointDamageError, argv: list[str]) -> ContractError:
    """The error, and which checkpoint is good; ranks other than the first leave it to that one."""
    if os.environ.get("RANK", "0") != "0":
        return ContractError()
    good = newest_good_before(error.checkpoint)
    if good is None:
        return ContractError(f"{error}; no checkpoint before it is whole")
    is_resume = argv[0] == "pretrain" and "--from" not in argv
    advice = "go back to it with --from-last-good" if is_resume else "give that one"
    return ContractError(f"{error}; the newest good one before it is {good}: {advice}")


def _usage() -> str:
    lines = [
        "usage: python -m train VERB ...    (torchrun -m train VERB ... for several ranks)",
        "",
    ]
    return "\n".join(lines + [f"  {verb:<17} {about}" for verb, (_, about) in VERBS.items()])


if __name__ == "__main__":
    try:
        run_main(main)
    except SystemExit as leaving:
        if "RANK" in os.environ and "torch.distributed" in sys.modules:
            from train.distributed.world import leave_process

            leave_process(int(leaving.code or 0))
        raise
