"""What a decision costs: CPU seconds that the run would not have spent without it.

Stages are metered by the run. Values that rules look at are timed on a sample of the run's texts: a
decision costs what is computed for its rules alone.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from refinery.ablation.decisions import Arm
from refinery.filters.rules import bounds_groups, rules_for
from refinery.filters.values import seconds_by_family
from refinery.publish.records import StageRecord
from refinery.publish.store import Store
from refinery.query.database import open_tables
from refinery.recipe import Recipe

SAMPLE_CHARS = 1_500_000
REPEATS = 3
_STAGES = ("dedup", "decontaminate")


@dataclass(frozen=True, kw_only=True)
class DecisionCost:
    """CPU seconds of a decision in the run.

    Attributes:
        seconds: None where nothing is computed for it alone.
        how: Where the figure comes from.
    """

    seconds: float | None
    how: str


@dataclass(frozen=True, kw_only=True)
class RunCosts:
    """What the parts of a run took.

    Attributes:
        stages: CPU seconds by stage; a stage that was not metered is missing.
        families: Seconds for the values that are computed together, with the values' names.
        values: Names of the values that each rule of the recipe looks at.
    """

    stages: Mapping[str, float]
    families: Sequence[tuple[float, frozenset[str]]]
    values: Mapping[str, frozenset[str]]

    def of(self, arm: Arm) -> DecisionCost:
        """The cost of what an arm goes without; that of a whole stage where it is one."""
        stages = [name for name in arm.decisions if name in _STAGES and name in self.stages]
        seconds = sum(self.stages[name] for name in stages)
        how = [f"stage {name}" for name in stages]
        off = self._switched_off(arm)
        if off:
            left = frozenset().union(
                *(values for rule, values in self.values.items() if rule not in off)
            )
            own = [cost for cost, names in self.families if not names & left]
            seconds += sum(own)
            how += ["values of its rules alone"] if own else ["values that other rules share"]
        return DecisionCost(
            seconds=round(seconds, 3) if stages or (off and seconds) else None,
            how=", ".join(how) or "nothing is computed for it alone",
        )

    def _switched_off(self, arm: Arm) -> Collection[str]:
        if arm.changes.values.get("clean.rules.enabled") is False:
            return set(self.values)
        return arm.changes.disabled


def measure_costs(recipe: Recipe, store: Store, records: Mapping[str, StageRecord]) -> RunCosts:
    """Read what the run metered, and time the values of rules on some of its texts."""
    stages = {}
    for name, record in records.items():
        if record.cost is not None:
            stages[name] = record.cost.jvm_cpu_seconds + (record.cost.python_cpu_seconds or 0.0)
    rules = recipe.clean.rules
    values: dict[str, set[str]] = {}
    for label in bounds_groups(rules):
        for rule in rules_for(label, rules):
            values.setdefault(rule.name, set()).add(rule.value)
    return RunCosts(
        stages=stages,
        families=_families(store, records),
        values={name: frozenset(found) for name, found in values.items()},
    )


def _families(
    store: Store, records: Mapping[str, StageRecord]
) -> list[tuple[float, frozenset[str]]]:
    with open_tables(store, records) as database:
        whole = database.rows("SELECT sum(num_chars)::BIGINT AS chars FROM ledger")[0]["chars"] or 0
        texts, chars = [], 0
        for batch in database.stream("SELECT text FROM cleaned WHERE num_chars > 0"):
            for text in batch.column("text").to_pylist():
                if chars < SAMPLE_CHARS:
                    texts.append(text)
                    chars += len(text)
            if chars >= SAMPLE_CHARS:
                break
    if not chars:
        return []
    rounds = [seconds_by_family(texts) for _ in range(1 + REPEATS)][1:]  # the first one compiles
    return [
        (median(one[number][0] for one in rounds) * whole / chars, names)
        for number, (_, names) in enumerate(rounds[0])
    ]
