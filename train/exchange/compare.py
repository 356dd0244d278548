"""Our models against transformers: logits, loss and every gradient, at real positions.

transformers reads each document of a packed row alone, or through a mask of the borders: so the
comparison also shows that packing documents into rows changes nothing.

Shapes: B rows, T tokens, U target tokens, V vocabulary.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from schemas.manifest import SpecialIds
from train.batch.batch import NO_LABEL, Batch
from train.exchange.folder import export_folder
from train.exchange.names import State, to_hugging_face
from train.model.transformer import Model


@dataclass(frozen=True, kw_only=True)
class Differences:
    """Largest absolute differences, each divided by the largest value in transformers.

    Attributes:
        logits: Difference of the logits at real positions.
        loss: Difference of the summed losses.
        gradients: Differences by the gradient's name in transformers. The divisor is at least 1e-6
            of the largest gradient, for the true gradient of key biases is zero.
    """

    logits: float
    loss: float
    gradients: dict[str, float]

    @property
    def gradient(self) -> float:
        """The largest difference of any gradient."""
        return max(self.gradients.values())


def compare(model: Model, batch: Batch, *, dtype: torch.dtype = torch.float32) -> Differences:
    """Compare a model with its export, loaded by transformers."""
    theirs = load_in_transformers(model).to(dtype)
    ours = model.to(dtype)
    ours.zero_grad(set_to_none=True)
    loss = ours(batch).loss  # includes the loss of sentence pairs
    loss.backward()
    logits, mask = ours.logits(batch).detach(), batch.document > 0
    reference = _run(theirs, ours.config.family, batch)
    reference.loss.backward()  # type: ignore[no-untyped-call]
    if batch.decoder_ids is not None:
        mask = torch.ones_like(batch.decoder_ids, dtype=torch.bool)
    expected = reference.logits.detach()
    gradients = {
        name: p.grad if p.grad is not None else torch.zeros_like(p)
        for name, p in ours.named_parameters()
    }
    return Differences(
        logits=_relative(logits[mask], expected[mask]),
        loss=abs(loss.item() - reference.loss.item()) / reference.loss.item(),
        gradients=_gradients(to_hugging_face(gradients, ours.config), theirs),
    )


def load_in_transformers(model: Model) -> nn.Module:
    """The model as transformers loads our export."""
    import transformers

    kind: Any = {
        "t5": transformers.T5ForConditionalGeneration,
        "bert": transformers.BertForPreTraining,
    }.get(model.config.family, transformers.AutoModelForCausalLM)
    with tempfile.TemporaryDirectory() as folder:
        special = SpecialIds(pad=0, eos=1)
        export_folder(Path(folder), dict(model.state_dict()), model.config, special, None)
        loaded: nn.Module = kind.from_pretrained(folder, trust_remote_code=False)
    return loaded.eval()


@dataclass(frozen=True, kw_only=True)
class _Reference:
    logits: Tensor
    loss: Tensor


def _run(theirs: nn.Module, family: str, batch: Batch) -> _Reference:
    if family == "t5":
        return _run_t5(theirs, batch)
    return _run_bert(theirs, batch) if family == "bert" else _run_decoder(theirs, batch)


def _run_decoder(theirs: nn.Module, batch: Batch) -> _Reference:
    """Logits of each document, read alone."""
    rows = []
    for ids, document in zip(batch.input_ids, batch.document, strict=True):
        parts = []
        for number in range(1, int(document.max()) + 1):
            parts.append(theirs(ids[None, document == number]).logits[0])
        padding = int((document == 0).sum())
        rows.append(F.pad(torch.cat(parts), (0, 0, 0, padding)))
    logits = torch.stack(rows)
    return _Reference(logits=logits, loss=_cross_entropy(logits, batch.labels))


def _run_t5(theirs: Any, batch: Batch) -> _Reference:
    real = (batch.document > 0).long()
    # transformers uses a mask of four dimensions unchanged: true where a token may attend.
    memory = theirs.encoder(input_ids=batch.input_ids, attention_mask=_borders(batch))
    output = theirs(
        encoder_outputs=memory, attention_mask=real, decoder_input_ids=batch.decoder_ids
    )
    return _Reference(logits=output.logits, loss=_cross_entropy(output.logits, batch.labels))


def _run_bert(theirs: nn.Module, batch: Batch) -> _Reference:
    output = theirs(
        input_ids=batch.input_ids,
        attention_mask=_borders(batch),
        token_type_ids=batch.token_types,
        position_ids=batch.positions,
    )
    loss = _cross_entropy(output.prediction_logits, batch.labels)
    if batch.pair_labels is not None:
        scores = output.seq_relationship_logits
        pairs = F.cross_entropy(scores, batch.pair_labels, reduction="sum")
        loss = loss + batch.pair_weight * pairs
    return _Reference(logits=output.prediction_logits, loss=loss)


def _borders(batch: Batch) -> Tensor:
    """[B, 1, T, T], true within a document; padding attends to padding."""
    return (batch.document[:, :, None] == batch.document[:, None, :])[:, None]


def _cross_entropy(logits: Tensor, labels: Tensor) -> Tensor:
    return F.cross_entropy(
        logits.flatten(0, 1), labels.flatten(), reduction="sum", ignore_index=NO_LABEL
    )


def _gradients(ours: State, theirs: nn.Module) -> dict[str, float]:
    if "embed_out.weight" in ours:  # transformers 5 has this name in files, another in memory
        ours["lm_head.weight"] = ours["embed_out.weight"]
    expected = {n: p.grad for n, p in theirs.named_parameters() if p.grad is not None}
    largest = max(float(grad.abs().max()) for grad in expected.values())
    return {
        name: _relative(ours[name], grad, floor=1e-6 * largest) for name, grad in expected.items()
    }


def _relative(actual: Tensor, expected: Tensor, *, floor: float = 0.0) -> float:
    return float((actual - expected).abs().max()) / max(float(expected.abs().max()), floor)
