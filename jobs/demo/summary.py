"""What the demo made: `checkpoint` prints the newest checkpoint, `show` the headline figures."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from rich.console import Console

from refinery.report.write import read_report
from schemas.errors import ContractError, run_main
from schemas.terminal import open_console

OUTPUT = Path("runs/demo")


def _newest_checkpoint() -> Path:
    """The last complete checkpoint of the demo's training.

    Raises:
        ContractError: There is none.
    """
    folders = sorted((OUTPUT / "train" / "checkpoints").glob("step-*"))
    if not folders:
        raise ContractError(f"{OUTPUT / 'train' / 'checkpoints'}: no checkpoint; did training end?")
    return folders[-1]


def show(console: Console) -> None:
    """Headline figures, then the paths."""
    report = read_report(OUTPUT / "report" / "report.json")
    evaluation = json.loads((OUTPUT / "train" / "evaluation.json").read_text("utf-8"))
    train = report.packing["train"]
    console.print(
        f"{report.total('documents'):,} documents, {report.total('kept'):,} kept; "
        f"{train.packed:,} training tokens in {train.rows:,} rows of {report.seq_len}"
    )
    console.print(
        f"evaluation  {json.dumps(evaluation.get('heldout', evaluation))[:400]}", soft_wrap=True
    )
    for name, path in (
        ("report", OUTPUT / "report" / "index.html"),
        ("checkpoint", _newest_checkpoint()),
        ("manifest", OUTPUT / "dataset" / "manifest.json"),
    ):
        console.print(f"{name:<11} {path}", soft_wrap=True, highlight=False)


def main(argv: list[str]) -> int:
    """Print what the argument names."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=("checkpoint", "show"))
    if parser.parse_args(argv).what == "checkpoint":
        print(_newest_checkpoint())
    else:
        show(open_console())
    return 0


if __name__ == "__main__":
    run_main(main)
