"""`certificate.json` at the end of a run: what it has read, as exactly as its weights depend on it.

The counters are part of each checkpoint, so they are those of the steps that the weights have seen: a run that
went back has forgotten what it read in vain.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any, Self

from schemas.fingerprints import canonical_json, sha256_hex
from schemas.plain_json import json_text
from train.batch.losses import StepTotals
from train.checkpoint.durable import replace_text
from train.checkpoint.index import WEIGHTS_NAME, read_index
from train.checkpoint.state_file import index_sha256
from train.loop.plan import RunPlan

CERTIFICATE_NAME = "certificate.json"


@dataclass(kw_only=True)
class Consumed:
    """Tokens that the steps of a run have read, without padding.

    Attributes:
        tokens_by_source: Of all steps.
        tokens_without_update: Of those whose update was left out.
        steps_without_update: Number of these steps.
        is_complete: Whether it was counted from the first step; not so for runs that an earlier version began.
    """

    tokens_by_source: dict[str, int] = field(default_factory=dict)
    tokens_without_update: int = 0
    steps_without_update: int = 0
    is_complete: bool = True

    def count(self, totals: StepTotals, *, is_skipped: bool) -> None:
        """Take in a step."""
        tokens = {name: round(count) for name, count in totals.tokens_by_source.items()}
        for name, count in tokens.items():
            self.tokens_by_source[name] = self.tokens_by_source.get(name, 0) + count
        if is_skipped:
            self.steps_without_update += 1
            self.tokens_without_update += sum(tokens.values())

    def state(self) -> dict[str, Any]:
        """What a checkpoint keeps, as JSON."""
        return {**vars(self), "tokens_by_source": dict(self.tokens_by_source)}

    @classmethod
    def of_state(cls, state: dict[str, Any] | None, *, step: int) -> Self:
        """What a checkpoint kept; one of an earlier version has counted nothing."""
        if state is None:
            return cls(is_complete=step == 0)
        return cls(**{**state, "tokens_by_source": dict(state["tokens_by_source"])})


def joined_ranges(ranges: Iterable[tuple[int, int]]) -> list[list[int]]:
    """Ranges `[start, end)` in their order, neighbours as one."""
    found: list[list[int]] = []
    for start, end in ranges:
        if found and found[-1][1] == start:
            found[-1][1] = end
        elif end > start:
            found.append([start, end])
    return found


def sample_ranges(plan: RunPlan) -> list[list[int]]:
    """The samples that all steps of a run read."""
    spans = (plan.span(step) for step in range(plan.total_steps))
    return joined_ranges((span.start, span.start + span.count) for span in spans)


def certificate(
    plan: RunPlan,
    consumed: Consumed,
    *,
    manifests: Iterable[tuple[int, str]],
    checkpoint: Path,
    last_event: str,
) -> dict[str, Any]:
    """What a run has read, with its own SHA-256.

    Args:
        plan: With what was jumped over.
        consumed: What was counted.
        manifests: First sample and root of each.
        checkpoint: The last one.
        last_event: SHA-256 of the last event before this.
    """
    read = sample_ranges(plan)
    weights = checkpoint / WEIGHTS_NAME
    body = {
        "steps": plan.total_steps,
        "rows": plan.total_samples,
        "manifests": [{"first_sample": first, "root": root} for first, root in manifests],
        "samples_read": read,
        "samples_jumped_over": [[before[1], after[0]] for before, after in pairwise(read)],
        **consumed.state(),
        "weights_sha256": read_index(weights, sha256=index_sha256(checkpoint)).content_sha256(),
        "last_event_sha256": last_event,
    }
    return {**body, "sha256": sha256_hex(canonical_json(body))}


def write_certificate(output: Path, body: dict[str, Any]) -> None:
    """Write it into the folder of the run."""
    replace_text(output / CERTIFICATE_NAME, json_text(body, indent=1) + "\n")
