"""From counted tokens and weights to epochs: pure arithmetic, no Spark."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from refinery.mixture.config import MixtureConfig
from refinery.publish.facts import Facts
from schemas.errors import SettingsError
from schemas.settings import nearest

# Muennighoff et al. 2023: repeats beyond four epochs add little.
MANY_EPOCHS = 4.0
WEIGHT_TOLERANCE = 1e-6


class SourcePlan(Facts):
    """One source: what it holds, the share that was asked for and the one that it gets.

    Weights are shares of the planned tokens; `epochs` counts the copies of each document.
    """

    source: str
    documents: int
    tokens: int
    weight_asked: float
    weight_got: float
    epochs: float

    @property
    def planned_tokens(self) -> float:
        return self.tokens * self.epochs


@dataclass(frozen=True)
class MixturePlan:
    """Sources in the order of the recipe, and warnings for people."""

    sources: tuple[SourcePlan, ...]
    warnings: tuple[str, ...]

    def epochs(self) -> dict[str, float]:
        return {plan.source: plan.epochs for plan in self.sources}


def plan_mixture(
    tokens: Mapping[str, int], documents: Mapping[str, int], config: MixtureConfig
) -> MixturePlan:
    """Plan the epochs of each source: budget x weight / tokens, weights normalised.

    A source at its cap gives what it cannot take to the uncapped ones in proportion to their
    weights, unless `spread_capped` is off; then the mixture is smaller than its budget.

    Raises:
        SettingsError: A weight names no source, or no weighted source has tokens.
    """
    if config.weights is None and config.temperature is None:
        weights, epochs = _shares(tokens), dict.fromkeys(tokens, 1.0)
        return MixturePlan(_plans(tokens, documents, weights, epochs), ())
    weights = _weights(tokens, config)
    usable = {name: w for name, w in weights.items() if w > 0 and tokens[name] > 0}
    if not usable:
        raise SettingsError(f"recipe.mixture: no weighted source has tokens: {dict(tokens)}")
    budget = config.budget_tokens or sum(tokens[name] for name in usable)
    asked = {name: budget * weights[name] / tokens[name] for name in usable}
    given = _capped(asked, tokens, weights, config)
    epochs = {name: given.get(name, 0.0) for name in tokens}
    warnings = _warnings(tokens, config, weights=weights, asked=asked, given=epochs)
    return MixturePlan(_plans(tokens, documents, weights, epochs), tuple(warnings))


def _weights(tokens: Mapping[str, int], config: MixtureConfig) -> dict[str, float]:
    """Normalised weight of every source."""
    if config.weights is None:
        assert config.temperature is not None, "one of the two is set"
        largest = max(tokens.values(), default=0) or 1
        # Scaled by the largest: a power of a plain count could overflow at small temperatures.
        raw = {name: (size / largest) ** (1 / config.temperature) for name, size in tokens.items()}
    else:
        for name in config.weights:
            if name not in tokens:
                hint = nearest(name, set(tokens))
                raise SettingsError(f"recipe.mixture.weights: no source '{name}'{hint}")
        raw = {name: config.weights.get(name, 0.0) for name in tokens}
    whole = sum(raw.values()) or 1.0
    return {name: value / whole for name, value in raw.items()}


def _capped(
    asked: dict[str, float],
    tokens: Mapping[str, int],
    weights: dict[str, float],
    config: MixtureConfig,
) -> dict[str, float]:
    """Bound the epochs by the cap; each round caps at least one more source, so the loop ends."""
    cap = config.max_epochs
    if cap is None:
        return asked
    epochs = {name: min(value, cap) for name, value in asked.items()}
    missing = sum(tokens[name] * (asked[name] - epochs[name]) for name in asked)
    while config.spread_capped and missing > 0.5:
        open_ = [name for name in epochs if epochs[name] < cap]
        if not open_:
            break
        whole, left = sum(weights[name] for name in open_), 0.0
        for name in open_:
            wanted = epochs[name] + missing * weights[name] / whole / tokens[name]
            epochs[name] = min(wanted, cap)
            left += tokens[name] * (wanted - epochs[name])
        missing = left
    return epochs


def _warnings(
    tokens: Mapping[str, int],
    config: MixtureConfig,
    *,
    weights: dict[str, float],
    asked: dict[str, float],
    given: dict[str, float],
) -> list[str]:
    warnings = []
    whole = sum(config.weights.values()) if config.weights is not None else 1.0
    if abs(whole - 1) > WEIGHT_TOLERANCE:
        warnings.append(f"weights sum to {whole:g} and were normalised")
    for name, size in tokens.items():
        if config.weights is not None and name not in config.weights:
            warnings.append(f"source '{name}' has no weight: none of it is taken")
        if weights[name] > 0 and not size:
            warnings.append(f"source '{name}' has weight {weights[name]:.3g} but no tokens")
        if given[name] > MANY_EPOCHS:
            warnings.append(f"source '{name}' is repeated {given[name]:.1f} times")
        if given[name] < asked.get(name, 0.0):
            warnings.append(
                f"source '{name}' is exhausted: {asked[name]:.2f} epochs asked, "
                f"{given[name]:.2f} given"
            )
    return warnings


def _shares(amounts: Mapping[str, float]) -> dict[str, float]:
    whole = sum(amounts.values()) or 1.0
    return {name: amount / whole for name, amount in amounts.items()}


def _plans(
    tokens: Mapping[str, int],
    documents: Mapping[str, int],
    weights: dict[str, float],
    epochs: dict[str, float],
) -> tuple[SourcePlan, ...]:
    got = _shares({name: tokens[name] * epochs[name] for name in tokens})
    return tuple(
        SourcePlan(
            source=name,
            documents=documents[name],
            tokens=tokens[name],
            weight_asked=weights[name],
            weight_got=got[name],
            epochs=epochs[name],
        )
        for name in tokens
    )
