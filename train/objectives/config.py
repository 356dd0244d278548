"""Settings of objectives."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, TypeAdapter

from schemas.errors import SettingsError
from schemas.settings import Settings, nearest, parse_settings


class CausalConfig(Settings):
    """Predict each next token of the same document."""

    name: Literal["causal"] = "causal"


class SpanCorruptionConfig(Settings):
    """Replace spans by sentinels; predict the spans (Raffel et al. 2020)."""

    name: Literal["span_corruption"] = "span_corruption"
    noise_density: float = Field(default=0.15, gt=0, lt=1)
    mean_span_tokens: float = Field(default=3.0, ge=1)


class MaskedConfig(Settings):
    """Predict chosen tokens; most are masked, some replaced, some kept (Devlin et al. 2019)."""

    name: Literal["masked"] = "masked"
    rate: float = Field(default=0.15, gt=0, lt=1)
    masked_fraction: float = Field(default=0.8, ge=0, le=1)
    random_fraction: float = Field(default=0.1, ge=0, le=1)


ObjectiveConfig = CausalConfig | SpanCorruptionConfig | MaskedConfig
_KINDS: dict[str, type[Settings]] = {
    "causal": CausalConfig,
    "span_corruption": SpanCorruptionConfig,
    "masked": MaskedConfig,
}
_UNION: TypeAdapter[ObjectiveConfig] = TypeAdapter(
    Annotated[ObjectiveConfig, Field(discriminator="name")]
)


def parse_objective(choice: dict[str, Any]) -> ObjectiveConfig:
    """Any objective that a recipe names.

    Raises:
        SettingsError: An unknown objective or field.
    """
    name = str(choice.get("name", "causal"))
    if name not in _KINDS:
        raise SettingsError(f"objective.name: no objective '{name}'{nearest(name, set(_KINDS))}")
    checked = parse_settings(_KINDS[name], choice, where="objective")
    return _UNION.validate_python(checked.model_dump())
