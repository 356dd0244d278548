"""Indexes of earlier runs: found by their output folders, checked before anything is compared."""

from __future__ import annotations

from dataclasses import dataclass

from refinery.dedup.facts import DedupFacts
from refinery.publish.records import StageRecord
from refinery.publish.runs import stages_of
from refinery.publish.store import Store
from schemas.errors import ContractError


@dataclass(frozen=True)
class EarlierRun:
    """One earlier run's dedup stage, published with an index."""

    output: str
    store: Store
    record: StageRecord

    def table_uri(self, table: str) -> str:
        return self.store.table_uri(self.record, table)


def earlier_runs(outputs: tuple[str, ...]) -> list[EarlierRun]:
    """The newest dedup record below each output.

    Raises:
        SettingsError: No dedup stage was published there.
    """
    runs = []
    for output in outputs:
        run = stages_of(output)
        runs.append(EarlierRun(output, run.store, run.record("dedup")))
    return runs


def check_earlier(runs: list[EarlierRun], scheme: str, num_buckets: int) -> None:
    """Refuse what cannot be compared with this run.

    Raises:
        ContractError: No index, facts of another form, another scheme of signatures, other buckets, or a run that was
            itself made after runs that are not listed before it.
    """
    for index, run in enumerate(runs):
        where = f"recipe.dedup.earlier[{index}] ({run.output})"
        facts = run.record.facts_of(DedupFacts)
        if facts.index_buckets is None or facts.earlier is None:
            raise ContractError(
                f"{where}: published without an index; run it again with recipe.dedup.keep_index"
            )
        if facts.scheme != scheme:
            raise ContractError(
                f"{where}: signatures of scheme {facts.scheme}, this recipe makes {scheme}; "
                "signatures of two schemes cannot be compared: give both runs the same seed, "
                "bands and shingles, or sign the earlier one again"
            )
        if facts.index_buckets != num_buckets:
            raise ContractError(
                f"{where}: {facts.index_buckets} index buckets, recipe.dedup.index_buckets is "
                f"{num_buckets}"
            )
        before = tuple(other.record.identity for other in runs[:index])
        if facts.earlier != before:
            raise ContractError(
                f"{where}: was compared with {len(facts.earlier)} earlier runs, which "
                f"are not the {len(before)} listed before it; list them all, in their order"
            )


def num_dumps(runs: list[EarlierRun]) -> int:
    """Dumps of all these runs."""
    return sum(run.record.counts["dumps"] for run in runs)
