"""Grow the tensors of a model that have a row per token.

Input and output rows follow one plan: a token starts from the same pieces in both.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from schemas.vocabulary import ExtendedVocabulary
from train.vocabulary.extension import without_text
from train.vocabulary.trainable import VOCABULARY_TENSORS
from train.warm_start.config import NewRows
from train.warm_start.initial_rows import RowStart, grow_tensor, plan_rows

State = dict[str, Tensor]


@dataclass(frozen=True, kw_only=True)
class Growth:
    """The tensors of a model whose vocabulary has grown.

    Attributes:
        state: All tensors; rows of the base bit for bit as they were.
        starts: How each new row was made.
        tensors: Names of the tensors that grew.
    """

    state: State
    starts: Sequence[RowStart]
    tensors: tuple[str, ...]


def grow_vocabulary(
    state: State, extension: ExtendedVocabulary, *, rows: int, rule: NewRows, seed: int
) -> Growth:
    """Give each new token its row in the embedding, the head and the head's bias.

    Args:
        state: Tensors of the base, under our names.
        extension: The extended vocabulary, which lists the new tokens.
        rows: Number of rows of the grown tensors; at least those of the base and the ids of the extension.
        rule: How new rows are made.
        seed: Seed of the Gaussian draws.
    """
    barred = without_text(extension)
    starts = plan_rows(extension.tokens, rule, without_text=barred)
    trained = torch.tensor([i for i in range(extension.base.size) if i not in barred])
    names = tuple(name for name in VOCABULARY_TENSORS if name in state)
    grown = {
        name: grow_tensor(
            state[name], starts, rows=rows, trained=trained, seed=_tensor_seed(seed, name)
        )
        for name in names
    }
    return Growth(state={**state, **grown}, starts=starts, tensors=names)


def _tensor_seed(seed: int, name: str) -> int:
    digest = hashlib.sha256(f"new rows {seed} {name}".encode()).digest()
    return int.from_bytes(digest[:8], "little") >> 1
