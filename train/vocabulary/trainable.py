"""Train some rows of the vocabulary's tensors and leave all other rows bit for bit unchanged.

The other rows lie outside the parameter. Masking their gradients would not keep them: weight decay
and momentum move rows whose gradient is zero, and the statistics of Adafactor read them.

Shapes: V rows of the vocabulary, D width.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils import parametrize

# Tensors with one row per token in any family; a model need not have all of them.
VOCABULARY_TENSORS = ("embedding.weight", "head.weight", "head_bias", "head.bias")
_KEPT, _TRAINED = "original0", "original1"
_PREFIX = "parametrizations."


class JoinedRows(nn.Module):
    """Rows `start .. stop` from one tensor, those before and after them from another."""

    def __init__(self, start: int, stop: int) -> None:
        super().__init__()
        self.start, self.stop = start, stop
        # Saved with the rows, so that the reader of a checkpoint can join them.
        self.register_buffer("first_row", torch.tensor(start))

    def forward(self, kept: Tensor, trained: Tensor) -> Tensor:
        """[V, ...] in the order of the ids."""
        return torch.cat((kept[: self.start], trained, kept[self.start :]))

    def right_inverse(self, whole: Tensor) -> tuple[Tensor, Tensor]:
        """Split a tensor into the rows to keep and the rows to train."""
        kept = torch.cat((whole[: self.start], whole[self.stop :]))
        return kept, whole[self.start : self.stop].clone()


class WholeTable(nn.Module):
    """Replaces an embedding or a head, so that tensor parallelism does not split it.

    Only modules of torch's own classes are split. Each tensor rank holds a copy of the table, so
    the number of ranks need not divide the vocabulary.
    """

    def __init__(self, weight: nn.Parameter) -> None:
        super().__init__()
        self.weight = weight

    def forward(self, ids: Tensor) -> Tensor:
        """The rows of some ids."""
        return F.embedding(ids, self.weight)


def train_rows_only(model: nn.Module, start: int, stop: int) -> list[str]:
    """Freeze a model, except for rows `start .. stop` of its embedding, head and head's bias.

    Returns:
        The names of the tensors whose rows are trained.
    """
    model.requires_grad_(requires_grad=False)
    trained = []
    for name in VOCABULARY_TENSORS:
        owner, _, attribute = name.rpartition(".")
        module = _submodule(model, owner)
        if not isinstance(getattr(module, attribute, None), nn.Parameter):
            continue
        assert module is not None
        if isinstance(module, nn.Embedding | nn.Linear):
            module = WholeTable(nn.Parameter(module.weight.detach()))
            model.set_submodule(owner, module)
        parametrize.register_parametrization(module, attribute, JoinedRows(start, stop))
        parts = module.get_submodule(f"parametrizations.{attribute}")
        parts.get_parameter(_KEPT).requires_grad = False
        parts.get_parameter(_TRAINED).requires_grad = True
        trained.append(name)
    return trained


def _submodule(model: nn.Module, name: str) -> nn.Module | None:
    owner: object = model
    for part in filter(None, name.split(".")):
        owner = getattr(owner, part, None)
    return owner if isinstance(owner, nn.Module) else None


def merge_rows(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Whole tensors under their plain names, from a state with rows that are trained apart."""
    whole = {name: value for name, value in state.items() if _PREFIX not in name}
    for name, kept in state.items():
        if _PREFIX not in name or not name.endswith(_KEPT):
            continue
        owner, _, rest = name.rpartition(_PREFIX)
        prefix = name.removesuffix(_KEPT)
        start = int(state[f"{prefix}0.first_row"])
        trained = state[f"{prefix}{_TRAINED}"]
        attribute = rest.removesuffix(f".{_KEPT}")
        whole[f"{owner}{attribute}"] = torch.cat((kept[:start], trained, kept[start:]))
    return whole
