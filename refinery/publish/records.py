"""The record of a published stage: what it depended on, where its attempt lies, what is in it."""

from __future__ import annotations

from pydantic import Field

from schemas.fingerprints import canonical_json, sha256_hex
from schemas.settings import Settings


class TableSummary(Settings):
    """Size of one published table, read from its Parquet footers."""

    rows: int
    bytes: int
    files: int


class StageRecord(Settings):
    """Published last and atomically; a stage without one was never run."""

    stage: str
    fingerprint: str
    attempt: str
    tables: dict[str, TableSummary]
    artefacts: dict[str, str]
    inputs: dict[str, str]
    counts: dict[str, int] = Field(default_factory=dict)
    facts: dict[str, str] = Field(default_factory=dict)
    seconds: float
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
