"""`train evaluate`: a checkpoint on the held-out split and on local tasks."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from schemas.fingerprints import canonical_json, sha256_hex
from train.commands.arguments import existing_file, not_negative, positive
from train.data.config import LoaderConfig
from train.evaluation.table import print_result

RESULT_NAME = "evaluation.json"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--checkpoint", type=Path, required=True, help="step-N, or a run's folder")
    parser.add_argument("--manifest", required=True, help="manifest with the held-out split")
    parser.add_argument(
        "--tasks",
        type=existing_file,
        nargs="*",
        default=[],
        help="JSONL task files, or the items.jsonl of a decontaminated dataset",
    )
    parser.add_argument(
        "--shots", type=not_negative, default=0, help="examples before each question"
    )
    parser.add_argument(
        "--output", type=Path, help="the JSON file; evaluation.json of the run where not given"
    )
    parser.add_argument("--max-rows", type=positive, help="read only so many held-out rows")


def run(args: argparse.Namespace) -> int:
    """Evaluate, write evaluation.json, print a table; an evaluation that is there is not redone."""
    from train.checkpoint.pointer import find_checkpoint
    from train.data.loader import shard_files
    from train.data.remote import open_manifest

    checkpoint = find_checkpoint(args.checkpoint)
    manifest = open_manifest(shard_files(args.manifest, LoaderConfig()))
    target = args.output or checkpoint.parent.parent / RESULT_NAME
    asked = {
        "checkpoint": sha256_hex((checkpoint / "state.json").read_bytes()),
        "manifest_root": manifest.root,
        "tasks": {path.stem: sha256_hex(path.read_bytes()) for path in args.tasks},
        "shots": args.shots,
        "max_rows": args.max_rows,
    }
    result = _published(target, asked)
    if result is None:
        from train.commands.evaluate_checkpoint import evaluate_checkpoint  # torch starts only now

        result = evaluate_checkpoint(args, checkpoint)
        if result is None:
            return 0  # another rank than the first
        target.parent.mkdir(parents=True, exist_ok=True)
        text = json.dumps({"asked": asked, **result}, indent=1, ensure_ascii=False)
        target.write_text(text + "\n", encoding="utf-8")
    print_result(result)
    print(target)
    return 0


def _published(target: Path, asked: dict[str, Any]) -> dict[str, Any] | None:
    """The result that answers the same question, where there is one."""
    try:
        result: dict[str, Any] = json.loads(target.read_text(encoding="utf-8"))
    except (OSError, json.JSONDecodeError):
        return None
    same = canonical_json(result.get("asked")) == canonical_json(asked)
    return result if same else None
