"""Pipeline stages: parts of a model under their logical names.

Shapes: B rows, T tokens read, U tokens decoded, D width.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from schemas.errors import SettingsError
from train.batch.batch import Batch, LossSums
from train.model.encoder import Encoder
from train.model.encoder_decoder import EncoderDecoder, causal_mask
from train.model.transformer import Transformer
from train.parallel.tensor import block_lists

_TABLE = "embedding"


class KeptBlocks(nn.Module):
    """Some blocks of a list, under the numbers that they have in the whole model."""

    def __init__(self, blocks: nn.Module, kept: Iterable[int]) -> None:
        super().__init__()
        for number in kept:
            self.add_module(str(number), blocks.get_submodule(str(number)))

    def __iter__(self) -> Iterator[nn.Module]:
        return iter(self.children())


@dataclass(frozen=True, kw_only=True)
class StageCut:
    """The layers of one pipeline stage; a T5's are counted through encoder, then decoder."""

    index: int
    num_stages: int
    layers: range

    @property
    def is_first(self) -> bool:
        """Whether the stage reads the batch."""
        return self.index == 0

    @property
    def is_last(self) -> bool:
        """Whether the stage gives the loss."""
        return self.index == self.num_stages - 1


def cut_layers(num_layers: int, num_stages: int) -> list[StageCut]:
    """Cut the layers evenly; where they do not divide, the earlier stages have one more."""
    assert num_stages <= num_layers, "train.refusals leaves no stage without a layer"
    short, longer = divmod(num_layers, num_stages)
    cuts, start = [], 0
    for index in range(num_stages):
        size = short + (index < longer)
        cuts.append(StageCut(index=index, num_stages=num_stages, layers=range(start, start + size)))
        start += size
    return cuts


def count_layers(model: nn.Module) -> int:
    """The number of layers of the model; of a T5, those of encoder and decoder together."""
    return sum(len(list(blocks.children())) for blocks in block_lists(model).values())


class PipelineStage(nn.Module):
    """The forward pass of one pipeline stage; it borrows the modules of the rank's model."""

    def __init__(self, model: nn.Module, cut: StageCut) -> None:
        super().__init__()
        self.cut = cut
        # Registered under the logical names, without being one more owner of them.
        for name in needed_modules(model, cut):
            self.add_module(name.replace(".", "_"), model.get_submodule(name))
        if cut.is_last and isinstance(model, Encoder):
            self.register_parameter("head_bias", model.head_bias)
        self.__dict__["model"] = model

    def blocks_of(self, blocks: nn.Module, first: int) -> list[nn.Module]:
        """The blocks of this stage from a list whose first layer has the number `first`."""
        names = dict(blocks.named_children())
        return [names[str(n - first)] for n in self.cut.layers if str(n - first) in names]


class OneStreamStage(PipelineStage):
    """A pipeline stage of a model with one stack: a decoder or an encoder."""

    def forward(self, x: Tensor, batch: Batch) -> Tensor | LossSums:
        """Hidden states [B, T, D] for the next stage, or the losses.

        Args:
            x: The hidden states of the stage before; the first stage reads the batch instead.
            batch: The micro-batch, on every stage.
        """
        model: Any = self.model
        if self.cut.is_first:
            x = model.begin(batch)
        x = model.through(self.blocks_of(model.blocks, 0), x, batch)
        return model.sums(model.finish(x), batch) if self.cut.is_last else x


class TwoStreamStage(PipelineStage):
    """A pipeline stage of a T5: the encoder's result travels beside the decoder's hidden states."""

    def forward(self, x: Tensor, batch: Batch, memory: Tensor | None = None) -> Any:
        """(x, memory) for the next stage, or the losses.

        Until the encoder is done there is no memory, and `x` is the encoder's. Decoder ids come
        with the batch.
        """
        model: Any = self.model
        mask, memory_mask = model.masks(batch)
        depth = model.config.num_layers
        if self.cut.is_first:
            x = model.encoder.begin(model.embedding(batch.input_ids))
        encoder = self.blocks_of(model.encoder.blocks, 0) if self.cut.layers.start < depth else []
        if encoder:
            x = model.encoder.through(encoder, x, mask)
        if depth - 1 in self.cut.layers:
            memory = model.encoder.finish(x)
        if self.cut.layers.stop <= depth:
            # The encoder's last stage gives the memory alone.
            return x if memory is None else memory
        if depth in self.cut.layers:
            memory = x if memory is None else memory
            x = model.decoder.begin(model.embedding(batch.decoder_ids))
        causal = causal_mask(x.shape[1], x.device)
        decoder = self.blocks_of(model.decoder.blocks, depth)
        x = model.decoder.through(decoder, x, causal, memory, memory_mask)
        if self.cut.is_last:
            return model.sums(model.scaled(model.decoder.finish(x)), batch)
        assert memory is not None
        return x, memory.view_as(memory)


def needed_modules(model: nn.Module, cut: StageCut) -> list[str]:
    """Names of the modules that a pipeline stage uses; blocks are named one by one."""
    if isinstance(model, EncoderDecoder):
        return _needed_of_two(model, cut)
    blocks = [f"blocks.{number}" for number in cut.layers]
    outer = [name for name, _ in model.named_children() if name != "blocks"]
    first = {_TABLE, "project_in", "position", "token_type", "embedding_norm", "dropout"}
    chosen = [
        name
        for name in outer
        if (cut.is_first and name in first) or (cut.is_last and name not in first)
    ]
    tied = isinstance(model, Encoder) or bool(model.config.tied_head)  # type: ignore[union-attr]
    if cut.is_last and tied and _TABLE not in chosen:
        chosen.append(_TABLE)
    return blocks + chosen


def _needed_of_two(model: EncoderDecoder, cut: StageCut) -> list[str]:
    depth = model.config.num_layers
    chosen = []
    for stack, first in (("encoder", 0), ("decoder", depth)):
        own = [n - first for n in cut.layers if 0 <= n - first < depth]
        chosen += [f"{stack}.blocks.{number}" for number in own]
        if own:
            chosen.append(f"{stack}.relative")
        if depth - 1 in own:
            chosen.append(f"{stack}.final_norm")
    tied = model.config.tied_head
    if cut.is_first or depth in cut.layers or (cut.is_last and tied):
        chosen.append(_TABLE)
    if cut.is_last and not tied:
        chosen.append("head")
    return chosen


def keep_stages(model: nn.Module, cuts: Sequence[StageCut]) -> None:
    """Remove from a model what its stages do not use; what is left keeps its logical name."""
    needed = {name for cut in cuts for name in needed_modules(model, cut)}
    for prefix, blocks in block_lists(model).items():
        kept = [
            int(name.removeprefix(f"{prefix}."))
            for name in needed
            if name.startswith(f"{prefix}.") and name.removeprefix(f"{prefix}.").isdigit()
        ]
        owner, _, attribute = prefix.rpartition(".")
        setattr(model.get_submodule(owner), attribute, KeptBlocks(blocks, sorted(kept)))
    for name, module in list(model.named_modules()):
        owner, _, attribute = name.rpartition(".")
        has_parameters = any(True for _ in module.parameters(recurse=False))
        inside_block = ".blocks." in f".{name}."
        if name and has_parameters and not inside_block and name not in needed:
            setattr(model.get_submodule(owner), attribute, None)
    if isinstance(model, Encoder) and not any(cut.is_last for cut in cuts):
        model.register_parameter("head_bias", None)


def make_stage(model: nn.Module, cut: StageCut) -> PipelineStage:
    """Build the pipeline stage of a model, by its family."""
    if isinstance(model, EncoderDecoder):
        return TwoStreamStage(model, cut)
    if isinstance(model, Transformer | Encoder):
        return OneStreamStage(model, cut)
    raise SettingsError(f"parallel.pp: {type(model).__name__} cannot be cut into stages")


@torch.no_grad()
def stage_shapes(
    model: nn.Module, cut: StageCut, *, batch: Batch
) -> tuple[list[torch.Size], list[torch.Size]]:
    """Shapes of the tensors that come into a pipeline stage and of those that leave it."""
    width: int = model.config.width  # type: ignore[union-attr, assignment]
    rows, tokens = batch.input_ids.shape
    x = torch.Size((rows, tokens, width))
    if not isinstance(model, EncoderDecoder):
        return [x], [x]
    assert batch.decoder_ids is not None
    hidden = torch.Size((rows, batch.decoder_ids.shape[1], width))
    depth = model.config.num_layers
    comes = [x] if cut.layers.start <= depth else [hidden, x]
    leaves = [x] if cut.layers.stop <= depth else [hidden, x]
    return comes, leaves
