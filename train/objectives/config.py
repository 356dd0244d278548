"""Settings of objectives; imports nothing heavy."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal, Self

from pydantic import Field, TypeAdapter, field_validator, model_validator

from schemas.errors import SettingsError
from schemas.own_code import IMPORT_PATH
from schemas.settings import Settings, nearest, parse_settings

Arrangement = Annotated[
    Literal["family", "language_model", "prefix_lm"],
    Field(
        description="family: t5 reads inputs and writes targets, a decoder is a prefix_lm; "
        "language_model: a decoder predicts inputs and targets; prefix_lm: the targets alone, "
        "inputs see each other"
    ),
]


class AugmentConfig(Settings):
    """Changes of the inputs; labels stay. Noise of case, width and BPE is made by packing."""

    token_dropout: float | None = Field(
        default=None,
        gt=0,
        lt=1,
        description="share of the inputs without a label that are hidden; null: none",
    )
    shuffled_span_tokens: float | None = Field(
        default=None,
        ge=1,
        description="mean length of spans that are reordered within a document; null: none",
    )


class CausalConfig(Settings):
    """Predict each next token of the same document."""

    name: Literal["causal"] = "causal"
    augment: AugmentConfig | None = None


class SpanCorruptionConfig(Settings):
    """Replace spans by sentinels; predict the spans (Raffel et al. 2020)."""

    name: Literal["span_corruption"] = "span_corruption"
    noise_density: float = Field(
        default=0.15, gt=0, lt=1, description="share of tokens that are noise"
    )
    mean_span_tokens: float = Field(default=3.0, ge=1, description="mean length of a span of noise")
    input_tokens: int | None = Field(
        default=None,
        gt=2,
        description="tokens of the inputs that full rows must give; null: not checked",
    )
    arrangement: Arrangement = "family"
    augment: AugmentConfig | None = None


GRID_NAME = re.compile(
    r"(?P<pattern>iid|span_(?P<span>\d+))_(?P<density>\d+)"
    r"_(?P<inputs>m|s|u|d|p|r|r10s90)_(?P<targets>f|d|s|u)"
)
WHOLE_NAMES = ("all_permute", "prefix_lm", "lm", "mass")
# What tables 3 to 7 of Raffel et al. 2020 compare, and MASS (Song et al. 2019).
PUBLISHED_GRID = (
    "prefix_lm",
    "lm",
    "all_permute",
    "iid_15_r10s90_f",
    "iid_15_m_f",
    "iid_15_u_u",
    "iid_15_d_d",
    "iid_10_u_u",
    "iid_25_u_u",
    "iid_50_u_u",
    "span_2_15_u_u",
    "span_3_15_u_u",
    "span_5_15_u_u",
    "span_10_15_u_u",
    "mass",
)


class DenoisingConfig(Settings):
    """One cell of the grid of the T5 paper, by t5's name for it."""

    name: Literal["denoising"] = "denoising"
    grid: str = Field(
        default="span_3_15_u_u",
        description="PATTERN_DENSITY_INPUTS_TARGETS as in t5's objectives: iid or span_N; percent; "
        "m, s, u, d, p, r or r10s90; f, d, s or u. Or all_permute, prefix_lm, lm, mass",
    )
    arrangement: Arrangement = "family"
    augment: AugmentConfig | None = None

    @field_validator("grid")
    @classmethod
    def _known(cls, grid: str) -> str:
        parts = GRID_NAME.fullmatch(grid)
        if grid in WHOLE_NAMES:
            return grid
        if parts is None:
            hint = nearest(grid, {*PUBLISHED_GRID})
            raise ValueError(f"'{grid}' is no name of an objective{hint}")
        if not 0 < int(parts["density"]) < 100 or parts["span"] == "0":
            raise ValueError(f"'{grid}': the density is a percentage, spans have tokens")
        return grid


class Denoiser(Settings):
    """One denoiser of the mixture, with the share of rows that it takes."""

    weight: float = Field(default=1.0, gt=0, description="chance of a row against other denoisers")
    density: float = Field(gt=0, lt=1, description="share of tokens that are noise")
    mean_span_tokens: float | None = Field(
        default=None,
        ge=1,
        description="mean length of a span; null: the end of the row is the noise (S denoiser)",
    )
    mode: Literal["R", "S", "X"] = Field(description="mode that the row is told to be in")


# Source: Tay et al. 2022, table 1: two regular, four extreme and one sequential denoiser.
UL2_DENOISERS = (
    Denoiser(density=0.15, mean_span_tokens=3, mode="R"),
    Denoiser(density=0.15, mean_span_tokens=8, mode="R"),
    Denoiser(density=0.25, mode="S"),
    Denoiser(density=0.5, mean_span_tokens=3, mode="X"),
    Denoiser(density=0.5, mean_span_tokens=8, mode="X"),
    Denoiser(density=0.15, mean_span_tokens=64, mode="X"),
    Denoiser(density=0.5, mean_span_tokens=64, mode="X"),
)


class DenoiserMixtureConfig(Settings):
    """Each row by one of several denoisers, drawn by weight (UL2, Tay et al. 2022)."""

    name: Literal["ul2"] = "ul2"
    denoisers: tuple[Denoiser, ...] = Field(default=UL2_DENOISERS, min_length=1)
    mode_sentinels: bool = Field(
        default=True, description="begin rows with one of the last three sentinels: R, S, X"
    )
    arrangement: Arrangement = "family"
    augment: AugmentConfig | None = None


class _Masking(Settings):
    rate: float = Field(default=0.15, gt=0, lt=1, description="share of tokens to predict")
    masked_fraction: float = Field(
        default=0.8, ge=0, le=1, description="share of these that read as [MASK]"
    )
    random_fraction: float = Field(
        default=0.1, ge=0, le=1, description="share of these that read as another token"
    )
    whole_words: bool = Field(
        default=False, description="choose whole words; rows need the column word_starts"
    )
    augment: AugmentConfig | None = None

    @model_validator(mode="after")
    def _at_most_one(self) -> Self:
        if self.masked_fraction + self.random_fraction > 1:
            raise ValueError(
                f"masked_fraction {self.masked_fraction} and random_fraction "
                f"{self.random_fraction} are more than 1 together"
            )
        return self


class MaskedConfig(_Masking):
    """Predict chosen tokens; most are masked, some replaced, some kept (Devlin et al. 2019)."""

    name: Literal["masked"] = "masked"
    pairs: Literal["next_sentence", "sentence_order"] | None = Field(
        default=None, description="second loss on [CLS]: that of BERT or that of ALBERT; null: none"
    )


class UnilmConfig(_Masking):
    """Masked tokens under a mixture of attention masks (Dong et al. 2019)."""

    name: Literal["unilm"] = "unilm"
    both_ways: float = Field(default=1 / 3, ge=0, description="weight of rows that see all tokens")
    to_target: float = Field(
        default=1 / 3, ge=0, description="weight of rows of a source and a target, left to right"
    )
    left_to_right: float = Field(default=1 / 6, ge=0, description="weight of causal rows")
    right_to_left: float = Field(
        default=1 / 6, ge=0, description="weight of rows that are causal from their end"
    )

    @model_validator(mode="after")
    def _some_weight(self) -> Self:
        if self.both_ways + self.to_target + self.left_to_right + self.right_to_left == 0:
            raise ValueError("all masks have weight 0")
        return self


class TextToTextConfig(Settings):
    """Read inputs and write targets of supervised rows (layout `pairs`)."""

    name: Literal["text_to_text"] = "text_to_text"
    arrangement: Arrangement = "family"
    augment: AugmentConfig | None = None


class ClassifyConfig(Settings):
    """Predict a row's class at [CLS], or each word's at its first token (layout `pairs`)."""

    name: Literal["classify"] = "classify"
    at: Literal["cls", "tokens"] = Field(
        default="cls", description="where a class is predicted: once per row, or once per word"
    )
    augment: AugmentConfig | None = None


# Raised where rows become other batches than before: a run does not resume across it unasked.
OBJECTIVE_VERSIONS = {"causal": 2}


class PluginConfig(Settings):
    """An objective of your own: (context, **options) -> something with `build(rows, seed) -> Batch`."""

    name: Literal["plugin"] = "plugin"
    plugin: str = Field(pattern=IMPORT_PATH, description="`package.module:name`")
    options: dict[str, Any] = Field(
        default_factory=dict, description="named arguments of the plug-in"
    )
    augment: AugmentConfig | None = None


ObjectiveConfig = (
    CausalConfig
    | SpanCorruptionConfig
    | DenoisingConfig
    | DenoiserMixtureConfig
    | MaskedConfig
    | UnilmConfig
    | TextToTextConfig
    | ClassifyConfig
    | PluginConfig
)
_KINDS: dict[str, type[Settings]] = {
    "causal": CausalConfig,
    "span_corruption": SpanCorruptionConfig,
    "denoising": DenoisingConfig,
    "ul2": DenoiserMixtureConfig,
    "masked": MaskedConfig,
    "unilm": UnilmConfig,
    "text_to_text": TextToTextConfig,
    "classify": ClassifyConfig,
    "plugin": PluginConfig,
}
_UNION: TypeAdapter[ObjectiveConfig] = TypeAdapter(
    Annotated[ObjectiveConfig, Field(discriminator="name")]
)


def parse_objective(choice: dict[str, Any]) -> ObjectiveConfig:
    """The settings of the objective that a recipe names.

    Raises:
        SettingsError: An unknown objective or field.
    """
    name = str(choice.get("name", "causal"))
    if name not in _KINDS:
        raise SettingsError(f"objective.name: no objective '{name}'{nearest(name, set(_KINDS))}")
    checked = parse_settings(_KINDS[name], choice, where="objective")
    return _UNION.validate_python(checked.model_dump())
