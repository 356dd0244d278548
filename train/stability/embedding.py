"""A smaller gradient into the token embedding (GLM-130B, Zeng et al. 2022, section 2.2).

What the forward pass computes stays as it is: the paper's sum of a scaled and a detached part would round.
"""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn


def scale_embedding_gradient(model: nn.Module, factor: float) -> None:
    """Multiply the gradient that reaches the embedding as input; what a tied head adds stays whole."""

    def on_output(module: nn.Module, inputs: Any, output: Tensor) -> None:
        if output.requires_grad:
            output.register_hook(lambda gradient: gradient * factor)  # type: ignore[no-untyped-call]

    embedding = model.get_submodule("embedding")
    embedding.register_forward_hook(on_output)
