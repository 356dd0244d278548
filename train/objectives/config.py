"""Settings of objectives."""

from __future__ import annotations

from typing import Any, Literal

from schemas.settings import Settings, parse_settings


class CausalConfig(Settings):
    """Predict each next token of the same document."""

    name: Literal["causal"] = "causal"


def resolve_objective(choice: dict[str, Any]) -> CausalConfig:
    """The objective that a recipe names."""
    return parse_settings(CausalConfig, choice, where="objective")
