"""How far are published forms of models from transformers, loaded, and again after the way back?

Each form is a tiny random model that transformers makes and saves: every parameter is moved from where it begins, so
that no bias or norm is trivial. We load the folder, compare logits in fp32, export, and compare what transformers loads of
the export. Differences are the largest ones, relative to the largest logit.

    python -m benchmarks.train.published_forms
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import torch
from transformers.utils import logging

from benchmarks.record import argument_parser, record
from schemas.manifest import SpecialIds
from tests.support.published_forms import (
    FORMS,
    WRITTEN_AS,
    largest_difference,
    made,
    opened,
    our_logits,
    reload,
    their_logits,
)
from train.exchange.folder import export_folder


@torch.no_grad()
def measure(form: str, folder: Path) -> dict[str, Any]:
    """The row of a form."""
    theirs = made(form, folder / "published")
    expected = their_logits(theirs)
    ours = opened(folder / "published")
    export_folder(
        folder / "out", dict(ours.state_dict()), ours.config, SpecialIds(pad=0, eos=1), None
    )
    again = their_logits(reload(form, folder / "out"))
    kind = FORMS[form][1]
    return {
        "form": form,
        "class": kind,
        "family": ours.config.family,
        "tensors": len(dict(ours.named_parameters())),
        "logits": largest_difference(our_logits(ours), expected),
        "written_as": WRITTEN_AS.get(kind, kind),
        "round_trip": largest_difference(again, expected),
    }


def main() -> None:
    argument_parser(__doc__).parse_args()
    torch.set_num_threads(1)
    logging.disable_progress_bar()
    rows = []
    for form in FORMS:
        with tempfile.TemporaryDirectory() as name:
            rows.append(measure(form, Path(name)))
    record("published_forms", {"tolerance": 1e-5, "forms": rows})
    print("\n| form | class | logits | round trip |\n|---|---|---|---|")
    for row in rows:
        print(f"| {row['form']} | {row['class']} | {row['logits']:.1e} | {row['round_trip']:.1e} |")


if __name__ == "__main__":
    main()
