"""The decoder: embeddings, blocks, head; and the choice among the three shapes.

Shapes: B rows, T tokens, D width, V vocabulary, N labelled places.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

import torch
from torch import Tensor, nn

from train.batch import NO_LABEL, Batch, LossSums
from train.model.config import ModelConfig
from train.model.encoder import Encoder
from train.model.encoder_decoder import EncoderDecoder, init_t5
from train.model.layers import Block, LayerCache, make_norm, rotary_tables
from train.model.loss import cross_entropy_sums


class Transformer(nn.Module):
    """A decoder; parameter names are logical and the same in every layout."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        self.embedding = nn.Embedding(config.vocab_size, config.width)
        self.position: nn.Embedding | None = None
        if config.positions == "learned":
            self.position = nn.Embedding(config.max_positions, config.width)
        self.dropout = nn.Dropout(config.dropout)
        self.blocks = nn.ModuleList(Block(config) for _ in range(config.layers))
        self.final_norm = make_norm(config)
        self.head: nn.Linear | None = None
        if not config.tied_head:
            self.head = nn.Linear(config.width, config.vocab_size, bias=False)

    def forward(self, batch: Batch) -> LossSums:
        """Losses of a batch, as sums."""
        return self.sums(self.encode(batch), batch)

    def sums(self, hidden_BTD: Tensor, batch: Batch) -> LossSums:
        """Losses of hidden states, as sums."""
        labels = batch.labels.reshape(-1)
        places = torch.nonzero(labels != NO_LABEL).squeeze(1)
        chosen_ND = hidden_BTD.flatten(0, 1)[places]
        loss, losses = cross_entropy_sums(chosen_ND, self.head_weight(), labels[places])
        return LossSums.of(loss, losses, places, batch)

    def encode(self, batch: Batch) -> Tensor:
        """Hidden states [B, T, D] before the head."""
        return self.finish(self.through(self.blocks, self.begin(batch), batch))

    def begin(self, batch: Batch) -> Tensor:
        """What the first block reads, [B, T, D]."""
        return self._embedded(batch.input_ids, batch.positions)

    def through(self, blocks: Iterable[nn.Module], x_BTD: Tensor, batch: Batch) -> Tensor:
        """Some of the blocks; pipeline stages have no others."""
        mask = None
        if batch.visible is not None or not (batch.is_whole or self.config.attend_across_documents):
            mask = document_mask(batch.document, batch.visible)
        rotary = self._rotary(batch.positions)
        for block in blocks:
            x_BTD = block(x_BTD, mask, rotary)
        return x_BTD

    def finish(self, x_BTD: Tensor) -> Tensor:
        """Hidden states [B, T, D] after the last block."""
        return self.final_norm(x_BTD)  # type: ignore[no-any-return]

    def decode(
        self, ids_BT: Tensor, positions_BT: Tensor, mask: Tensor, cache: list[LayerCache]
    ) -> Tensor:
        """Logits [B, V] after the last of some new tokens.

        Args:
            ids_BT: Tokens that the cache has not seen.
            positions_BT: Their positions.
            mask: [B, 1, T, all tokens], true where a new token may look.
            cache: One of each block; grows by T.
        """
        return self._run(ids_BT, positions_BT, mask, cache)[:, -1] @ self.head_weight().T

    def _run(
        self,
        ids_BT: Tensor,
        positions_BT: Tensor,
        mask: Tensor | None,
        cache: list[LayerCache] | None,
    ) -> Tensor:
        x_BTD = self._embedded(ids_BT, positions_BT)
        rotary = self._rotary(positions_BT)
        for layer, block in enumerate(self.blocks):
            x_BTD = block(x_BTD, mask, rotary, None if cache is None else cache[layer])
        return self.final_norm(x_BTD)  # type: ignore[no-any-return]

    def _embedded(self, ids_BT: Tensor, positions_BT: Tensor) -> Tensor:
        x_BTD = self.embedding(ids_BT)
        if self.position is not None:
            x_BTD = x_BTD + self.position(positions_BT)
        return self.dropout(x_BTD)  # type: ignore[no-any-return]

    def _rotary(self, positions_BT: Tensor) -> tuple[Tensor, Tensor] | None:
        if self.config.positions != "rotary":
            return None
        return rotary_tables(positions_BT, self.config.head_width, self.config.rotary_base)

    def logits(self, batch: Batch) -> Tensor:
        """Logits [B, T, V] of every place; for evaluation of few tokens."""
        return self.encode(batch) @ self.head_weight().T

    def head_weight(self) -> Tensor:
        """[V, D], the embedding where they are tied."""
        return self.embedding.weight if self.head is None else self.head.weight


def document_mask(document_BT: Tensor, visible_BT: Tensor | None = None) -> Tensor:
    """[B, 1, T, T]: earlier tokens of the same document; padding looks at itself.

    Every row keeps one true entry: a row of none would turn softmax into NaN. Tokens that are
    `visible` are seen by earlier ones too (prefix language model, Raffel et al. 2020, figure 4).
    """
    tokens = document_BT.shape[1]
    causal = torch.ones(tokens, tokens, dtype=torch.bool, device=document_BT.device).tril()
    same = document_BT[:, :, None] == document_BT[:, None, :]
    allowed = causal if visible_BT is None else causal | visible_BT[:, None, :]
    return (same & allowed)[:, None]


Model = Transformer | EncoderDecoder | Encoder


def make_model(config: ModelConfig) -> Model:
    """The shape of a family, with torch's initial values."""
    match config.family:
        case "t5":
            return EncoderDecoder(config)
        case "bert":
            return Encoder(config)
        case _:
            return Transformer(config)


def build_model(config: ModelConfig, *, seed: int) -> Model:
    """A model with its family's initialisation, a function of the seed alone.

    Decoders start as GPT-2, BERT normal with `init_std` everywhere, T5 as `init_t5` says.

    Weights are normal with `init_std`; matrices that write into the residual stream are divided by
    the root of twice the layers (Radford et al. 2019); biases are zero, norms one.
    """
    model = make_model(config)
    generator = torch.Generator().manual_seed(seed)
    if isinstance(model, EncoderDecoder):
        init_t5(model, config, generator)
        return model
    shrink = 1.0 if config.family == "bert" else math.sqrt(2 * config.layers)
    residual_std = config.init_std / shrink
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if parameter.ndim < 2:
                if name.endswith("bias"):
                    parameter.zero_()
                continue
            is_output = name.endswith(("attention.output.weight", "mlp.down.weight"))
            std = residual_std if is_output else config.init_std
            parameter.normal_(0.0, std, generator=generator)
    return model
