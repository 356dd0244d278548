"""From counted tokens and weights to epochs: pure arithmetic, no Spark."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from refinery.mixture.config import MixtureConfig
from schemas.errors import SettingsError
from schemas.settings import nearest

MANY_EPOCHS = 4.0


@dataclass(frozen=True)
class SourcePlan:
    """What one source gives."""

    source: str
    documents: int
    tokens: int
    weight_asked: float
    weight_got: float
    epochs: float

    @property
    def planned_tokens(self) -> float:
        """Tokens of all copies."""
        return self.tokens * self.epochs


@dataclass(frozen=True)
class MixturePlan:
    """Sources in the order of the recipe, and what people should know."""

    sources: tuple[SourcePlan, ...]
    warnings: tuple[str, ...]

    def epochs(self) -> dict[str, float]:
        """Epochs by source."""
        return {plan.source: plan.epochs for plan in self.sources}


def plan_mixture(
    tokens: Mapping[str, int], documents: Mapping[str, int], config: MixtureConfig
) -> MixturePlan:
    """Epochs per source: budget x weight / tokens, weights normalised.

    Warnings name more than four epochs (Muennighoff et al. 2023: repeats beyond that add little),
    weights that do not sum to one, and sources that are absent or unnamed.

    Raises:
        SettingsError: A weight names no source.
    """
    if config.weights is None:
        total = sum(tokens.values()) or 1
        plans = tuple(
            SourcePlan(name, documents[name], size, size / total, size / total, 1.0)
            for name, size in tokens.items()
        )
        return MixturePlan(plans, ())
    for name in config.weights:
        if name not in tokens:
            raise SettingsError(
                f"recipe.mixture.weights: no source '{name}'{nearest(name, set(tokens))}"
            )
    whole = sum(config.weights.values())
    weights = {name: config.weights.get(name, 0.0) / whole for name in tokens}
    budget = config.budget_tokens or sum(size for name, size in tokens.items() if weights[name] > 0)
    warnings = [] if abs(whole - 1) < 1e-6 else [f"weights sum to {whole:g} and were normalised"]
    epochs = {}
    for name, size in tokens.items():
        asked = budget * weights[name] / size if size else 0.0
        epochs[name] = asked if config.max_epochs is None else min(asked, config.max_epochs)
        if weights[name] > 0 and not size:
            warnings.append(f"source '{name}' has weight {weights[name]:.3g} but no tokens")
        if name not in config.weights:
            warnings.append(f"source '{name}' has no weight: none of it is taken")
        if epochs[name] > MANY_EPOCHS:
            warnings.append(f"source '{name}' is repeated {epochs[name]:.1f} times")
        if epochs[name] < asked:
            warnings.append(
                f"source '{name}' is exhausted: {asked:.2f} epochs asked, {epochs[name]:.2f} given"
            )
    taken = sum(tokens[name] * epochs[name] for name in tokens) or 1.0
    plans = tuple(
        SourcePlan(
            name, documents[name], size, weights[name], size * epochs[name] / taken, epochs[name]
        )
        for name, size in tokens.items()
    )
    return MixturePlan(plans, tuple(warnings))
