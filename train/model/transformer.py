"""The decoder, and the choice among the three kinds of models.

Shapes: B rows, T tokens, D width, V vocabulary, N labelled tokens.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn

from schemas.own_code import load_own
from train.batch.batch import NO_LABEL, Batch, LossSums
from train.model.attention import added_mask
from train.model.config import ModelConfig
from train.model.encoder import Encoder
from train.model.encoder_decoder import EncoderDecoder
from train.model.initial import init_weights
from train.model.layers import Block, LayerCache
from train.model.loss import cross_entropy_sums, penalties
from train.model.norms import make_norm, set_real_tokens
from train.model.positions import rotary_tables, sinusoids


class Transformer(nn.Module):
    """A decoder; parameters have the same names in every parallel strategy."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        row = config.embedding_width or config.width
        self.embedding = nn.Embedding(config.vocab_size, row)
        self.project_in: nn.Linear | None = None
        self.project_out: nn.Linear | None = None
        if config.embedding_width is not None:
            self.project_in = nn.Linear(row, config.width, bias=False)
            self.project_out = nn.Linear(config.width, row, bias=False)
        self.position: nn.Embedding | None = None
        if config.positions == "learned":
            rows = config.max_positions + config.position_offset
            self.position = nn.Embedding(rows, config.width)
        self.dropout = nn.Dropout(config.dropout)
        self.blocks = nn.ModuleList(Block(config) for _ in range(config.num_layers))
        self.final_norm = make_norm(config) if config.has_final_norm else nn.Identity()
        self.head: nn.Linear | None = None
        if not config.tied_head:
            self.head = nn.Linear(row, config.vocab_size, bias=False)

    def forward(self, batch: Batch) -> LossSums:
        """Sums of the losses of a batch."""
        return self.sums(self.encode(batch), batch)

    def sums(self, hidden_BTD: Tensor, batch: Batch) -> LossSums:
        """Sums of the losses, from the hidden states."""
        labels = batch.labels.reshape(-1)
        labelled = torch.nonzero(labels != NO_LABEL).squeeze(1)
        chosen_ND = hidden_BTD.flatten(0, 1)[labelled]
        loss, losses = cross_entropy_sums(
            chosen_ND, self.head_weight(), labels[labelled], extra=penalties(self.config)
        )
        return LossSums.of(loss, losses, labelled, batch)

    def encode(self, batch: Batch) -> Tensor:
        """Hidden states [B, T, D] before the head."""
        return self.finish(self.through(self.blocks, self.begin(batch), batch))

    def begin(self, batch: Batch) -> Tensor:
        """Embeddings [B, T, D] that the first block reads."""
        return self._embedded(batch.input_ids, batch.positions)

    def through(self, blocks: Iterable[nn.Module], x_BTD: Tensor, batch: Batch) -> Tensor:
        """Pass hidden states through some of the blocks: all of them, or those of a pipeline stage."""
        mask = None
        if batch.visible is not None or not (batch.is_whole or self.config.attend_across_documents):
            mask = document_mask(batch.document, batch.visible)
        if mask is not None and not (self.training and self.config.dropout):
            mask = added_mask(mask, x_BTD)
        set_real_tokens(self, batch.document)
        rotary = self._rotary(batch.positions)
        for block in blocks:
            x_BTD = block(x_BTD, mask, rotary)
        return x_BTD

    def finish(self, x_BTD: Tensor) -> Tensor:
        """Hidden states [B, T, D] after the last block."""
        x_BTD = self.final_norm(x_BTD)
        if self.project_out is not None:
            x_BTD = self.project_out(x_BTD)
        # muP divides the logits by the width ratio, so that their size does not grow with the width.
        return x_BTD if self.config.width_ratio == 1 else x_BTD / self.config.width_ratio

    def decode(
        self, ids_BT: Tensor, positions_BT: Tensor, mask: Tensor, cache: list[LayerCache]
    ) -> Tensor:
        """Logits [B, V] after the last of some new tokens.

        Args:
            ids_BT: Tokens that the cache does not hold yet.
            positions_BT: Positions of these tokens in their documents.
            mask: [B, 1, T, all tokens], true where a new token may attend.
            cache: One for each block; each grows by T.
        """
        return self.head_logits(self.states(ids_BT, positions_BT, mask, cache)[:, -1])

    def states(
        self, ids_BT: Tensor, positions_BT: Tensor, mask: Tensor, cache: list[LayerCache]
    ) -> Tensor:
        """Hidden states [B, T, D] of new tokens as the head takes them; arguments as in `decode`."""
        x_BTD = self._embedded(ids_BT, positions_BT)
        rotary = self._rotary(positions_BT)
        for layer, block in enumerate(self.blocks):
            x_BTD = block(x_BTD, mask, rotary, cache[layer])
        return self.finish(x_BTD)

    def empty_caches(self) -> list[LayerCache]:
        """A cache for each block that holds no token yet."""
        return [LayerCache() for _ in self.blocks]

    def _embedded(self, ids_BT: Tensor, positions_BT: Tensor) -> Tensor:
        x_BTD = self.embedding(ids_BT)
        if self.project_in is not None:
            x_BTD = self.project_in(x_BTD)
        if self.position is not None:
            x_BTD = x_BTD + self.position(positions_BT + self.config.position_offset)
        elif self.config.positions == "sinusoidal":
            # Vaswani et al. 2017, section 3.4: without the factor positions outweigh the tokens.
            x_BTD = x_BTD * self.config.base_width**0.5 + sinusoids(positions_BT, self.config.width)
        return self.dropout(x_BTD)  # type: ignore[no-any-return]

    def _rotary(self, positions_BT: Tensor) -> tuple[Tensor, Tensor] | None:
        if self.config.positions != "rotary":
            return None
        config = self.config
        return rotary_tables(
            positions_BT, config.rotary_width, config.rotary_base, config.rotary_scaling
        )

    def logits(self, batch: Batch) -> Tensor:
        """Logits [B, T, V] of every token; all are in memory at once."""
        return self.head_logits(self.encode(batch))

    def head_logits(self, hidden: Tensor) -> Tensor:
        """Logits [..., V] of hidden states that `encode` gave."""
        return hidden @ self.head_weight().T

    def head_weight(self) -> Tensor:
        """Matrix [V, D] of the head, which is the embedding where the head is tied."""
        return self.embedding.weight if self.head is None else self.head.weight


def document_mask(document_BT: Tensor, visible_BT: Tensor | None = None) -> Tensor:
    """[B, 1, T, T], true for a token and earlier ones of its document; padding attends to padding.

    Every row has one true entry, for softmax over none is NaN. Earlier tokens attend to tokens that
    are `visible` too (prefix language model, Raffel et al. 2020, figure 4).
    """
    tokens = document_BT.shape[1]
    causal = torch.ones(tokens, tokens, dtype=torch.bool, device=document_BT.device).tril()
    same = document_BT[:, :, None] == document_BT[:, None, :]
    allowed = causal if visible_BT is None else causal | visible_BT[:, None, :]
    return (same & allowed)[:, None]


Model = Transformer | EncoderDecoder | Encoder


def make_model(config: ModelConfig) -> Model:
    """The model of a configuration, with torch's initial values.

    A plug-in is imported; whoever reads a configuration of others asks `refuse_untrusted` before.
    """
    if config.plugin is not None:
        made: Model = load_own(config.plugin, where="model.plugin")(config, **config.options)
        return made
    match config.family:
        case "t5":
            return EncoderDecoder(config)
        case "bert":
            return Encoder(config)
        case _:
            return Transformer(config)


def build_model(config: ModelConfig, *, seed: int) -> Model:
    """The model of a configuration with its initial values, which the seed decides.

    A plug-in that is none of our classes keeps the values that it was made with.
    """
    if config.plugin is not None:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            model = make_model(config)
    else:
        model = make_model(config)
    if isinstance(model, Model):
        init_weights(model, config, torch.Generator().manual_seed(seed))
    return model
