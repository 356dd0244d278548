"""Start values by published laws, as settings of the recipe.

N counts parameters without the tables of the vocabulary, D the packed tokens of the run. The laws were fitted at sizes
from tens of millions on; below that they are a beginning for a search, not an answer.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from train.optim.betas import beta2_half_life
from train.studies.search_settings import HALF_LIFE, Law
from train.studies.settings import Changes

RATE, BATCH = "schedule.peak_lr", "batch.sequences"
DROPOUT, DECAY = "model.dropout", "optimizer.weight_decay"


@dataclass(frozen=True, kw_only=True)
class LawFacts:
    """What laws are functions of.

    Attributes:
        parameters: Without the tables of the vocabulary.
        tokens: Packed tokens of the run.
        seq_len: Packed tokens of a row.
    """

    parameters: int
    tokens: int
    seq_len: int

    def rows(self, batch_tokens: float) -> int:
        """A batch in rows of the dataset."""
        return max(1, round(batch_tokens / self.seq_len))


def _step_law(facts: LawFacts) -> Changes:
    """Li et al. 2025 (Step Law): rates and batches of 3,700 models of 59M to 1B."""
    return {
        RATE: 1.79 * facts.parameters**-0.713 * facts.tokens**0.307,
        BATCH: facts.rows(0.58 * facts.tokens**0.571),
    }


def _olmo_ladder(facts: LawFacts) -> Changes:
    """Bhagia et al. 2024 (OLMo ladder): half of .0047 (N / 108M)^(-1/3), batches of 2,048 x 160 (N / 108M)^(2/3) tokens."""
    size = facts.parameters / 1.08e8
    return {
        RATE: 0.0047 * size ** (-1 / 3) / 2,
        BATCH: facts.rows(2048 * 160 * size ** (2 / 3)),
        HALF_LIFE: round(beta2_half_life(0.95, 524_288)),
        DECAY: 0.1,
    }


def _t5(facts: LawFacts) -> Changes:
    """Raffel et al. 2020, section 3.1.2: inverse square root with 10,000 steps of warm-up, batches of 2^16 tokens."""
    return {RATE: 0.01, BATCH: facts.rows(2**16), DROPOUT: 0.1}


def _bert(facts: LawFacts) -> Changes:
    """Devlin et al. 2019, section A.2: 256 rows of 512 tokens, beta2 .999."""
    batch = 256 * 512
    return {
        RATE: 1e-4,
        BATCH: facts.rows(batch),
        HALF_LIFE: round(beta2_half_life(0.999, batch)),
        DROPOUT: 0.1,
        DECAY: 0.01,
    }


_LAWS: dict[Law, Callable[[LawFacts], Changes]] = {
    "step_law": _step_law,
    "olmo_ladder": _olmo_ladder,
    "t5": _t5,
    "bert": _bert,
    "recipe": lambda facts: {},
}


def start_values(law: Law, facts: LawFacts) -> Changes:
    """What a law says of the settings that it knows: dotted key -> value."""
    return _LAWS[law](facts)
