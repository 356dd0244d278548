"""The first rule with bounds that each document of a batch fails.

Shapes: N documents, W values of a document, M documents of one language, R rules of that language.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from refinery.filters.config import RulesConfig
from refinery.filters.rules import rules_for
from refinery.filters.shipped_rules import Rule

NO_RULE = -1


class FirstFailed:
    """Rules of a configuration, found once for each language."""

    def __init__(self, config: RulesConfig) -> None:
        self._config = config
        self._rules: dict[str, tuple[Rule, ...]] = {}

    def by_name(
        self,
        names: Sequence[str],
        values_NW: NDArray[np.float64],
        *,
        languages: Sequence[str],
        codes_N: NDArray[np.int32],
    ) -> Iterator[tuple[str, NDArray[np.bool_]]]:
        """Name and mask [N] of each rule that is the first to fail for any document.

        Rules count in the order of the document's language. A document without a language has none;
        a document without values (an excluded one) has NaN, which is outside of no bound.

        Args:
            names: What the columns of `values_NW` hold; rules of other values are left out.
            languages: Labels; the empty one is no language.
            codes_N: Index into `languages` for each document.
        """
        columns = {name: column for column, name in enumerate(names)}
        numbers: dict[str, int] = {}
        failed_N = np.full(len(values_NW), NO_RULE)
        for code, label in enumerate(languages):
            rules = [rule for rule in self._of(label) if rule.value in columns]
            if rules:
                members_M = np.flatnonzero(codes_N == code)
                chosen_R = [columns[rule.value] for rule in rules]
                # `take` along each axis is twice as fast as one index over both.
                picked_MR = values_NW.take(members_M, axis=0).take(chosen_R, axis=1)
                lows_R = _bounds([rule.bounds.minimum for rule in rules], -np.inf)
                highs_R = _bounds([rule.bounds.maximum for rule in rules], np.inf)
                outside_MR = (picked_MR < lows_R) | (picked_MR > highs_R)
                numbers_R = [numbers.setdefault(rule.name, len(numbers)) for rule in rules]
                first_M = np.take(numbers_R, outside_MR.argmax(axis=1))
                failed_N[members_M] = np.where(outside_MR.any(axis=1), first_M, NO_RULE)
        for name, number in numbers.items():
            yield name, failed_N == number

    def _of(self, label: str) -> tuple[Rule, ...]:
        if label and label not in self._rules:
            self._rules[label] = rules_for(label, self._config)
        return self._rules.get(label, ())


def _bounds(bounds: Sequence[float | None], none: float) -> NDArray[np.float64]:
    return np.array([none if bound is None else bound for bound in bounds], np.float64)
