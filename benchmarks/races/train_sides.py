"""Sides of the training race: our model and the same one of a peer, from the same weights.

Shapes: B rows, T tokens, U target tokens.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from schemas.manifest import SpecialIds
from train.batch.batch import NO_LABEL, Batch
from train.exchange.folder import export_folder
from train.model.config import ModelConfig
from train.model.presets import resolve_model
from train.model.transformer import build_model

ROWS, TOKENS, TARGETS, MASKED_SHARE = 8, 512, 114, 0.15
PRESETS = {"gpt": "gpt2-mini", "llama": "llama-tiny", "t5": "t5-tiny", "bert": "bert-tiny"}
LR = 1e-3

Loss = Callable[[Batch], Tensor]


@dataclass(kw_only=True)
class Side:
    """One competitor: how it computes the mean loss of a batch."""

    model: nn.Module
    loss: Loss
    optimizer: torch.optim.Optimizer

    @classmethod
    def of(cls, model: nn.Module, loss: Loss) -> Side:
        """With torch's AdamW, the same on every side."""
        return cls(model=model, loss=loss, optimizer=torch.optim.AdamW(model.parameters(), lr=LR))

    def step(self, batch: Batch) -> float:
        """Forward, backward, update; the loss before it."""
        loss = self.loss(batch)
        loss.backward()  # type: ignore[no-untyped-call]
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        return loss.item()


def shape_of(family: str, vocab_size: int, dropout: float) -> ModelConfig:
    choice = {"preset": PRESETS[family], "dropout": dropout}
    return resolve_model(choice, vocab_size=vocab_size, seq_len=TOKENS)


def make_batch(family: str, vocab_size: int, seed: int) -> Batch:
    """Rows of one document each, of random ids without padding."""
    draw = torch.Generator().manual_seed(seed)
    ids = torch.randint(2, vocab_size, (ROWS, TOKENS), generator=draw)
    labels, decoder_ids, pairs = ids.roll(-1, 1), None, None
    if family == "t5":
        labels = torch.randint(2, vocab_size, (ROWS, TARGETS), generator=draw)
        decoder_ids = torch.cat((torch.zeros_like(labels[:, :1]), labels[:, :-1]), dim=1)
    elif family == "bert":
        chosen = torch.rand(ids.shape, generator=draw) < MASKED_SHARE
        labels = torch.where(chosen, ids, NO_LABEL)
        pairs = torch.randint(0, 2, (ROWS,), generator=draw)
    else:
        labels[:, -1] = NO_LABEL
    row = torch.arange(ROWS)[:, None]
    return Batch(
        input_ids=ids,
        labels=labels,
        document=torch.ones_like(ids),
        positions=torch.arange(TOKENS).expand(ROWS, TOKENS),
        segment=row.expand_as(labels),
        segment_source=torch.zeros(ROWS, dtype=torch.long),
        num_sources=1,
        is_whole=True,
        decoder_ids=decoder_ids,
        pair_labels=pairs,
        pair_weight=float((labels != NO_LABEL).sum()) / ROWS,  # the mean of one, plus that of both
    )


def our_side(config: ModelConfig) -> Side:
    """Ours; T5 starts from T5's own initialisation."""
    model = build_model(config, seed=0).train()

    def loss(batch: Batch) -> Tensor:
        sums = model(batch)
        mean: Tensor = sums.loss / sums.labels_by_source.sum()
        return mean

    return Side.of(model, loss)


def peer_inputs(family: str, batch: Batch) -> dict[str, Tensor]:
    """What a model of transformers takes for a batch."""
    inputs = {"input_ids": batch.input_ids, "labels": batch.labels}
    if family in ("gpt", "llama"):
        inputs["labels"] = batch.input_ids  # shifted inside
    elif batch.pair_labels is not None:
        inputs["next_sentence_label"] = batch.pair_labels
    return inputs


def peer_model(family: str, weights: dict[str, Tensor], config: ModelConfig) -> nn.Module:
    """The same model in transformers, loaded from our export."""
    import transformers

    kind: Any = {
        "t5": transformers.T5ForConditionalGeneration,
        "bert": transformers.BertForPreTraining,
    }.get(family, transformers.AutoModelForCausalLM)
    with tempfile.TemporaryDirectory() as folder:
        export_folder(Path(folder), weights, config, SpecialIds(pad=0, eos=1), None)
        model: nn.Module = kind.from_pretrained(folder).train()
    return model


def transformers_side(family: str, weights: dict[str, Tensor], config: ModelConfig) -> Side:
    """transformers in a plain loop, with its default attention."""
    model = peer_model(family, weights, config)
    return Side.of(model, lambda batch: model(**peer_inputs(family, batch)).loss)


def litgpt_side(weights: dict[str, Tensor], config: ModelConfig) -> Side:
    """litgpt's model and its chunked cross-entropy (needs litgpt in this Python)."""
    from litgpt.config import Config  # type: ignore[import-not-found, unused-ignore]
    from litgpt.model import GPT  # type: ignore[import-not-found, unused-ignore]
    from litgpt.utils import (  # type: ignore[import-not-found, unused-ignore]
        chunked_cross_entropy,
    )

    model = GPT(
        Config(
            block_size=TOKENS,
            n_layer=config.num_layers,
            n_embd=config.width,
            vocab_size=config.vocab_size,
            padded_vocab_size=config.vocab_size,
            n_head=config.num_heads,
            rotary_percentage=1.0,
            parallel_residual=False,
            bias=False,
            norm_class_name="RMSNorm",
            norm_eps=config.norm_eps,
            mlp_class_name="LLaMAMLP",
            intermediate_size=config.mlp_width,
        )
    ).train()
    model.load_state_dict(_litgpt_names(weights, config))

    def loss(batch: Batch) -> Tensor:
        logits = model(batch.input_ids)[:, :-1]
        mean: Tensor = chunked_cross_entropy(logits, batch.input_ids[:, 1:].contiguous())
        return mean

    return Side.of(model, loss)


def _litgpt_names(weights: dict[str, Tensor], config: ModelConfig) -> dict[str, Tensor]:
    found = {
        "transformer.wte.weight": weights["embedding.weight"],
        "transformer.ln_f.weight": weights["final_norm.weight"],
        "lm_head.weight": weights["head.weight"],
    }
    parts = {
        "norm_1": "attention_norm",
        "attn.proj": "attention.output",
        "norm_2": "mlp_norm",
        "mlp.fc_1": "mlp.gate",
        "mlp.fc_2": "mlp.up",
        "mlp.proj": "mlp.down",
    }
    for layer in range(config.num_layers):
        ours, theirs = f"blocks.{layer}", f"transformer.h.{layer}"
        joined = [weights[f"{ours}.attention.{part}.weight"] for part in ("query", "key", "value")]
        found[f"{theirs}.attn.qkv.weight"] = torch.cat(joined)
        for other, name in parts.items():
            found[f"{theirs}.{other}.weight"] = weights[f"{ours}.{name}.weight"]
    return {name: value.clone() for name, value in found.items()}
