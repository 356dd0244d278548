"""`train triage --step N`: was it the data, the state, or both together; and which documents."""

from __future__ import annotations

import argparse
import json
import statistics
from dataclasses import asdict
from pathlib import Path

from schemas.errors import SettingsError
from schemas.plain_json import json_text
from train.commands.arguments import add_recipe_arguments, positive, settings_of

QUARANTINE_NAME = "quarantine.jsonl"
# A segment counts as wild beyond so many median deviations of the batch's segments.
_WILD = 8.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_recipe_arguments(parser)
    parser.add_argument("--step", type=int, required=True, help="optimizer step, from 0")
    parser.add_argument(
        "--steps-back", type=positive, default=20, help="how far the earlier state lies back"
    )
    parser.add_argument(
        "--neighbours", type=positive, default=4, help="batches on either side to compare with"
    )
    parser.add_argument("--most", type=positive, default=8, help="segments that are printed")
    parser.add_argument(
        "--quarantine",
        type=Path,
        help=f"file for the worst documents; by default {QUARANTINE_NAME} in the run's folder",
    )


def run(args: argparse.Namespace) -> int:
    """Print the verdict and the worst segments; write the wild ones where the data were at fault."""
    settings = settings_of(args)
    from train.distributed.world import open_world  # torch starts only now
    from train.loop.replay import open_replay
    from train.loop.triage import triage

    with open_world(timeout_seconds=settings.step_timeout_seconds) as world:
        if world.size > 1:
            raise SettingsError(
                f"triage is one process, got {world.size} ranks; start it without torchrun"
            )
        with open_replay(settings, world) as replay:
            total = replay.run.trainer.plan.total_steps
            if not 0 < args.step < total:
                raise SettingsError(
                    f"--step {args.step}: the run has steps 1 to {total - 1} to judge"
                )
            found = triage(
                replay, args.step, steps_back=args.steps_back, neighbours=args.neighbours
            )
    print(json_text(found.as_dict()))
    for segment in found.worst[: args.most]:
        print(json_text(asdict(segment)))
    if found.verdict() in ("data", "interaction") and found.worst:
        middle = statistics.median(one.loss for one in found.worst)
        spread = statistics.median(abs(one.loss - middle) for one in found.worst)
        wild = [one for one in found.worst if one.loss > middle + _WILD * max(spread, 0.01)]
        path = args.quarantine or Path(settings.output) / QUARANTINE_NAME
        about = {"step": found.step, "verdict": found.verdict()}
        write_quarantine(path, [{**asdict(one), **about} for one in wild or found.worst[:1]])
        print(path)
    return 0


def write_quarantine(path: Path, lines: list[dict[str, object]]) -> None:
    """Append documents to a file that a recipe of the refinery takes as `exclude.documents`; each once."""
    known = set()
    if path.is_file():
        text = path.read_text(encoding="utf-8")
        known = {json.loads(line)["doc_id"] for line in text.split("\n") if line.strip()}
    fresh = {line["doc_id"]: line for line in reversed(lines) if line["doc_id"] not in known}
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="utf-8") as file:
        file.writelines(json_text(line) + "\n" for line in reversed(fresh.values()))
