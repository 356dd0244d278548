"""How many documents each decision of a finished run speaks against, and how many nothing else does.

Counted in the ledger's reasons and the run's fates, without judging anything anew: what an arm changes beyond
that (another document of a cluster, sampling by score) its own dataset shows.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from refinery.ablation.decisions import arm_without, changed, decisions_of
from refinery.clean.rejudging import is_given
from refinery.publish.records import StageRecord
from refinery.publish.store import Store
from refinery.query.database import open_tables
from refinery.recipe import RefineSettings
from refinery.sources.exclusions import EXCLUDED

_REASONS = "SELECT reasons, count(*) AS documents FROM ledger WHERE len(reasons) > 0 GROUP BY ALL"
_FATES = "SELECT fate, count(*) AS documents FROM fates GROUP BY ALL"
# By decision, the fate of the documents that it alone removes: later stages see no other.
_FATE_OF = {"dedup": "duplicate", "decontaminate": "contaminated"}


@dataclass(frozen=True, kw_only=True)
class Removal:
    """Documents of a run.

    Attributes:
        against: Documents that the decision speaks against.
        alone: Of them, those that no other decision of the stage does: without it they would pass.
    """

    against: int
    alone: int


def count_removals(
    settings: RefineSettings, store: Store, records: Mapping[str, StageRecord]
) -> dict[str, Removal]:
    """By decision of the recipe; those that change only how often documents are taken are left out."""
    with open_tables(store, records) as database:
        reasons = [
            (tuple(row["reasons"]), int(row["documents"])) for row in database.rows(_REASONS)
        ]
        fates = {row["fate"]: int(row["documents"]) for row in database.rows(_FATES)}
    return dict(removals_of(settings, reasons, fates))


def removals_of(
    settings: RefineSettings, reasons: list[tuple[tuple[str, ...], int]], fates: Mapping[str, int]
) -> Iterator[tuple[str, Removal]]:
    """(decision, what it removes), by the reasons of documents and by their fates, each with its number."""
    runtime = settings.runtime
    for name in decisions_of(settings.recipe):
        if name in _FATE_OF:
            count = fates.get(_FATE_OF[name], 0)
            yield name, Removal(against=count, alone=count)
            continue
        arm = arm_without(name, settings.recipe)
        other = changed(settings, arm, output=runtime.output, tables=runtime.tables_uri)
        if other.recipe.clean == settings.recipe.clean:
            continue
        left = [
            (sum(is_given(reason, other.recipe.clean) for reason in given), len(given), count)
            for given, count in reasons
            if EXCLUDED not in given
        ]
        yield (
            name,
            Removal(
                against=sum(count for some, total, count in left if some < total),
                alone=sum(count for some, _, count in left if some == 0),
            ),
        )
