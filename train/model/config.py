"""The shape of a model; no torch here, so a recipe is judged before torch starts."""

from __future__ import annotations

from typing import Any, Literal, Self

from pydantic import Field, model_validator

from schemas.own_code import IMPORT_PATH
from schemas.settings import Settings

# Fields whose value follows from other fields where a recipe gives none, or null.
DERIVED_FIELDS = ("num_kv_heads", "head_width", "mlp_width", "norm_position", "qkv_bias")
# Fields that came later: where they say nothing new, a shape is what it was before.
LATER_FIELDS = (
    "qkv_bias",
    "qk_norm",
    "rotary_scaling",
    "embedding_width",
    "plugin",
    "options",
    "mup_base_depth",
)


class RotaryScaling(Settings):
    """Slower turns of rotary positions, with which a model reads rows longer than it was trained on."""

    kind: Literal["linear", "llama3"] = Field(
        description="linear: all turns slower (Chen et al. 2023); llama3: slow turns alone (LLaMA 3.1)"
    )
    factor: float = Field(gt=0, description="how much slower; 8: eight times as many positions")
    low_frequency: float = Field(
        default=1.0,
        gt=0,
        description="llama3: turns in the first positions below which all is slower",
    )
    high_frequency: float = Field(
        default=4.0, gt=0, description="llama3: turns in them above which nothing is"
    )
    first_positions: int = Field(
        default=8192, gt=0, description="llama3: positions that the model was first trained on"
    )


class ModelConfig(Settings):
    """One Transformer. The defaults are GPT-2's choices at a size for tests.

    The family fixes the shape: t5 is an encoder and a decoder, bert an encoder, others decoders.
    """

    family: Literal["gpt2", "opt", "neox", "llama", "t5", "bert"] = Field(
        default="gpt2",
        description="t5: an encoder and a decoder; bert: an encoder; the others: a decoder",
    )
    vocab_size: int = Field(default=50_257, gt=0, description="rows of the embedding")
    max_positions: int = Field(
        default=1024, gt=0, description="rows of the table of learned positions"
    )
    width: int = Field(default=64, gt=0, description="of the hidden states between the blocks")
    num_layers: int = Field(default=2, gt=0, description="blocks; t5: of each of its two stacks")
    num_heads: int = Field(default=2, gt=0, description="attention heads of a block")
    num_kv_heads: int = Field(
        default_factory=lambda fields: fields["num_heads"],
        gt=0,
        description="heads of keys and values; null: num_heads. Fewer: grouped-query attention",
    )
    head_width: int = Field(
        default_factory=lambda fields: fields["width"] // fields["num_heads"],
        gt=0,
        description="width of one head; null: width over num_heads",
    )
    mlp_width: int = Field(
        default_factory=lambda fields: 4 * fields["width"],
        gt=0,
        description="width inside the MLP; null: four times the width",
    )
    positions: Literal["learned", "sinusoidal", "rotary", "relative"] = Field(
        default="learned", description="how tokens know where they stand; relative is for t5 alone"
    )
    position_offset: int = Field(
        default=0, ge=0, description="rows of the table before the first position; opt has 2"
    )
    rotary_fraction: float = Field(
        default=1.0, gt=0, le=1, description="share of a head that turns; neox has 0.25"
    )
    rotary_base: float = Field(
        default=10_000.0, gt=0, description="theta of RoPE: pair i turns by theta^(-2i/R) a token"
    )
    rotary_scaling: RotaryScaling | None = Field(
        default=None, description="slower turns of rotary positions; null: none"
    )
    num_relative_buckets: int = Field(
        default=32, gt=1, description="t5: distances between tokens share so many biases"
    )
    max_relative_distance: int = Field(
        default=128, gt=1, description="t5: tokens farther apart share the last bucket"
    )
    num_token_types: int = Field(
        default=2, gt=0, description="bert: rows of the table of token types (A and B of a pair)"
    )
    num_classes: int | None = Field(
        default=None,
        gt=1,
        description="bert: a head for so many classes of [CLS] or of tokens; null: no such head",
    )
    norm: Literal["layernorm", "rmsnorm", "batchnorm", "none"] = Field(
        default="layernorm", description="batchnorm counts real tokens only; none needs tfixup"
    )
    norm_position: Literal["pre", "post", "sandwich"] = Field(
        default_factory=lambda fields: "post" if fields["family"] == "bert" else "pre",
        description="norms before each part, after each sum, or before and after each part; "
        "null: post for bert, pre otherwise",
    )
    parallel_residual: bool = Field(
        default=False, description="attention and MLP read the same input, each through its norm"
    )
    norm_eps: float = Field(
        default=1e-5, gt=0, description="added to the variance before its root is taken"
    )
    activation: Literal["gelu_tanh", "gelu", "relu", "swiglu", "geglu"] = Field(
        default="gelu_tanh",
        description="of the MLP; swiglu and geglu multiply two projections (Shazeer 2020)",
    )
    bias: bool = Field(default=True, description="biases in attention and MLP")
    qkv_bias: bool = Field(
        default_factory=lambda fields: fields["bias"],
        description="biases of queries, keys and values; null: as bias. qwen2 has these alone",
    )
    qk_norm: bool = Field(
        default=False, description="rmsnorm of each head's queries and keys, as qwen3 has it"
    )
    embedding_width: int | None = Field(
        default=None,
        gt=0,
        description="of the rows of the embedding and the head, where it is another than the width, "
        "as in opt-350m; null: the width",
    )
    tied_head: bool = Field(default=True, description="the head's matrix is the embedding")
    dropout: float = Field(
        default=0.0, ge=0, lt=1, description="share of values set to 0 in training"
    )
    label_smoothing: float = Field(
        default=0.0, ge=0, lt=1, description="share of the target spread over all ids"
    )
    z_loss: float = Field(
        default=0.0, ge=0, description="weight of log(Z)^2, which keeps logits near zero; T5: 1e-4"
    )
    init: Literal["gpt2", "normal", "xavier", "t5", "tfixup"] | None = Field(
        default=None, description="null: t5 and normal for t5 and bert, gpt2 otherwise"
    )
    init_std: float = Field(
        default=0.02,
        gt=0,
        description="standard deviation of the initial weights of gpt2 and normal",
    )
    mup_base_width: int | None = Field(
        default=None, gt=0, description="muP: the width at which learning rates were tuned"
    )
    mup_base_depth: int | None = Field(
        default=None,
        gt=0,
        description="CompleteP: the num_layers at which they were tuned; needs mup_base_width. Parts of a block "
        "are added with the ratio of the depths as their weight",
    )
    share_stacks: bool = Field(
        default=False,
        description="t5: the decoder's blocks use the encoder's weights, apart from the attention "
        "over the memory",
    )
    attend_across_documents: bool = Field(
        default=False, description="let tokens of a row see other documents in it"
    )
    plugin: str | None = Field(
        default=None,
        pattern=IMPORT_PATH,
        description="`package.module:name` of your own, (config, **options) -> model that takes what one of the family takes",
    )
    options: dict[str, Any] = Field(
        default_factory=dict, description="named arguments of the plug-in; without one, none"
    )

    @model_validator(mode="before")
    @classmethod
    def _null_is_derived(cls, fields: Any) -> Any:
        """A null where the value follows from other fields is the same as no value."""
        if not isinstance(fields, dict):
            return fields
        return {
            name: value
            for name, value in fields.items()
            if value is not None or name not in DERIVED_FIELDS
        }

    @model_validator(mode="after")
    def _divides(self) -> Self:
        if (self.family == "t5") != (self.positions == "relative"):
            raise ValueError(
                "relative positions belong to the family t5, and to it alone; got positions "
                f"{self.positions} for a {self.family}"
            )
        if "head_width" not in self.model_fields_set and self.width % self.num_heads:
            raise ValueError(f"width {self.width} is not a multiple of num_heads {self.num_heads}")
        if self.num_heads % self.num_kv_heads:
            raise ValueError(
                f"num_heads {self.num_heads} is not a multiple of num_kv_heads {self.num_kv_heads}"
            )
        if self.positions == "rotary" and (self.rotary_width % 2 or not self.rotary_width):
            raise ValueError(
                f"rotary positions turn pairs: {self.rotary_width} of {self.head_width} per head"
            )
        return self

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if (self.init == "tfixup") != (self.norm == "none"):
            raise ValueError("init tfixup replaces norms: use it with norm none, and only there")
        if self.share_stacks and self.family != "t5":
            raise ValueError(f"share_stacks belongs to t5; a {self.family} has one stack")
        if self.share_stacks and self.norm == "batchnorm":
            raise ValueError(
                "share_stacks does not go with norm batchnorm: one norm would count the tokens of "
                "the encoder and of the decoder; use another norm"
            )
        if self.rotary_scaling is not None and self.positions != "rotary":
            raise ValueError(f"rotary_scaling is for rotary positions, not for {self.positions}")
        if self.embedding_width is not None and self.family in ("t5", "bert"):
            raise ValueError(f"embedding_width is for decoders, not for a {self.family}")
        if self.num_classes is not None and self.family != "bert":
            raise ValueError(
                f"num_classes {self.num_classes} belongs to bert; a {self.family} writes classes as "
                "text"
            )
        is_pre_norm_decoder = self.norm_position == "pre" and self.family not in ("t5", "bert")
        if self.parallel_residual and not is_pre_norm_decoder:
            raise ValueError(
                "parallel_residual belongs to decoders with norms before the parts; got "
                f"norm_position {self.norm_position} for a {self.family}"
            )
        if self.mup_base_depth is not None and (self.mup_base_width is None or self.norm == "none"):
            raise ValueError(
                f"mup_base_depth {self.mup_base_depth} needs mup_base_width and a norm; got "
                f"mup_base_width {self.mup_base_width} and norm {self.norm}"
            )
        return self

    @property
    def has_final_norm(self) -> bool:
        """Whether a norm follows the last block; after post-norm blocks it would be a second one."""
        return self.norm_position != "post" or self.family == "t5"

    @property
    def rotary_width(self) -> int:
        """Components of a head that rotary positions turn."""
        return int(self.head_width * self.rotary_fraction)

    @property
    def width_ratio(self) -> float:
        """Width over the base width of muP; 1 without muP."""
        return self.width / self.mup_base_width if self.mup_base_width else 1.0

    @property
    def base_width(self) -> float:
        """The width at which learning rates were tuned; the width itself without muP."""
        return self.width / self.width_ratio

    @property
    def depth_ratio(self) -> float:
        """Layers over the base layers of CompleteP; 1 without it."""
        return self.num_layers / self.mup_base_depth if self.mup_base_depth else 1.0

    @property
    def is_gated(self) -> bool:
        """Whether the MLP multiplies two projections (Shazeer 2020)."""
        return self.activation in ("swiglu", "geglu")

    def num_parameters(self) -> int:
        """Exact number of parameters; a tied head adds none."""
        if self.family == "t5":
            return self._num_t5_parameters()
        bias, width, hidden = int(self.bias), self.width, self.mlp_width
        attention = self._attention_parameters()
        ups = 2 if self.is_gated else 1
        mlp = (ups + 1) * width * hidden + bias * (ups * hidden + width)
        norm = self._norm_parameters()
        row = self.embedding_width or width
        embeddings = self.vocab_size * row * (1 if self.tied_head else 2)
        embeddings += 0 if self.embedding_width is None else 2 * row * width
        positions = self._position_parameters()
        norms = 4 if self.norm_position == "sandwich" else 2
        blocks = self.num_layers * (attention + mlp + norms * norm)
        if self.family == "bert":
            # Pooler, transform with its norm, output bias, head for sentence pairs.
            heads = 2 * (width * width + width) + norm + self.vocab_size + 2 * width + 2
            heads += (self.num_classes or 0) * (width + 1)
            norms = norm * (1 + int(self.has_final_norm))
            return embeddings + positions + self.num_token_types * width + norms + blocks + heads
        return embeddings + positions + blocks + int(self.has_final_norm) * norm

    def num_embedding_parameters(self) -> int:
        """Those of the tables for tokens, an untied head among them, positions and token types."""
        row = self.embedding_width or self.width
        types = self.num_token_types * self.width if self.family == "bert" else 0
        tokens = self.vocab_size * row * (1 if self.tied_head else 2)
        return tokens + self._position_parameters() + self._relative_parameters() + types

    def _norm_parameters(self) -> int:
        return self.width * {"layernorm": 2, "batchnorm": 2, "rmsnorm": 1, "none": 0}[self.norm]

    def _position_parameters(self) -> int:
        if self.positions != "learned":
            return 0
        return (self.max_positions + self.position_offset) * self.width

    def _relative_parameters(self) -> int:
        """T5's tables of relative positions, one in each stack."""
        return 2 * self.num_relative_buckets * self.num_heads if self.family == "t5" else 0

    def _attention_parameters(self) -> int:
        inner, kv_width = self.num_heads * self.head_width, self.num_kv_heads * self.head_width
        matrices = 2 * self.width * inner + 2 * self.width * kv_width
        biases = int(self.qkv_bias) * (inner + 2 * kv_width) + int(self.bias) * self.width
        return matrices + biases + 2 * int(self.qk_norm) * self.head_width

    def _num_t5_parameters(self) -> int:
        mlp = (3 if self.is_gated else 2) * self.width * self.mlp_width
        bias = int(self.bias)
        mlp += bias * ((2 if self.is_gated else 1) * self.mlp_width + self.width)
        attention, norm = self._attention_parameters(), self._norm_parameters()
        norms = 2 if self.norm_position == "sandwich" else 1
        encoder = attention + mlp + 2 * norms * norm
        decoder = 2 * attention + mlp + 3 * norms * norm
        embeddings = self.vocab_size * self.width * (1 if self.tied_head else 2)
        tables = self._relative_parameters()
        if self.share_stacks:
            decoder -= encoder
        return embeddings + self.num_layers * (encoder + decoder) + tables + 2 * norm

    def flops_per_token(self, seq_len: int) -> int:
        """Operations of forward and backward: 6 per weight, 12 per layer, width and token seen.

        Source: Chowdhery et al. 2022 (PaLM), appendix B.
        """
        matrices = self.num_parameters() - self._position_parameters()
        if not self.tied_head:
            matrices -= self.vocab_size * (self.embedding_width or self.width)
        return 6 * matrices + 12 * self.num_layers * self.width * seq_len


def unsaid(config: ModelConfig) -> set[str]:
    """The later fields that say nothing new of a shape; identities of older runs lack them."""
    old: dict[str, Any] = {
        "qkv_bias": config.bias,
        "qk_norm": False,
        "rotary_scaling": None,
        "embedding_width": None,
        "plugin": None,
        "options": {},
        "mup_base_depth": None,
    }
    return {name for name in LATER_FIELDS if getattr(config, name) == old[name]}
