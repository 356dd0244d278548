"""What a parameter is: this decides whether it decays, which update it gets and how its rate scales.

The role follows from the module that owns the parameter, in our models by its exact name, which all
parallel strategies keep; in other models by its class.
"""

from __future__ import annotations

from enum import StrEnum

from torch import Tensor, nn

_PARAMETRIZED = ".parametrizations."


class Role(StrEnum):
    """Five kinds of parameters, as optimizers tell them apart."""

    TABLE = "table"  # rows that are looked up: of tokens, positions, token types
    BIAS_TABLE = "table of biases"  # numbers that are added to scores: T5's relative positions
    HEAD = "head"  # gives logits
    HIDDEN = "matrix"  # between hidden units
    VECTOR = "vector"  # biases, and scales of norms

    @property
    def decays(self) -> bool:
        """Whether weight decay is for it: biases of any shape, and norms, are left alone."""
        return self not in (Role.VECTOR, Role.BIAS_TABLE)


_OWNERS = {
    "embedding": Role.TABLE,
    "position": Role.TABLE,
    "token_type": Role.TABLE,
    "relative": Role.BIAS_TABLE,
    "head": Role.HEAD,
    "pair_head": Role.HEAD,
    "class_head": Role.HEAD,
}


def role_of(name: str, parameter: Tensor, owner: nn.Module | None = None) -> Role:
    """The role of a parameter.

    Args:
        name: Its logical name.
        parameter: Only its number of dimensions is read.
        owner: The module that holds it, where that is known.
    """
    if parameter.ndim < 2:
        return Role.VECTOR
    path = name.partition(_PARAMETRIZED)[0] if _PARAMETRIZED in name else name.rpartition(".")[0]
    own = _OWNERS.get(path.rpartition(".")[2])
    if own is not None:
        return own
    return Role.TABLE if isinstance(owner, nn.Embedding) else Role.HIDDEN


def parameter_roles(model: nn.Module) -> dict[str, Role]:
    """The role of each parameter of a model, by its name."""
    return {
        name: role_of(name, parameter, model.get_submodule(name.rpartition(".")[0]))
        for name, parameter in model.named_parameters()
    }
