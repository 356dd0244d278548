"""Words that differ between domains, as the report shows them."""

from __future__ import annotations

from pydantic import Field

from refinery.report.tables import Tables
from schemas.settings import Settings


class HomographRow(Settings):
    """One word in two domains; divergences in bits."""

    word: str
    domain: str
    other_domain: str
    divergence: float
    by_chance: float = Field(
        description="divergence with the word's occurrences divided at random into two groups"
    )
    count: int
    other_count: int
    contexts: tuple[str, ...]
    other_contexts: tuple[str, ...]


def homograph_rows(tables: Tables) -> tuple[HomographRow, ...]:
    """All rows in their order; none where the recipe names no domains."""
    columns = ("rank", *HomographRow.model_fields)
    rows = sorted(
        tables.rows("homographs", "homographs", columns), key=lambda row: int(row["rank"])
    )
    return tuple(HomographRow(**{k: v for k, v in row.items() if k != "rank"}) for row in rows)
