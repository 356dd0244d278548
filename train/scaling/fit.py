"""A ladder's verdict: the law by two methods, intervals by two methods, and the size and length for a budget."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from schemas.errors import SettingsError
from train.scaling.huber import fit_by_huber
from train.scaling.law import Allocation, ScalingLaw
from train.scaling.points import LadderPoints
from train.scaling.projection import fit_by_projection
from train.scaling.uncertainty import (
    LEVEL,
    ProfiledLaw,
    Range,
    bootstrap_laws,
    percentiles,
)

# How many times beyond the largest (or below the smallest) run a law may be asked.
FARTHEST = 8.0


@dataclass(frozen=True, kw_only=True)
class Question:
    """What a ladder is asked.

    Attributes:
        flops: A budget of training, 6 x parameters x tokens; None: no recommendation.
        target: A run whose loss is to be said; None: none.
        factor: How far beyond the ladder's runs an answer may lie.
        level: How many of the intervals hold the truth.
        resamples: Resamples of the bootstrap.
    """

    flops: float | None = None
    target: Allocation | None = None
    factor: float = FARTHEST
    level: float = LEVEL
    resamples: int = 1_000


@dataclass(frozen=True, kw_only=True)
class Answer:
    """One figure of the law.

    Attributes:
        value: By variable projection.
        by_huber: By Huber's loss and L-BFGS; infinite where that fit has no such figure.
        profile: The interval that decides.
        bootstrap: The percentile interval beside it.
    """

    name: str
    value: float
    by_huber: float
    profile: Range
    bootstrap: Range


@dataclass(frozen=True, kw_only=True)
class LadderFit:
    """What a ladder says.

    Attributes:
        points: The runs.
        law: By variable projection; it decides.
        by_huber: By Huber's loss of logarithms and L-BFGS.
        noise: Standard deviation of the runs around the law, nats.
        answers: The law's numbers, and what was asked.
        refitted: Resamples of the bootstrap that have a law.
        question: What was asked.
    """

    points: LadderPoints
    law: ScalingLaw
    by_huber: ScalingLaw
    noise: float
    answers: list[Answer]
    refitted: int
    question: Question


def fit_ladder(points: LadderPoints, question: Question) -> LadderFit:
    """Fit the law and answer.

    Raises:
        SettingsError: The runs cannot tell the law's numbers, or the answer lies too far beyond them.
    """
    law = fit_by_projection(points)
    if question.target is not None:
        target = question.target
        points.require_near(target.parameters, target.tokens, factor=question.factor)
    if question.flops is not None:
        best = law.best(question.flops)
        points.require_near(best.parameters, best.tokens, factor=question.factor)
    by_huber = fit_by_huber(points)
    profiled = ProfiledLaw(points, level=question.level)
    laws = bootstrap_laws(points, law, resamples=question.resamples)
    if not laws:
        raise SettingsError("no resample of the ladder has a law: its runs are too noisy to fit")
    answers = [
        Answer(
            name=name,
            value=of(law),
            by_huber=_or_infinite(of, by_huber),
            profile=profile,
            bootstrap=percentiles(laws, of, level=question.level),
        )
        for name, of, profile in _asked(profiled, question)
    ]
    return LadderFit(
        points=points,
        law=law,
        by_huber=by_huber,
        noise=profiled.noise,
        answers=answers,
        refitted=len(laws),
        question=question,
    )


_Figure = Callable[[ScalingLaw], float]


def _asked(profiled: ProfiledLaw, question: Question) -> list[tuple[str, _Figure, Range]]:
    """Each figure: its name, how a law gives it, its profile interval."""
    asked: list[tuple[str, _Figure, Range]] = [
        ("E", lambda law: law.floor, profiled.floor()),
        ("alpha", lambda law: law.size_exponent, profiled.exponent(0)),
        ("beta", lambda law: law.tokens_exponent, profiled.exponent(1)),
    ]
    target, flops = question.target, question.flops
    if target is not None:
        n, d = target.parameters, target.tokens
        asked.append(
            (
                f"loss of {n:.3g} parameters after {d:.3g} tokens",
                lambda law: float(law.loss(n, d)),
                profiled.loss(n, d),
            )
        )
    if flops is not None:
        sizes = profiled.best_parameters(flops)
        products = flops / 6
        lengths = Range(
            low=products / sizes.high if sizes.high else math.inf,
            high=products / sizes.low if sizes.low else math.inf,
        )
        asked.append(
            (f"parameters for {flops:.3g} FLOPs", lambda law: law.best(flops).parameters, sizes)
        )
        asked.append((f"tokens for {flops:.3g} FLOPs", lambda law: law.best(flops).tokens, lengths))
    return asked


def _or_infinite(of: _Figure, law: ScalingLaw) -> float:
    try:
        return of(law)
    except ValueError:
        return math.inf


def ladder_lines(fit: LadderFit) -> list[str]:
    """The verdict for a terminal."""
    points, percent = fit.points, f"{100 * fit.question.level:g} %"
    lines = [
        f"{points.runs} runs, {points.parameters.min():.3g} to {points.parameters.max():.3g} parameters "
        f"(counted: {points.counted}), {points.tokens.min():.3g} to {points.tokens.max():.3g} tokens; "
        f"runs lie {fit.noise:.4f} nats around the law",
        f"L = E + A/N^alpha + B/D^beta, by variable projection: {_numbers(fit.law)}",
        f"                        by Huber's loss and L-BFGS: {_numbers(fit.by_huber)}",
        f"{'':<44}{'fit':>10}{'Huber':>10}  {percent + ' profile':<24}{percent + ' bootstrap'}",
    ]
    for one in fit.answers:
        lines.append(
            f"{one.name:<44}{one.value:>10.4g}{one.by_huber:>10.4g}  {_shown(one.profile):<24}"
            f"{_shown(one.bootstrap)}"
        )
    lines.append(
        f"the profile decides; bootstrap of residuals, {fit.refitted} of {fit.question.resamples} resamples have a law; "
        f"nothing is said farther than {fit.question.factor:g} times beyond the runs"
    )
    return lines


def _numbers(law: ScalingLaw) -> str:
    return (
        f"E {law.floor:.4g}, A {law.size_factor:.4g}, alpha {law.size_exponent:.4g}, "
        f"B {law.tokens_factor:.4g}, beta {law.tokens_exponent:.4g}"
    )


def _shown(interval: Range) -> str:
    return (
        f"{interval.low:.4g} .. {'open' if math.isinf(interval.high) else f'{interval.high:.4g}'}"
    )
