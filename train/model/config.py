"""The shape of a model; no torch here, so a recipe is judged before torch starts."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from schemas.settings import Settings


class ModelConfig(Settings):
    """One Transformer. The defaults are GPT-2's choices at a size for tests.

    The family fixes the shape: t5 is an encoder and a decoder, bert an encoder, others decoders.
    """

    family: Literal["gpt2", "llama", "t5", "bert"] = "gpt2"
    vocab_size: int = Field(default=50_257, gt=0)
    max_positions: int = Field(default=1024, gt=0)
    width: int = Field(default=64, gt=0)
    layers: int = Field(default=2, gt=0)
    heads: int = Field(default=2, gt=0)
    kv_heads: int | None = Field(default=None, gt=0, description="None: as many as heads")
    head_dim: int | None = Field(default=None, gt=0, description="None: width over heads")
    mlp_width: int | None = Field(default=None, gt=0, description="None: four times the width")
    positions: Literal["learned", "rotary", "relative"] = "learned"
    rotary_base: float = Field(default=10_000.0, gt=0)
    relative_buckets: int = Field(default=32, gt=1)
    relative_distance: int = Field(default=128, gt=1, description="in tokens, the last bucket")
    token_types: int = Field(default=2, gt=0, description="segment embeddings of bert")
    norm: Literal["layernorm", "rmsnorm"] = "layernorm"
    norm_eps: float = Field(default=1e-5, gt=0)
    activation: Literal["gelu_tanh", "gelu", "relu", "swiglu", "geglu"] = "gelu_tanh"
    bias: bool = True
    tied_head: bool = True
    dropout: float = Field(default=0.0, ge=0, lt=1)
    init_std: float = Field(default=0.02, gt=0)
    attend_across_documents: bool = Field(
        default=False, description="let tokens of a row see other documents in it"
    )

    @model_validator(mode="after")
    def _divides(self) -> Self:
        if (self.family == "t5") != (self.positions == "relative"):
            raise ValueError("relative positions belong to the family t5, and to it alone")
        if self.head_dim is None and self.width % self.heads:
            raise ValueError(f"width {self.width} is not a multiple of {self.heads} heads")
        if self.heads % self.num_kv_heads:
            raise ValueError(f"{self.heads} heads are no multiple of {self.num_kv_heads} kv_heads")
        if self.positions == "rotary" and self.head_width % 2:
            raise ValueError(f"rotary positions need an even head width, got {self.head_width}")
        return self

    @property
    def head_width(self) -> int:
        """Width of one head."""
        return self.head_dim or self.width // self.heads

    @property
    def num_kv_heads(self) -> int:
        """Heads of keys and values."""
        return self.kv_heads or self.heads

    @property
    def hidden_width(self) -> int:
        """Width inside the MLP."""
        return self.mlp_width or 4 * self.width

    @property
    def is_gated(self) -> bool:
        """Whether the MLP multiplies two projections (Shazeer 2020)."""
        return self.activation in ("swiglu", "geglu")

    def num_parameters(self) -> int:
        """Exact number of parameters; the tied head counts once."""
        if self.family == "t5":
            return self._num_t5_parameters()
        bias, width, hidden = int(self.bias), self.width, self.hidden_width
        attention = self._attention_parameters()
        ups = 2 if self.is_gated else 1
        mlp = (ups + 1) * width * hidden + bias * (ups * hidden + width)
        norm = width * (2 if self.norm == "layernorm" else 1)
        embeddings = self.vocab_size * width * (1 if self.tied_head else 2)
        places = self.max_positions * width if self.positions == "learned" else 0
        blocks = self.layers * (attention + mlp + 2 * norm)
        if self.family == "bert":
            # Pooler, transform with its norm, output bias, next sentence.
            heads = 2 * (width * width + width) + norm + self.vocab_size + 2 * width + 2
            return embeddings + places + self.token_types * width + norm + blocks + heads
        return embeddings + places + blocks + norm

    def _attention_parameters(self) -> int:
        inner, kv_width = self.heads * self.head_width, self.num_kv_heads * self.head_width
        matrices = 2 * self.width * inner + 2 * self.width * kv_width
        return matrices + int(self.bias) * (inner + 2 * kv_width + self.width)

    def _num_t5_parameters(self) -> int:
        mlp = (3 if self.is_gated else 2) * self.width * self.hidden_width
        attention = self._attention_parameters()
        encoder = attention + mlp + 2 * self.width
        decoder = 2 * attention + mlp + 3 * self.width
        embeddings = self.vocab_size * self.width * (1 if self.tied_head else 2)
        tables = 2 * self.relative_buckets * self.heads
        return embeddings + self.layers * (encoder + decoder) + tables + 2 * self.width

    def flops_per_token(self, seq_len: int) -> int:
        """Of forward and backward: 6 per matrix weight, 12 per layer, width and token attended.

        Source: Chowdhery et al. 2022 (PaLM), appendix B.
        """
        places = self.max_positions * self.width if self.positions == "learned" else 0
        matrices = self.num_parameters() - places
        if not self.tied_head:
            matrices -= self.vocab_size * self.width
        return 6 * matrices + 12 * self.layers * self.width * seq_len
