"""Which heads of a model an objective reads, and so trains; the others stay as they are."""

from __future__ import annotations

from collections.abc import Iterable

from train.objectives.config import ClassifyConfig, MaskedConfig, ObjectiveConfig, UnilmConfig

# Heads of BERT, by the first part of their tensors' names (Devlin et al. 2019, sections 3.1 and 4).
_TOKENS = ("transform", "transform_norm", "head_bias")
_POOLER, _PAIRS, _CLASSES = "pooler", "pair_head", "class_head"
_HEADS = frozenset((*_TOKENS, _POOLER, _PAIRS, _CLASSES))


def unread_tensors(names: Iterable[str], objective: ObjectiveConfig, *, family: str) -> list[str]:
    """The tensors among some that belong to heads which the objective does not read.

    Only a bert has heads that an objective may leave out. What an objective of the user's own
    reads is not known: it is taken to read all.
    """
    read = _read(objective)
    if family != "bert" or read is None:
        return []
    return [name for name in names if (head := name.split(".")[0]) in _HEADS and head not in read]


def _read(objective: ObjectiveConfig) -> frozenset[str] | None:
    match objective:
        case ClassifyConfig():
            return frozenset((_CLASSES, _POOLER) if objective.at == "cls" else (_CLASSES,))
        case MaskedConfig() | UnilmConfig():
            pairs = objective.pairs if isinstance(objective, MaskedConfig) else None
            return frozenset(_TOKENS if pairs is None else (*_TOKENS, _POOLER, _PAIRS))
        case _:
            return None
