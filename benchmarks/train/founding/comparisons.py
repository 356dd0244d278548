"""Which arms of each founding study are held against which, in the order in which people ask."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from train.studies.settings import BASE

FOLDER = Path(__file__).parent


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Some arms beside one.

    Attributes:
        title: What is asked.
        reference: The arm that the others are held against.
        arms: The others; empty: all of the study.
    """

    title: str
    reference: str = BASE
    arms: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class FoundingStudy:
    """One study.

    Attributes:
        name: Of its file and of its lines in the record.
        base: What the base recipe is, in the words of a table.
        control: The arm that learnt nothing before what all arms share; None where no arm is.
        seconds: CPU seconds of a run, as the first ones took; records replace them in a plan.
    """

    name: str
    base: str
    comparisons: tuple[Comparison, ...]
    control: str | None
    seconds: float

    @property
    def path(self) -> Path:
        return FOLDER / f"{self.name}.yaml"


_NONE = "no pretraining"
STUDIES = (
    FoundingStudy(
        name="objectives",
        base="replace spans, 15 %, single tokens",
        control=_NONE,
        seconds=100,
        comparisons=(
            Comparison(title="Does pretraining help at all?", reference=_NONE),
            Comparison(title="Round 1: objective", reference="BERT-style", arms=("prefix LM", "deshuffling")),
            Comparison(title="Round 2: corruption", reference="BERT-style", arms=("mask", BASE, "drop")),
            Comparison(title="Round 3: density", arms=("10 %", "25 %", "50 %")),
            Comparison(
                title="Round 4: length of spans", arms=("spans of 2", "spans of 3", "spans of 5", "spans of 10")
            ),
        ),
    ),
    FoundingStudy(
        name="architectures",
        base="encoder-decoder of 2 + 2",
        control=_NONE,
        seconds=95,
        comparisons=(
            Comparison(title="Does pretraining help at all?", reference=_NONE),
            Comparison(
                title="At about equal parameters",
                arms=("prefix LM of 4", "decoder of 4", "decoder of 4, next token", "encoder-decoder, prefix LM"),
            ),
            Comparison(
                title="At about equal compute, or less",
                arms=("prefix LM of 2", "decoder of 2", "shared stacks", "encoder-decoder of 1 + 1"),
            ),
        ),
    ),
    FoundingStudy(
        name="schedules",
        base="cosine, peak 6e-3",
        control=None,
        seconds=45,
        comparisons=(Comparison(title="Warm-up, decay, clipping"),),
    ),
    FoundingStudy(
        name="depth",
        base="pre-norm, GPT-2's values, warm-up",
        control=None,
        seconds=100,
        comparisons=(
            Comparison(title="Initialisation and norm"),
            Comparison(
                title="Without warm-up: T-Fixup against Gaussian values",
                reference="T-Fixup, no warm-up",
                arms=(
                    "post-norm, Gaussian, no warm-up",
                    "pre-norm, Gaussian, no warm-up",
                    "T-Fixup, no warm-up, third of the rate",
                    "post-norm, Gaussian, no warm-up, third of the rate",
                ),
            ),
        ),
    ),
)  # fmt: skip
