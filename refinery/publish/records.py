"""The record of a published stage: what it depended on, where its attempt lies, what is in it."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from refinery.publish.facts import FactsT, read_facts
from schemas.errors import ContractError
from schemas.fingerprints import canonical_json, sha256_hex
from schemas.settings import Settings


class TableSummary(Settings):
    """Size of one published table, read from its Parquet footers."""

    rows: int
    bytes: int
    files: int


class StageCost(Settings):
    """What it took to run a stage. Nothing of it enters a fingerprint or an identity."""

    jvm_cpu_seconds: float = Field(description="CPU seconds of Spark's tasks in the JVM")
    python_cpu_seconds: float | None = Field(
        default=None,
        description="CPU seconds of the Python workers; None on a cluster, where they are not known",
    )
    task_seconds: float = Field(description="wall time of all tasks, added up")
    shuffle_bytes: int = Field(description="compressed bytes that tasks wrote for shuffles")
    spilled_bytes: int = Field(
        description="bytes that tasks wrote to disk because memory was short"
    )
    written_bytes: int = Field(description="bytes that Spark wrote to tables")


class StageRecord(Settings):
    """What one run of a stage made; written last and atomically, so a stage without one did not end."""

    stage: str
    fingerprint: str
    attempt: str
    tables: dict[str, TableSummary]
    artefacts: dict[str, str]
    inputs: dict[str, str]
    settings: dict[str, Any] = Field(
        default_factory=dict, description="the part of the recipe that the stage read"
    )
    counts: dict[str, int] = Field(default_factory=dict)
    facts: dict[str, Any] = Field(
        default_factory=dict, description="what the stage's model of facts dumps; see `facts_of`"
    )
    seconds: float
    cost: StageCost | None = None
    started_at: str
    code_version: str

    @property
    def identity(self) -> str:
        """What later stages depend on.

        The content of the artefacts where the stage trains any (a model trained anew to the same
        bytes changes nothing downstream), else the fingerprint.
        """
        if self.artefacts and not self.tables:
            return sha256_hex(canonical_json(self.artefacts))
        return self.fingerprint

    @property
    def bytes(self) -> int:
        """Size of all tables, as they are stored."""
        return sum(table.bytes for table in self.tables.values())

    def facts_of(self, model: type[FactsT]) -> FactsT:
        """The facts as the stage's model.

        Raises:
            ContractError: They are of another form, or of another stage.
        """
        if model.stage != self.stage:
            raise ContractError(f"the record is of stage '{self.stage}', not '{model.stage}'")
        return read_facts(model, self.facts)
