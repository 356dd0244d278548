"""The shape of a model; no torch here, so a recipe is judged before torch starts."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from schemas.settings import Settings


class ModelConfig(Settings):
    """One Transformer. The defaults are GPT-2's choices at a size for tests.

    The family fixes the shape: t5 is an encoder and a decoder, bert an encoder, others decoders.
    """

    family: Literal["gpt2", "opt", "neox", "llama", "t5", "bert"] = "gpt2"
    vocab_size: int = Field(default=50_257, gt=0)
    max_positions: int = Field(default=1024, gt=0)
    width: int = Field(default=64, gt=0)
    layers: int = Field(default=2, gt=0)
    heads: int = Field(default=2, gt=0)
    kv_heads: int | None = Field(default=None, gt=0, description="None: as many as heads")
    head_dim: int | None = Field(default=None, gt=0, description="None: width over heads")
    mlp_width: int | None = Field(default=None, gt=0, description="None: four times the width")
    positions: Literal["learned", "sinusoidal", "rotary", "relative"] = "learned"
    position_offset: int = Field(
        default=0, ge=0, description="rows of the table before the first position; opt has 2"
    )
    rotary_fraction: float = Field(
        default=1.0, gt=0, le=1, description="share of a head that turns; neox has 0.25"
    )
    rotary_base: float = Field(default=10_000.0, gt=0)
    relative_buckets: int = Field(default=32, gt=1)
    relative_distance: int = Field(default=128, gt=1, description="in tokens, the last bucket")
    token_types: int = Field(default=2, gt=0, description="segment embeddings of bert")
    classes: int | None = Field(
        default=None, gt=1, description="bert: a head for classes of [CLS] or of tokens; null: none"
    )
    norm: Literal["layernorm", "rmsnorm", "batchnorm", "none"] = Field(
        default="layernorm", description="batchnorm counts real tokens only; none needs tfixup"
    )
    norm_place: Literal["pre", "post", "sandwich"] | None = Field(
        default=None,
        description="before each part, after each sum, or before and after each part; "
        "null: post for bert, pre otherwise",
    )
    parallel_residual: bool = Field(
        default=False, description="attention and MLP read the same input, each through its norm"
    )
    norm_eps: float = Field(default=1e-5, gt=0)
    activation: Literal["gelu_tanh", "gelu", "relu", "swiglu", "geglu"] = "gelu_tanh"
    bias: bool = True
    tied_head: bool = True
    dropout: float = Field(default=0.0, ge=0, lt=1)
    label_smoothing: float = Field(
        default=0.0, ge=0, lt=1, description="share of the target spread over all ids"
    )
    z_loss: float = Field(
        default=0.0, ge=0, description="weight of log(Z)^2, which keeps logits near zero; T5: 1e-4"
    )
    init: Literal["gpt2", "normal", "xavier", "t5", "tfixup"] | None = Field(
        default=None, description="null: t5 and normal for t5 and bert, gpt2 otherwise"
    )
    init_std: float = Field(default=0.02, gt=0)
    mup_base_width: int | None = Field(
        default=None, gt=0, description="muP: the width at which learning rates were tuned"
    )
    share_stacks: bool = Field(
        default=False,
        description="t5: the decoder's blocks use the encoder's weights, apart from the attention "
        "over the memory",
    )
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
        if self.positions == "rotary" and (self.rotary_width % 2 or not self.rotary_width):
            raise ValueError(
                f"rotary positions turn pairs: {self.rotary_width} of {self.head_width} per head"
            )
        return self

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if (self.init == "tfixup") != (self.norm == "none"):
            raise ValueError("init tfixup takes the place of norms: use it with norm none, only")
        if self.share_stacks and self.family != "t5":
            raise ValueError(f"share_stacks belongs to t5; a {self.family} has one stack")
        if self.classes is not None and self.family != "bert":
            raise ValueError("classes belong to bert; other families write them as text")
        if self.parallel_residual and (self.place != "pre" or self.family in ("t5", "bert")):
            raise ValueError("parallel_residual belongs to decoders with norms before the parts")
        if self.mup_base_width is not None and self.family in ("t5", "bert"):
            raise ValueError("mup_base_width is for decoders")
        return self

    @property
    def place(self) -> Literal["pre", "post", "sandwich"]:
        """Where the norms of a block are."""
        return self.norm_place or ("post" if self.family == "bert" else "pre")

    @property
    def has_final_norm(self) -> bool:
        """Whether a norm follows the last block; after post-norm blocks it would be a second one."""
        return self.place != "post" or self.family == "t5"

    @property
    def rotary_width(self) -> int:
        """Places of a head that rotary positions turn."""
        return int(self.head_width * self.rotary_fraction)

    @property
    def width_ratio(self) -> float:
        """Width over the base width of muP; 1 without it."""
        return self.width / self.mup_base_width if self.mup_base_width else 1.0

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
        norm = self._norm_parameters()
        embeddings = self.vocab_size * width * (1 if self.tied_head else 2)
        places = self._position_parameters()
        norms = 4 if self.place == "sandwich" else 2
        blocks = self.layers * (attention + mlp + norms * norm)
        if self.family == "bert":
            # Pooler, transform with its norm, output bias, next sentence.
            heads = 2 * (width * width + width) + norm + self.vocab_size + 2 * width + 2
            heads += (self.classes or 0) * (width + 1)
            norms = norm * (1 + int(self.has_final_norm))
            return embeddings + places + self.token_types * width + norms + blocks + heads
        return embeddings + places + blocks + int(self.has_final_norm) * norm

    def _norm_parameters(self) -> int:
        return self.width * {"layernorm": 2, "batchnorm": 2, "rmsnorm": 1, "none": 0}[self.norm]

    def _position_parameters(self) -> int:
        if self.positions != "learned":
            return 0
        return (self.max_positions + self.position_offset) * self.width

    def _attention_parameters(self) -> int:
        inner, kv_width = self.heads * self.head_width, self.num_kv_heads * self.head_width
        matrices = 2 * self.width * inner + 2 * self.width * kv_width
        return matrices + int(self.bias) * (inner + 2 * kv_width + self.width)

    def _num_t5_parameters(self) -> int:
        mlp = (3 if self.is_gated else 2) * self.width * self.hidden_width
        bias = int(self.bias)
        mlp += bias * ((2 if self.is_gated else 1) * self.hidden_width + self.width)
        attention, norm = self._attention_parameters(), self._norm_parameters()
        each = 2 if self.place == "sandwich" else 1
        encoder = attention + mlp + 2 * each * norm
        decoder = 2 * attention + mlp + 3 * each * norm
        embeddings = self.vocab_size * self.width * (1 if self.tied_head else 2)
        tables = 2 * self.relative_buckets * self.heads
        if self.share_stacks:
            decoder -= encoder
        return embeddings + self.layers * (encoder + decoder) + tables + 2 * norm

    def flops_per_token(self, seq_len: int) -> int:
        """Of forward and backward: 6 per matrix weight, 12 per layer, width and token attended.

        Source: Chowdhery et al. 2022 (PaLM), appendix B.
        """
        matrices = self.num_parameters() - self._position_parameters()
        if not self.tied_head:
            matrices -= self.vocab_size * self.width
        return 6 * matrices + 12 * self.layers * self.width * seq_len
